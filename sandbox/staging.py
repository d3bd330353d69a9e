"""Lays inputs whole into memory before a task starts: those whose reading must not show, and small ones."""

import io
from functools import partial
from pathlib import Path

from sandbox import mounts
from sandbox.inputs import Bodies
from sandbox.mounts import MountError, Stage
from sandbox.spec import Outside, Spec

_UNASKED = 64 << 20  # so much memory every node has


def stage(bodies: Bodies, place: Stage, *, most: int) -> frozenset[int]:
    """Decrypt and prove inputs, in order; return their numbers. Raises `BodyError` and `MountError`.

    An input that says so is always staged (T32: the storage sees one sequential read of it, whatever the task does).
    All others are when together they are no larger than `most` bytes: then there is no view to mount.
    """
    together = sum(body.size for body in bodies.bodies)
    chosen = [number for number, body in enumerate(bodies.bodies) if body.whole or together <= most]
    if chosen:
        size = sum(bodies.bodies[number].size for number in chosen)
        _check_memory(size)
        mounts.make_room(place, size=size, files=len(chosen))
    for number in chosen:
        _lay(bodies, number, place)
    return frozenset(chosen)


def fetch(spec: Spec, place: Stage, private_key: bytes) -> int:
    """Fetch inputs of other sites into memory; return how many there were. Raises `BodyError` and `MountError`."""
    wanted = [given for given in spec.inputs if isinstance(given, Outside)]
    if spec.outside is None or not wanted:
        return 0
    from sandbox import far, outside  # each fork pays for what is loaded

    size = sum(given.most for given in wanted)
    _check_memory(size)
    mounts.make_room(place, size=size, files=len(wanted))
    ask = far.asking(spec.outside)
    for given in wanted:
        with mounts.laid(place, given.path, mtime=given.mtime) as file:
            write = partial(_write, file)
            outside.fetch(ask, given.number, most=given.most, private_key=private_key, write=write)
    return len(wanted)


def _write(file: io.FileIO, piece: memoryview) -> None:
    try:
        while piece:
            piece = piece[file.write(piece) or 0 :]
    except OSError as error:
        raise MountError("An input does not fit into this node's memory.") from error


def _lay(bodies: Bodies, number: int, place: Stage) -> None:
    body = bodies.bodies[number]
    with mounts.laid(place, body.path, mtime=body.mtime) as file:
        bodies.read_whole(number, partial(_write, file))


def _check_memory(size: int) -> None:
    if size <= _UNASKED:
        return
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    if size > int(facts["MemAvailable"].removesuffix("kB")) * 1024 - _UNASKED:
        raise MountError("This node has too little free memory for an input that must be read whole.")
