"""Small files are checked behind shared walls, each within its own (T27): who takes one over changes no other."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from airlock.checks.answer import Answer
from airlock.policy import FLOOR
from strongroom.cli import check_walls
from strongroom.cli.check_walls import Asked, Walls, ask

SMALL, GOOD = "band,n\na,2\nb,70\n", "band,n\na,50\nb,70\n"
TAKEN_OVER = """

_honest = answer_to


def answer_to(work):
    import ctypes, os
    if b"taken,over" in (work / "subject").read_bytes():
        {attack}
        os._exit(0)
    return _honest(work)
"""
FORGED = Answer("check", FLOOR.version, "csv", ()).as_bytes()
FRAME = f"1 {len(FORGED)}\n".encode() + FORGED
BARE = "ctypes.CDLL(None).umount2(b'/run/work', 2); ctypes.CDLL(None).umount2(b'/proc', 2); "
ATTACKS = {
    "everybody-is-killed": "os.kill(-1, 9)",
    "its-group-is-killed": "os.killpg(0, 9)",
    "later-files-are-changed": BARE + "open('/run/work/1/subject', 'w').write('band,n\\na,50\\nb,70\\n')",
    "later-requests-are-changed": BARE + "os.unlink('/run/work/1/request.json')",
    "walls-are-built-anew": "ctypes.CDLL(None).unshare(0x10020000); " + BARE + "os.kill(-1, 9)",
    "the-parents-answers": BARE
    + f"[os.write(os.open(f'/proc/{{pid}}/fd/1', 1), {FRAME!r}) for pid in range(1, 9)]; os.kill(-1, 9)",
    "its-own-output": f"os.write(1, {FRAME!r})",
    "a-grandchild-that-stays": "\n        while not os.fork(): os.setsid(); os.kill(-1, 9)",
    "more-than-an-answer": "\n        for number in range(3, 200): os.write(number, bytes(1 << 20))",
}
SEEN = {
    "processes": "os.listdir('/proc')[0]",
    "the-parents-memory": "open('/proc/1/mem', 'rb')",
    "other-files": "open('/run/work/1/subject', 'rb')",
    "other-files-below": BARE + "open('/run/work/1/subject', 'rb')",
    "a-network": "__import__('socket').create_connection(('127.0.0.1', 1), 1)",
    "a-disk-to-write-to": "open('/run/work/left', 'w')",
}


def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str) -> list[dict[str, Any]]:
    """Return the answers about a file whose check is taken over, a bad one and a good one behind the same walls."""
    walls = check_walls.walls()
    assert walls == Walls(firm=True, nested=True)
    code = tmp_path / "checks"
    shutil.copytree(check_walls.CODE, code)
    with (code / "jail.py").open("a") as jail:
        jail.write(TAKEN_OVER.replace("{attack}", attack))
    monkeypatch.setattr(check_walls, "CODE", code)
    asked = []
    for name, content in {"0.csv": "taken,over\n1,2\n", "1.csv": SMALL, "2.csv": GOOD}.items():
        (tmp_path / name).write_text(content)
        asked.append(Asked(name, tmp_path / name))
    return ask(asked, policy=FLOOR, walls=walls)


def codes(answer: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in answer["findings"]]


@pytest.mark.parametrize("attack", ATTACKS)
def test_t27_who_takes_over_a_check_changes_no_other_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str
) -> None:
    answers = judged(tmp_path, monkeypatch, ATTACKS[attack])
    assert [answer["verdict"] for answer in answers] == ["block", "block", "pass"]
    assert [codes(answer) for answer in answers] == [["inspection-failed"], ["small-count"], []]


@pytest.mark.parametrize("seen", SEEN)
def test_t27_a_check_that_is_taken_over_sees_its_own_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: str
) -> None:
    # It leaves a good answer if it could look, and none if not.
    assert codes(judged(tmp_path, monkeypatch, SEEN[seen] + "; return None, Answer('check', 1, 'csv', ())")[0]) == [
        "inspection-failed"
    ]


def test_a_check_that_does_no_harm_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above would see if a wall had a hole."""
    assert (
        codes(
            judged(tmp_path, monkeypatch, "os.listdir('/run/work')[0]; return None, Answer('check', 1, 'csv', ())")[0]
        )
        == []
    )
