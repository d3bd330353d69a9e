"""What the conformance tests of TES share: the identity that creates tasks, on the running site."""

from collections.abc import Iterator

import pytest
from site_of_tests import Site
from tes_service import Service

collect_ignore = ["blackbox"]  # a project of its own, which is pointed at a server; a test here does that


@pytest.fixture(scope="session")
def tes(site: Site) -> Iterator[Service]:
    """The service, for a run of the researcher that may use one dataset."""
    service = Service(site, "na18507")
    yield service
    service.http.close()
