"""Names a folder of files by its content (T23): paths, modes, sizes and bytes, and no links."""

import hashlib
import os
import stat
from pathlib import Path

from strongroom.canonical import canonical
from strongroom.errors import BadRequest

MOST_FILES = 2_000
MOST_BYTES = 64 << 20


def folder_digest(folder: Path) -> str:
    """Return `sha256:…` of every file below `folder`; links and special files are refused."""
    return "sha256:" + hashlib.sha256(canonical(listing(folder))).hexdigest()


def listing(folder: Path) -> list[dict[str, str | int]]:
    """Return what the digest covers: path, executable or not, size and SHA-256 of each file, sorted by path."""
    rows: list[dict[str, str | int]] = []
    total = 0
    for top, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*files, *(f for f in folders if (Path(top) / f).is_symlink())]):
            path = Path(top) / name
            relative = path.relative_to(folder).as_posix()
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise BadRequest(f"{relative}: a workflow folder holds plain files only, no links.")
            total += found.st_size
            if len(rows) >= MOST_FILES or total > MOST_BYTES:
                raise BadRequest(f"A workflow folder holds at most {MOST_FILES} files and {MOST_BYTES >> 20} MiB.")
            rows.append(
                {
                    "path": relative,
                    "executable": int(bool(found.st_mode & 0o100)),
                    "size": found.st_size,
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                }
            )
    return sorted(rows, key=lambda row: str(row["path"]))
