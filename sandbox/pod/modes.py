"""Opens up what a dead task closed to itself: `seal` is its owner, but not root."""

import os
import stat
from pathlib import Path, PurePosixPath

from sandbox.collect import DEEPEST
from sandbox.fields import WORK, is_below
from sandbox.pod.places import lies_at
from sandbox.spec import Spec


def open_up(spec: Spec) -> None:
    """Let outputs, and the folders on the way, be read, through no link; every process of the task must be dead."""
    for output in spec.outputs:
        top = next(top for top in (*spec.volumes, WORK) if is_below(output.path, top))
        path = Path(lies_at(top, spec.volumes))
        wanted = PurePosixPath(output.folder if output.wildcards else output.path)
        for part in wanted.relative_to(top).parts:
            path /= part
            if not _is_open(path):
                break
        else:
            _open_below(path, DEEPEST)


def _open_below(folder: Path, deep: int) -> None:
    if deep and not folder.is_symlink() and folder.is_dir():
        for path in folder.iterdir():
            if _is_open(path):
                _open_below(path, deep - 1)


def _is_open(path: Path) -> bool:
    """Say whether a file or folder can be read now."""
    try:
        found = path.lstat()
    except OSError:
        return False
    wanted = {stat.S_IFDIR: stat.S_IRWXU, stat.S_IFREG: stat.S_IRUSR}.get(stat.S_IFMT(found.st_mode))
    if wanted is None:
        return False
    if found.st_uid == os.geteuid() and found.st_mode & wanted != wanted:
        path.chmod(stat.S_IMODE(found.st_mode) | wanted)
    return True
