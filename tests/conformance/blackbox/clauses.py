"""Names the clause that a test asks about, for the table at the end."""

import pytest

WES = pytest.mark.needs("wes_url")
TES = pytest.mark.needs("tes_url")
MUST, SHOULD = "MUST", "SHOULD"


def must(identifier: str, text: str) -> pytest.MarkDecorator:
    """Mark a test with what the specification demands."""
    return pytest.mark.clause(identifier, MUST, text)


def should(identifier: str, text: str) -> pytest.MarkDecorator:
    """Mark a test with what the specification recommends, or what clients rely on."""
    return pytest.mark.clause(identifier, SHOULD, text)
