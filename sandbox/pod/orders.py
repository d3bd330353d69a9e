"""Writes what a launcher is told of one executor, as docs/launcher.md has it (pure)."""

import re
from collections.abc import Iterable
from typing import Final

from sandbox.fields import WORK
from sandbox.pod.places import SHM, TMP, control_of
from sandbox.spec import Spec
from sandbox.steps import environment

_RESERVED: Final = re.compile(r"(LD|STRONGROOM)_.*")  # T26; of a task's own they are refused, an image may have some


def order_of(spec: Spec, number: int, *, deadline: int) -> bytes:
    """Return the order of executor `number`; `deadline` is milliseconds of CLOCK_MONOTONIC."""
    executor = spec.executors[number]
    fields = [
        *(("arg", word) for word in executor.command),
        *(
            ("env", f"{name}={value}")
            for name, value in environment(executor).items()
            if not _RESERVED.fullmatch(name)
        ),
        *(("below", folder) for folder in (WORK, TMP, SHM, *spec.volumes)),
        ("workdir", executor.workdir),
        ("deadline", deadline),
        ("log_bytes", spec.limits.log_bytes),
        ("file_bytes", spec.limits.scratch_bytes),
        ("ignore_error", int(executor.ignore_error)),
    ]
    if number:
        fields.append(("after", f"{control_of(number - 1)}/ended"))
    streams = {"stdin": executor.stdin, "stdout": executor.stdout, "stderr": executor.stderr}
    fields += [(name, path) for name, path in streams.items() if path is not None]
    return _whole(f"{name}={value}" for name, value in fields)


def _whole(fields: Iterable[str]) -> bytes:
    return "".join(f"{field}\0" for field in ("strongroom order 1", *fields, "end")).encode()
