"""Lays inputs whole into memory before a task starts: those whose reading must not show, and small ones."""

from pathlib import Path

from sandbox import mounts
from sandbox.inputs import Bodies
from sandbox.mounts import MountError, Stage

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


def _lay(bodies: Bodies, number: int, place: Stage) -> None:
    body = bodies.bodies[number]
    with mounts.laid(place, body.path, mtime=body.mtime) as file:

        def write(piece: memoryview) -> None:
            try:
                while piece:
                    piece = piece[file.write(piece) or 0 :]
            except OSError as error:
                raise MountError("An input does not fit into this node's memory.") from error

        bodies.read_whole(number, write)


def _check_memory(size: int) -> None:
    if size <= _UNASKED:
        return
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    if size > int(facts["MemAvailable"].removesuffix("kB")) * 1024 - _UNASKED:
        raise MountError("This node has too little free memory for an input that must be read whole.")
