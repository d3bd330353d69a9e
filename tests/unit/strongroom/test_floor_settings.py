"""Settings come from a file and the environment, are refused when unknown, and never move the development issuer."""

from pathlib import Path

import pytest

from strongroom.settings import SettingsRefused, load


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("STRONGROOM_")]:
        monkeypatch.delenv(name)


def _file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "strongroom.toml"
    file.write_text(text)
    return file


def test_without_a_file_the_embedded_default_listens_on_loopback_with_the_development_issuer() -> None:
    settings = load()
    assert (settings.mode, settings.http.host, settings.identity.development_issuer) == (
        "embedded",
        "127.0.0.1",
        True,
    )
    assert settings.home.is_absolute()


def test_with_a_file_the_development_issuer_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert not load(_file(tmp_path, "")).identity.development_issuer
    assert load(_file(tmp_path, "[identity]\ndevelopment_issuer = true\n")).identity.development_issuer


def test_variables_win_over_the_file_and_leave_the_rest_of_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _file(tmp_path, '[http]\nport = 9000\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("STRONGROOM_HTTP__PORT", "9001")
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path / "elsewhere"))
    settings = load(file)
    assert (settings.http.port, settings.http.host) == (9001, "127.0.0.2")
    assert settings.home == tmp_path / "elsewhere"


def test_a_file_may_be_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_CONFIG", str(_file(tmp_path, "[airlock]\nmin_count = 9\n")))
    assert load().airlock.min_count == 9


@pytest.mark.parametrize(
    "text",
    [
        'hom = "x"\n',
        "[http]\nprot = 1\n",
        "[vetting]\nsignatures = 1\n",
        '[http]\nport = "many"\n',
        '[http]\norigins = ["*"]\n',
        '[http]\norigins = ["null"]\n',
        '[http]\norigins = ["https://portal.example.org/page"]\n',
        'mode = "test"\n',
        "not toml",
    ],
)
def test_what_is_unknown_or_too_weak_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsRefused):
        load(_file(tmp_path, text))


def test_an_unknown_variable_of_a_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_AIRLOCK__MIN_COUNTS", "1")
    with pytest.raises(SettingsRefused, match="min_counts"):
        load()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="cannot be read"):
        load(tmp_path / "nothing.toml")


def test_settings_do_not_change_once_read() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.http.port = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.mode = "production"


def test_every_setting_says_what_it_is_for() -> None:
    from pydantic import BaseModel

    from strongroom.settings import Settings

    def silent(model: type[BaseModel], path: str) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found += silent(kind, f"{path}{name}.")
            elif not field.description:
                found.append(f"{path}{name}")
        return found

    assert silent(Settings, "") == []
