"""docs/audit.md tells what every event means."""

import re

from strongroom.audit import Event
from strongroom.settings import SOURCE

ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_every_event_is_a_row_of_the_page_and_every_row_an_event() -> None:
    rows = ROW.findall((SOURCE / "docs" / "audit.md").read_text())
    names = [name for name, *_ in rows]
    assert sorted(names) == sorted(event.value for event in Event)
    assert all(len(meaning) > 10 for _, meaning, *_ in rows)
