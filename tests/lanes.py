"""Shares the tests among lanes, processes of pytest-xdist that each start the services they need once."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

KUBERNETES = "kubernetes"
_LIGHT = ("tests/architecture/", "tests/machines/", "tests/unit/")
_ENGINES = ("tests/unit/conformance/", "tests/unit/engines/", "tests/unit/workflows/")  # they start real engines


class Lanes(LoadScopeScheduling):
    """Gives the lane that is free the next file, whole; this host carries one Kubernetes: its tests stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return KUBERNETES if needs_kubernetes(nodeid) else nodeid.partition("::")[0]


def needs_kubernetes(nodeid: str) -> bool:
    """Say whether a test needs the cluster: its path or its parameter is named after Kubernetes or pods."""
    return not nodeid.startswith(_LIGHT) and (KUBERNETES in nodeid or "pod" in nodeid)


def _is_light(nodeid: str) -> bool:
    return nodeid.startswith(_LIGHT) and not nodeid.startswith(_ENGINES)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    """Have files shared by `Lanes`, in the order of their collection."""
    return Lanes(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; then Kubernetes, which `.ci/run` builds in the background; then what is light."""
    items.sort(key=lambda item: (_is_light(item.nodeid), needs_kubernetes(item.nodeid)))
    for item in items:
        if needs_kubernetes(item.nodeid):
            item.add_marker(pytest.mark.timeout(3600))
        elif "cluster" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid} needs Kubernetes: say so in the name of its file.")
