"""Where bodies are kept is said in full or refused, and no secret stands in the settings."""

from pathlib import Path
from typing import Any

import pytest

from strongroom.objects import open_store
from strongroom.settings import Settings, SettingsRefused, load

GOOD: dict[str, Any] = {
    "endpoint": "https://s3.example.org",
    "bucket": "bodies",
    "access_key": "AK",
    "secret_key_file": "/run/secret",
}


def _settings(tmp_path: Path, *, mode: str = "embedded", **changes: Any) -> Settings:
    said = {**GOOD, **changes}
    lines = [f'mode = "{mode}"', f'home = "{tmp_path}"', "[objects]", 'store = "s3"', "[objects.s3]"]
    lines += [f"{name} = {value!r}" for name, value in said.items() if value is not None]
    file = tmp_path / "settings.toml"
    file.write_text("\n".join(lines))
    return load(file)


def test_bodies_are_kept_in_a_folder_unless_somebody_says_otherwise() -> None:
    assert Settings().objects.store == "folder"


def test_a_bucket_that_is_said_in_full_is_taken(tmp_path: Path) -> None:
    found = _settings(tmp_path, mode="production", prefix="a/b.c/").objects
    assert (found.store, found.s3.prefix, found.s3.addressing) == ("s3", "a/b.c/", "path")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": "http://s3.example.org"}, "endpoint"),
        ({"endpoint": "https://key:secret@s3.example.org"}, "endpoint"),
        ({"endpoint": "https://s3.example.org/path"}, "endpoint"),
        ({"endpoint": "https://s3.example.org?x=y"}, "endpoint"),
        ({"bucket": None}, "bucket"),
        ({"bucket": "Bodies/.."}, "bucket"),
        ({"prefix": "no-slash"}, "prefix"),
        ({"prefix": "../"}, "prefix"),
        ({"access_key": None}, "access_key"),
        ({"secret_key_file": None}, "secret_key_file"),
        ({"secret_key": "x"}, "secret_key"),
        ({"addressing": "other"}, "addressing"),
        ({"url_seconds": 86400}, "url_seconds"),
        ({"part_bytes": 1024}, "part_bytes"),
    ],
)
def test_a_bucket_that_is_not_said_in_full_is_refused(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsRefused, match=field):
        _settings(tmp_path, **changes)


def test_plain_http_is_for_loopback_and_never_for_production(tmp_path: Path) -> None:
    assert _settings(tmp_path, endpoint="http://127.0.0.1:9000").objects.store == "s3"
    with pytest.raises(SettingsRefused, match="https in production"):
        _settings(tmp_path, endpoint="http://127.0.0.1:9000", mode="production")


def test_a_secret_that_cannot_be_read_is_said_without_its_place(tmp_path: Path) -> None:
    settings = _settings(tmp_path, secret_key_file=str(tmp_path / "none"))
    with pytest.raises(Exception, match="key cannot be read") as refused:
        open_store(settings)
    assert str(tmp_path) not in str(refused.value)
