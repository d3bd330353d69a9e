"""A token proves a person only with an accepted algorithm, issuer, audience, time and key."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from strongroom.errors import NotSignedIn
from strongroom.identity import (
    DEVELOPMENT_AUDIENCE,
    DEVELOPMENT_ISSUER,
    MOST_TOKENS,
    Person,
    TrustedIssuer,
    make_development_issuer,
    mint_token,
    person_of,
    trusted_issuers,
)
from strongroom.settings import Settings

KEY = ECKey.generate_key("P-256", private=True)
FOREIGN = ECKey.generate_key("P-256", private=True)
RSA = RSAKey.generate_key(2048, private=True)
PUBLIC = ECKey.import_key(KEY.as_dict(private=False))
RSA_PUBLIC = RSAKey.import_key(RSA.as_dict(private=False))
TRUSTED = (
    TrustedIssuer("home", "https://issuer.example", "strongroom", KeySet([PUBLIC])),
    TrustedIssuer("rsa", "https://rsa.example", "strongroom", KeySet([RSA_PUBLIC])),
)


def _claims(**changed: Any) -> dict[str, Any]:
    moment = int(time.time())
    claims = {
        "iss": "https://issuer.example",
        "aud": "strongroom",
        "sub": "alice",
        "iat": moment,
        "exp": moment + 600,
        **changed,
    }
    return {name: value for name, value in claims.items() if value is not None}


def _token(key: ECKey | RSAKey = KEY, *, header: dict[str, Any] | None = None, **changed: Any) -> str:
    return jwt.encode({"alg": "ES256", **(header or {})}, _claims(**changed), key)


def _raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    return ".".join([part(json.dumps(header).encode()), part(json.dumps(claims).encode()), part(signature)])


def test_a_good_token_is_its_subject_at_its_issuer() -> None:
    assert person_of(_token(), TRUSTED) == Person("alice@home")
    assert person_of(jwt.encode({"alg": "RS256"}, _claims(iss="https://rsa.example"), RSA), TRUSTED) == Person(
        "alice@rsa"
    )


def test_an_audience_may_be_one_of_several() -> None:
    assert person_of(_token(aud=["other", "strongroom"]), TRUSTED) == Person("alice@home")


REFUSED: dict[str, str] = {
    "algorithm none": _raw({"alg": "none"}, _claims()),
    "algorithm None with a signature": _raw({"alg": "None"}, _claims(), b"x"),
    "no signature": _token().rsplit(".", 1)[0] + ".",
    "no algorithm": _raw({}, _claims()),
    "foreign key": _token(FOREIGN),
    "embedded key": _token(FOREIGN, header={"jwk": FOREIGN.as_dict(private=False)}),
    "key address": _token(FOREIGN, header={"jku": "https://evil.example/keys"}),
    "wrong audience": _token(aud="another"),
    "wrong audiences": _token(aud=["another", "third"]),
    "no audience": _token(aud=None),
    "wrong issuer": _token(iss="https://evil.example"),
    "issuer of another key": _token(iss="https://rsa.example"),
    "no issuer": _token(iss=None),
    "expired": _token(exp=int(time.time()) - 60),
    "no end": _token(exp=None),
    "end in words": _token(exp="tomorrow"),
    "not yet valid": _token(nbf=int(time.time()) + 600),
    "no subject": _token(sub=None),
    "empty subject": _token(sub=""),
    "long subject": _token(sub="a" * 121),
    "subject that names an issuer": _token(sub="root@rsa"),
    "subject that is a number": _token(sub=7),
    "subject with a line break": _token(sub="alice\nroot"),
    "subject with a space": _token(sub="alice root"),
    "not a token": "words",
    "empty": "",
    "three dots": "...",
    "five parts": ".".join(["e30"] * 5),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_is_not_proved_now_is_nobody(case: str) -> None:
    with pytest.raises(NotSignedIn):
        person_of(REFUSED[case], TRUSTED)


def test_a_public_key_is_no_shared_secret() -> None:
    # The classic confusion: HS256 with the issuer's public key as the secret.
    for secret in (PUBLIC.as_pem(), json.dumps(PUBLIC.as_dict(private=False)).encode(), RSA_PUBLIC.as_pem()):
        import hmac
        from hashlib import sha256

        unsigned = _raw({"alg": "HS256"}, _claims()).rsplit(".", 1)[0]
        mac = base64.urlsafe_b64encode(hmac.digest(secret, unsigned.encode(), sha256)).rstrip(b"=").decode()
        with pytest.raises(NotSignedIn):
            person_of(f"{unsigned}.{mac}", TRUSTED)
    with pytest.raises(NotSignedIn):
        person_of(jwt.encode({"alg": "HS256"}, _claims(), OctKey.generate_key(256)), TRUSTED)


def test_a_changed_claim_breaks_the_signature() -> None:
    header, _, signature = _token().split(".")
    body = base64.urlsafe_b64encode(json.dumps(_claims(sub="root")).encode()).rstrip(b"=").decode()
    with pytest.raises(NotSignedIn):
        person_of(f"{header}.{body}.{signature}", TRUSTED)


def test_without_issuers_everybody_is_nobody() -> None:
    with pytest.raises(NotSignedIn):
        person_of(_token(), ())


def _home(tmp_path: Path, **identity: Any) -> Settings:
    return Settings(home=tmp_path, identity={"development_issuer": True, **identity})


def test_the_development_issuer_s_private_key_is_its_owner_s_alone_and_made_once(tmp_path: Path) -> None:
    settings = _home(tmp_path)
    made = make_development_issuer(settings)
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600, 0o644]
    assert "d" not in json.loads(made[1].read_text())
    before = [path.read_bytes() for path in made]
    assert make_development_issuer(settings) == ()
    assert [path.read_bytes() for path in made] == before
    made[1].unlink()
    assert make_development_issuer(settings) == (made[1],)
    assert person_of(mint_token(settings, "alice"), trusted_issuers(settings)) == Person("alice@development")


def test_a_minted_token_says_who_and_never_what(tmp_path: Path) -> None:
    settings = _home(tmp_path, token_seconds=90)
    make_development_issuer(settings)
    body = mint_token(settings, "alice").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "jti"}
    assert (claims["iss"], claims["aud"], claims["sub"]) == (DEVELOPMENT_ISSUER, DEVELOPMENT_AUDIENCE, "alice")
    assert claims["exp"] - claims["iat"] == 90


def test_configured_issuers_are_read_from_their_key_files(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    issuer = {"name": "home", "issuer": "https://issuer.example", "audience": "strongroom", "jwks_file": file}
    settings = Settings(home=tmp_path, identity={"issuers": [issuer]})
    assert person_of(_token(), trusted_issuers(settings)) == Person("alice@home")


def test_a_token_that_was_good_once_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    token, moment = _token(), time.time()
    assert person_of(token, TRUSTED) == Person("alice@home")
    monkeypatch.setattr(time, "time", lambda: moment + 3600)
    with pytest.raises(NotSignedIn):
        person_of(token, TRUSTED)


def test_what_is_remembered_of_tokens_is_bounded_and_holds_none() -> None:
    issuer = TrustedIssuer("home", "https://issuer.example", "strongroom", KeySet([PUBLIC]))
    tokens = [_token(jti=str(number)) for number in range(3)]
    for token in tokens * 2:
        assert person_of(token, (issuer,)) == Person("alice@home")
    assert len(issuer.signed) == 3
    assert not any(token.encode() in str(issuer.signed).encode() for token in tokens)
    with pytest.raises(NotSignedIn):
        person_of(tokens[0][:-4] + "AAAA", (issuer,))
    issuer.signed.update({bytes([n // 256, n % 256]): {} for n in range(MOST_TOKENS)})
    assert person_of(_token(jti="next"), (issuer,)) == Person("alice@home")
    assert len(issuer.signed) == 1
