"""Gives tests one real Kubernetes for the whole session; where it cannot start, they fail."""

from collections.abc import Iterator

import pytest
from services.kubernetes import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One running cluster; a test makes a namespace of its own."""
    with Cluster() as one:
        yield one


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs the cluster last, and give it time: `.ci/run` builds Kubernetes in the background."""
    items.sort(key=_needs_it)
    for item in filter(_needs_it, items):
        item.add_marker(pytest.mark.timeout(3600))


def _needs_it(item: pytest.Item) -> bool:
    return "cluster" in getattr(item, "fixturenames", ())
