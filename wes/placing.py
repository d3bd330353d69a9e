"""Refuses input files that would lie where another file of the run lies, or a folder of it (T19)."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from strongroom.errors import BadRequest
from wes.laid import laid_files
from wes.manifest import Manifest


class Placed(Protocol):
    """An input file of a run: its slot, its name in the dataset, and its place in the work folder."""

    @property
    def slot(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...


def check_places(manifest: Manifest, chosen: Iterable[Placed], vetted: Path) -> None:
    """Raise `BadRequest` unless each file has a place of its own, beside those that `work` lays of the vetted folder.

    Below inputs/ each slot has one, and nothing is laid there.
    """
    places = {slot.name for slot in manifest.slots if slot.place}
    if not places:
        return
    files, folders = set(laid_files(vetted, manifest.work)), set[str]()
    for path in files:
        folders |= _above(path)
    for one in chosen:
        if one.slot in places and ("/" in one.name or one.name.startswith(".")):
            raise BadRequest(f"workflow_params.inputs.{one.slot}: a file whose name leads to another folder.")
        if one.path in files or one.path in folders or not files.isdisjoint(_above(one.path)):
            raise BadRequest(f"workflow_params.inputs.{one.slot}: a file that would lie where another one lies.")
        files.add(one.path)
        folders |= _above(one.path)


def _above(path: str) -> set[str]:
    return {str(one) for one in PurePosixPath(path).parents} - {"."}
