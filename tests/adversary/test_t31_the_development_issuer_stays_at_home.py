"""T31: tokens of the development issuer count on a loopback bind with an explicit flag, and nowhere else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.errors import NotSignedIn, StrongroomError
from strongroom.identity import make_development_issuer, mint_token, person_of, trusted_issuers
from strongroom.projects import Role
from strongroom.settings import Settings, SettingsRefused, load

ON = "[identity]\ndevelopment_issuer = true\n"
LOAD = "from strongroom.settings import load; load(); print('loaded')"
BINDS = [
    "0.0.0.0",
    "::",
    "192.0.2.7",
    "2001:db8::1",
    "strongroom.example",
    "",
    "127.0.0.1.example",
    "localhost.",
    "*",
]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STRONGROOM_")]:
        monkeypatch.delenv(name)


def _file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "strongroom.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("host", BINDS)
def test_t31_any_other_bind_refuses_to_start(tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsRefused, match="loopback"):
        load(_file(tmp_path, f'[http]\nhost = "{host}"\n{ON}'))
    monkeypatch.setenv("STRONGROOM_HTTP__HOST", host)
    with pytest.raises(SettingsRefused, match="loopback"):
        load(_file(tmp_path, ON))
    with pytest.raises(SettingsRefused, match="loopback"):
        load()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_t31_a_loopback_bind_is_accepted(tmp_path: Path, host: str) -> None:
    assert load(_file(tmp_path, f'[http]\nhost = "{host}"\n{ON}')).identity.development_issuer


def test_t31_production_refuses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsRefused, match="production"):
        load(_file(tmp_path, f'mode = "production"\n{ON}'))
    monkeypatch.setenv("STRONGROOM_MODE", "production")
    with pytest.raises(SettingsRefused, match="production"):
        load()


def test_t31_a_variable_cannot_turn_it_on_for_another_bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_IDENTITY__DEVELOPMENT_ISSUER", "true")
    with pytest.raises(SettingsRefused, match="loopback"):
        load(_file(tmp_path, '[http]\nhost = "0.0.0.0"\n'))
    with pytest.raises(SettingsRefused, match="production"):
        load(_file(tmp_path, 'mode = "production"\n'))


def test_t31_a_file_that_does_not_ask_for_it_has_it_off(tmp_path: Path) -> None:
    assert not load(_file(tmp_path, "")).identity.development_issuer
    assert not load(_file(tmp_path, '[http]\nhost = "0.0.0.0"\n')).identity.development_issuer
    assert not Settings().identity.development_issuer


def test_t31_a_real_process_refuses_too(tmp_path: Path) -> None:
    environment = {**os.environ, "STRONGROOM_HOME": str(tmp_path)}
    command = [sys.executable, "-c", LOAD]
    good = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert good.stdout == "loaded\n", good.stderr
    environment["STRONGROOM_HTTP__HOST"] = "0.0.0.0"
    bad = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert bad.returncode != 0
    assert "loopback" in bad.stderr
    assert bad.stdout == ""


def test_t31_a_token_made_in_development_is_nobody_s_where_the_flag_is_off(tmp_path: Path) -> None:
    at_home = Settings(home=tmp_path, identity={"development_issuer": True})
    make_development_issuer(at_home)
    bearer = mint_token(at_home, "alice")
    assert person_of(bearer, trusted_issuers(at_home)).id == "alice@development"
    for elsewhere in (Settings(home=tmp_path), Settings(home=tmp_path, mode="production")):
        assert trusted_issuers(elsewhere) == ()
        with pytest.raises(NotSignedIn):
            person_of(bearer, trusted_issuers(elsewhere))
        with pytest.raises(NotSignedIn):
            mint_token(elsewhere, "alice")


def test_t31_another_home_s_development_tokens_are_nobody_s(tmp_path: Path) -> None:
    ours = Settings(home=tmp_path / "ours", identity={"development_issuer": True})
    theirs = Settings(home=tmp_path / "theirs", identity={"development_issuer": True})
    for settings in (ours, theirs):
        make_development_issuer(settings)
    with pytest.raises(NotSignedIn):
        person_of(mint_token(theirs, "alice"), trusted_issuers(ours))


def test_t31_a_configured_issuer_cannot_speak_for_the_development_issuer(tmp_path: Path) -> None:
    from joserfc.jwk import ECKey

    at_home = Settings(home=tmp_path, identity={"development_issuer": True})
    make_development_issuer(at_home)
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))
    issuer = {"name": "home", "issuer": "https://issuer.example", "audience": "strongroom", "jwks_file": keys}
    production = Settings(home=tmp_path, mode="production", identity={"issuers": [issuer]})
    with pytest.raises(NotSignedIn):
        person_of(mint_token(at_home, "alice"), trusted_issuers(production))


@pytest.mark.parametrize("names", [["development"], ["home", "home"], ["Home"], ["a@b"], [""]])
def test_t31_an_issuer_cannot_take_the_development_issuer_s_name_or_another_s(names: list[str]) -> None:
    issuers = [{"name": n, "issuer": f"https://{n}", "audience": "x", "jwks_file": Path("/x")} for n in names]
    with pytest.raises(ValueError, match="name"):
        Settings(identity={"issuers": issuers})


@pytest.mark.parametrize("identity", [{}, {"development_issuer": False}])
def test_t31_the_token_command_makes_nothing_where_the_flag_is_off(tmp_path: Path, identity: dict[str, bool]) -> None:
    from strongroom.cli.token import issue

    settings = Settings(home=tmp_path / "home", mode="production", identity=identity)
    with pytest.raises(StrongroomError, match="OIDC"):
        issue(settings, "alice", role=Role.OPERATOR, project=None)
    assert not settings.home.exists()
