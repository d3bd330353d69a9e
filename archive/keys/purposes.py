"""Decides which key serves which purpose: no key ever serves two (T12)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class Purpose(StrEnum):
    """What a key is for."""

    STORE = "store"  # one a dataset
    RUN = "run"  # one a run, for all its task outputs
    AIRLOCK = "airlock"  # one a project, for the clean copies that intake made
    QUARANTINE = "quarantine"  # one an ingress, for what was brought in and waits for two votes
    HMAC = "hmac"  # one beside each of the others: names plaintext digests (T8)


class Kind(StrEnum):
    """What a work order is for (decision 13)."""

    TASK = "task"
    CHECK = "check"
    VIEW = "view"
    REPACK = "repack"
    MEMBERS = "members"  # reads the list of a cohort's members, and leaves nothing (T7)


UPLOAD = "upload"  # how an object came that no attempt made


class Role(StrEnum):
    """What an object was to the attempt that made it; only an output, such as a clean copy, can ever be released."""

    OUTPUT = "output"
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True)
class KeyName:
    """Which key: its purpose and whose it is (a dataset, a run or a project)."""

    purpose: Purpose
    owner: str

    def beside(self) -> "KeyName":
        """Return the name of the HMAC key that belongs to the same owner."""
        return KeyName(Purpose.HMAC, f"{self.purpose.value}:{self.owner}")


def recipient_of(kind: Kind, *, run: str, project: str) -> KeyName:
    """Return the key that everything an attempt of this kind writes is sealed to."""
    match kind:
        case Kind.TASK:
            return KeyName(Purpose.RUN, run)
        case Kind.REPACK | Kind.CHECK | Kind.VIEW | Kind.MEMBERS:
            return KeyName(Purpose.AIRLOCK, project)
        case _:
            assert_never(kind)


def seal_context(name: KeyName, version: int) -> bytes:
    """Return what a sealed key is bound to, so that a row of the database cannot be passed off as another."""
    return "|".join((name.purpose.value, name.owner, str(version))).encode()
