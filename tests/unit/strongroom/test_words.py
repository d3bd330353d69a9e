"""Spans and shares are said as people read them."""

import pytest

from strongroom import words


@pytest.mark.parametrize(
    ("number", "said"), [(0.0, "0 min"), (0.5, "30 min"), (1.0, "1.0 h"), (47.9, "47.9 h"), (60.0, "2.5 d")]
)
def test_hours(number: float, said: str) -> None:
    assert words.hours(number) == said


@pytest.mark.parametrize(("share", "said"), [(None, "–"), (0.0, "0 %"), (0.3333, "33 %"), (1.0, "100 %")])
def test_percent(share: float | None, said: str) -> None:
    assert words.percent(share) == said
