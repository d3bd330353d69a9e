"""Reads the fields of a JSON object strictly: every field has a type, and none is left over."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

RUN = "/run"
WORK = "/run/work"
TAKEN = (RUN, "/proc", "/dev")  # what the walls themselves put there
LONGEST_PATH = 1024
MOST_ENTRIES = 100_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
T = TypeVar("T")


class SpecError(ValueError):
    """This spec is refused; the sentence names the field and holds no value of it."""


def check_path(path: str, where: str) -> None:
    """Raise `SpecError` unless the path is absolute and says plainly where it leads."""
    parts = path.split("/")
    if parts[0] or not parts[1:] or _CONTROL.search(path) or len(path.encode()) > LONGEST_PATH:
        raise SpecError(f"{where}: a path is not absolute, too long, or holds control characters.")
    if any(part in {"", ".", ".."} or len(part.encode()) > 255 for part in parts[1:]):
        raise SpecError(f"{where}: a path holds an empty, `.`, `..` or too long part.")


def is_below(path: str, folder: str) -> bool:
    """Say whether a plain path is this folder, or lies below it."""
    return f"{path}/".startswith(f"{folder}/")


class Fields:
    """One JSON object while it is read: what is left in it at the end is unknown, and refused."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise SpecError(f"{where}: not an object.")
        self.where = where
        self._left: dict[str, Any] = dict(value)

    def has(self, name: str) -> bool:
        """Say whether the field is there."""
        return name in self._left

    def end(self) -> None:
        """Refuse what nobody has read."""
        if self._left:
            raise SpecError(f"{self.where}: it holds a field that is unknown or does not belong there.")

    def text(self, name: str) -> str:
        """Return a text."""
        return self._string(self._take(name), name)

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        """Return a text of this form."""
        value = self.text(name)
        if not pattern.fullmatch(value):
            raise SpecError(f"{self.where}.{name}: not of the right form.")
        return value

    def choice(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of these values."""
        value = self._take(name)
        if value not in choices:
            raise SpecError(f"{self.where}.{name}: one of {', '.join(choices)}.")
        return value

    def flag(self, name: str) -> bool:
        """Return a yes or no; a field that is not there says no."""
        value = self._left.pop(name, False)
        if type(value) is not bool:
            raise SpecError(f"{self.where}.{name}: true or false.")
        return value

    def integer(self, name: str, *, low: int = 0, high: int = 2**63) -> int:
        """Return a whole number."""
        value = self._take(name)
        if type(value) is not int or not low <= value <= high:
            raise SpecError(f"{self.where}.{name}: a whole number from {low} to {high}.")
        return value

    def number(self, name: str, *, high: float) -> float:
        """Return a number above 0."""
        value = self._take(name)
        if type(value) not in (int, float) or not 0 < value <= high:
            raise SpecError(f"{self.where}.{name}: a number above 0, at most {high}.")
        return float(value)

    def amount(self, name: str, *, high: float) -> float:
        """Return a number from 0 on."""
        value = self._take(name)
        if type(value) not in (int, float) or not 0 <= value <= high:
            raise SpecError(f"{self.where}.{name}: a number from 0 to {high}.")
        return float(value)

    def base64(self, name: str) -> bytes:
        """Return the bytes of a base64 text."""
        try:
            return base64.b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError) as error:
            raise SpecError(f"{self.where}.{name}: not base64.") from error

    def key(self, name: str) -> bytes:
        """Return a public key of 32 bytes."""
        value = self.base64(name)
        if len(value) != 32:
            raise SpecError(f"{self.where}.{name}: a public key of 32 bytes.")
        return value

    def host_path(self, name: str) -> Path:
        """Return an absolute path of the host."""
        value = self.text(name)
        check_path(value, f"{self.where}.{name}")
        return Path(value)

    def task_path(self, name: str) -> str:
        """Return a path inside the task."""
        value = self.text(name)
        check_path(value, f"{self.where}.{name}")
        return value

    def work_path(self, name: str) -> str:
        """Return a path below the task's work folder."""
        value = self.task_path(name)
        if not value.startswith(f"{WORK}/"):
            raise SpecError(f"{self.where}.{name}: a path of a task lies below {WORK}.")
        return value

    def folder(self, name: str) -> str:
        """Return a folder as the task will see it."""
        value = self.text(name)
        if value != "/":
            check_path(value, f"{self.where}.{name}")
        return value

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return None for null, else what `read` makes of the field."""
        if self._left.get(name, ...) is None:
            self._left.pop(name)
            return None
        return read(name)

    def object(self, name: str) -> "Fields":
        """Return an object."""
        return Fields(self._take(name), name)

    def objects(self, name: str) -> "list[Fields]":
        """Return a list of objects."""
        return [Fields(value, name) for value in self._list(name)]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        return [self._string(value, name) for value in self._list(name)]

    def mapping(self, name: str) -> Mapping[str, str]:
        """Return an object of texts."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise SpecError(f"{self.where}.{name}: not an object.")
        return {key: self._string(text, name) for key, text in value.items()}

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise SpecError(f"{self.where}.{name}: missing.")
        return self._left.pop(name)

    def _list(self, name: str) -> list[Any]:
        value = self._take(name)
        if not isinstance(value, list) or len(value) > MOST_ENTRIES:
            raise SpecError(f"{self.where}.{name}: not a list, or too long.")
        return value

    def _string(self, value: Any, name: str) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise SpecError(f"{self.where}.{name}: not a text.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise SpecError(f"{self.where}.{name}: not a text.") from error
        return value
