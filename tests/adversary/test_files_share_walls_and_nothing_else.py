"""Small files are checked behind shared walls, a child each (T27): what one does to its child, no other tells."""

import shutil
from pathlib import Path

import pytest

from airlock.checks.answer import Answer
from airlock.policy import FLOOR
from strongroom.cli import check_walls
from strongroom.cli.check_walls import Asked, ask

SMALL, GOOD = "band,n\na,2\nb,70\n", "band,n\na,50\nb,70\n"
TAKEN_OVER = """

_honest = answer_to


def answer_to(work):
    import os
    if b"taken,over" in (work / "subject").read_bytes():
        parent = os.getppid()
        {attack}
        os._exit(0)
    return _honest(work)
"""
FORGED = Answer("check", FLOOR.version, "csv", ()).as_bytes()
FRAME = f"1 {len(FORGED)}\n".encode() + FORGED
ATTACKS = {
    "its-parent-is-killed": "os.kill(parent, 9)",
    "everybody-is-killed": "os.kill(-1, 9)",
    "later-files-are-changed": "(work.parent / '1' / 'subject').write_text('band,n\\na,50\\nb,70\\n')",
    "later-requests-are-changed": "(work.parent / '1' / 'request.json').unlink()",
    "a-link-for-a-later-file": "(work.parent / '9').symlink_to('/')",
    "the-parents-memory": "open(f'/proc/{parent}/mem', 'r+b').close(); os.kill(parent, 9)",
    "the-parents-answers": f"os.write(os.open(f'/proc/{{parent}}/fd/1', 1), {FRAME!r}); os.kill(parent, 9)",
    "its-own-output": f"os.write(1, {FRAME!r})",
    "a-grandchild-that-stays": "\n        while not os.fork(): os.setsid(); os.kill(-1, 9)",
    "more-than-an-answer": "\n        for number in range(3, 200): os.write(number, bytes(1 << 20))",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_t27_who_takes_over_a_check_changes_no_other_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str
) -> None:
    code = tmp_path / "checks"
    shutil.copytree(check_walls.CODE, code)
    with (code / "jail.py").open("a") as jail:
        jail.write(TAKEN_OVER.replace("{attack}", ATTACKS[attack]))
    monkeypatch.setattr(check_walls, "CODE", code)
    asked = []
    for name, content in {"0.csv": "taken,over\n1,2\n", "1.csv": SMALL, "2.csv": GOOD}.items():
        (tmp_path / name).write_text(content)
        asked.append(Asked(name, tmp_path / name))
    assert check_walls.walls().firm
    answers = ask(asked, policy=FLOOR, walls=check_walls.walls())
    assert [answer["verdict"] for answer in answers] == ["block", "block", "pass"]
    assert [[finding["code"] for finding in answer["findings"]] for answer in answers] == [
        ["inspection-failed"],
        ["small-count"],
        [],
    ]


@pytest.mark.parametrize("reach", ["open('/proc/{}/mem')", "open('/proc/{}/maps')", "os.readlink('/proc/{}/fd/1')"])
def test_t27_a_check_that_is_taken_over_sees_nothing_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reach: str
) -> None:
    code = tmp_path / "checks"
    shutil.copytree(check_walls.CODE, code)
    # It would leave the honest answer if it could look, and leaves none.
    attack = reach.replace("'/proc/{}", "f'/proc/{parent}") + "; return _honest(work)"
    with (code / "jail.py").open("a") as jail:
        jail.write(TAKEN_OVER.replace("{attack}", attack))
    monkeypatch.setattr(check_walls, "CODE", code)
    (tmp_path / "0.csv").write_text("taken,over\n1,2\n")
    (answer,) = ask([Asked("0.csv", tmp_path / "0.csv")], policy=FLOOR, walls=check_walls.walls())
    assert [finding["code"] for finding in answer["findings"]] == ["inspection-failed"]
