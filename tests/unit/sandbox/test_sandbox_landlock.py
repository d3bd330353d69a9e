"""What is asked of Landlock is what its version knows; rules on files are never among it."""

import struct

import pytest
from first_lab import become, python

from sandbox import landlock
from sandbox.plan import Plan

BIND = "import socket; socket.create_server(('127.0.0.1', 0))"


@pytest.mark.parametrize(
    ("version", "loopback", "asked"),
    [
        (0, False, ()),
        (3, False, ()),
        (4, False, (0, 3)),
        (4, True, ()),
        (5, False, (0, 3)),
        (6, False, (0, 3, 3)),
        (6, True, (0, 0, 3)),
        (99, False, (0, 3, 3)),
    ],
)
def test_only_what_a_version_knows_is_asked(version: int, loopback: bool, asked: tuple[int, ...]) -> None:
    found = landlock.rules(version, loopback=loopback)
    assert found == struct.pack(f"{len(asked)}Q", *asked)


def test_it_holds_a_process_for_ever() -> None:
    assert landlock.version() >= landlock.NETWORK_SINCE, "this test needs a kernel with Landlock: Linux 6.7"

    def restricted(plan: Plan) -> None:
        landlock.restrict(plan, loopback=False)
        landlock.restrict(plan, loopback=True)  # a second set of rules loosens nothing

    assert "PermissionError" in become(python(BIND), restricted).said
    assert become(python(BIND)).said == ""


def test_a_kernel_without_it_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    plan = Plan()
    landlock.restrict(plan, loopback=False)
    assert not plan.steps
