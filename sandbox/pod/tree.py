"""Lays a task's inputs and code into the pod's memory, for the task to read and not to change."""

import contextlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from sandbox.fields import WORK, is_below
from sandbox.pod.places import VOLUME, VOLUMES, lies_at
from sandbox.spec import Spec

# The sticky bit: who may write here cannot remove or rename what belongs to others.
_SHARED: Final = 0o1777
_WRONG: Final = "A code folder of the task is not one that was signed."


class TreeError(Exception):
    """The task's tree cannot be laid; the sentence is safe to show."""


def make_folders(spec: Spec) -> None:
    """Make the task's own folders: the work folder, and those that its commands start in and write outputs to."""
    os.umask(0)
    _shared(Path(WORK))
    for number in range(len(spec.volumes)):  # the kubelet makes them for its mounts; whoever comes first
        Path(f"{VOLUME}/{VOLUMES}/{number}").mkdir(mode=0o777, parents=True, exist_ok=True)
    # A volume begins empty (TES 1.1): of what is written there the task makes the folders itself.
    wanted = [output.folder for output in spec.outputs if is_below(output.path, WORK)]
    for folder in (*wanted, *(executor.workdir for executor in spec.executors)):
        if any(is_below(folder, top) for top in (WORK, *spec.volumes)):
            _folders(PurePosixPath(lies_at(folder, spec.volumes)))


@contextlib.contextmanager
def laid(path: str, *, mtime: int) -> Iterator[io.FileIO]:
    """Open a new input; afterwards the task can read and not change it."""
    _folders(PurePosixPath(path).parent)
    with _made(path, mode=0o444) as file:
        yield file
    os.utime(path, (mtime, mtime))


def unpack(archive: BinaryIO, top: Path) -> None:
    """Unpack a code folder: plain files and folders, nothing else; raises `TreeError`."""
    top.mkdir(mode=0o755, exist_ok=True)  # the kubelet makes it for its mount; whoever comes first
    with tarfile.open(fileobj=archive, mode="r:") as packed:
        for member in packed:
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
                raise TreeError(_WRONG)
            if member.isdir():
                (top / name).mkdir(mode=0o755, parents=True, exist_ok=True)
                continue
            source = packed.extractfile(member)
            assert source is not None
            with _made(str(top / name), mode=0o555 if member.mode & stat.S_IXUSR else 0o444) as file:
                while piece := source.read(1 << 20):
                    write_all(file, memoryview(piece))


def write_all(file: io.FileIO, piece: memoryview) -> None:
    """Write a whole piece; raises `TreeError` when the memory is full."""
    try:
        while piece:
            piece = piece[file.write(piece) or 0 :]
    except OSError as error:
        raise TreeError("An input does not fit into the memory that the task was given.") from error


@contextlib.contextmanager
def _made(path: str, *, mode: int) -> Iterator[io.FileIO]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb", buffering=0) as file:
        yield file
        os.fchmod(fd, mode)


def _folders(folder: PurePosixPath) -> None:
    for part in reversed(
        [one for one in (folder, *folder.parents) if len(one.parts) > len(PurePosixPath(VOLUME).parts)]
    ):
        _shared(Path(part))


def _shared(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(_SHARED)
