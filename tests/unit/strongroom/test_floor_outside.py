"""Where our words may go: listed hosts, over https, at open addresses; and when an issuer is asked for its keys."""

import ipaddress
import socket
from typing import Any

import pytest

from strongroom import outside
from strongroom.discovery import IssuerKeys, published
from strongroom.errors import BadRequest, NotAllowed, StrongroomError, Unavailable
from strongroom.outside import check_listed, is_public, parse_place, resolved


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "s3://bucket/key",
        "ftp://host.example/x",
        "//host.example/x",
        "https:///x",
        "https://user@host.example/x",
        "https://user:word@host.example/x",
        "https://host.example\\@evil.example/x",
        "https://host.example/x#fragment",
        "https://host.example:99999/x",
        "https://host.example:x/",
        "https://host.example/a b",
        "https://host.example/a\r\nHost: evil",
        "https://höst.example/x",
        "https://[::1]/x",
        "https://host_name.example/x",
        "https://host.example./x",
        "https://host.example/" + "x" * 5000,
    ],
)
def test_an_ambiguous_url_is_refused(url: str) -> None:
    with pytest.raises(BadRequest, match=r"^outputs\[0\]\.url: "):
        parse_place(url, "outputs[0].url")


def test_a_presigned_url_is_shown_without_its_right() -> None:
    place = parse_place("https://Host.example/bucket/key?X-Amz-Signature=secret", "url")
    assert (place.name, place.target) == ("host.example:443", "/bucket/key?X-Amz-Signature=secret")
    assert place.shown == "https://host.example:443/bucket/key?…"


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://out.example/x", True),
        ("https://OUT.example/x", True),
        ("https://out.example:443/x", True),
        ("https://other.example:8443/x", True),
        ("http://lab.example:8080/x", True),
        ("http://out.example/x", False),
        ("http://out.example:443/x", False),
        ("https://out.example:8443/x", False),
        ("https://sub.out.example/x", False),
        ("https://out.example.evil.example/x", False),
        ("https://evil.example/out.example", False),
        ("https://192.0.2.1/x", False),
    ],
)
def test_only_listed_hosts_and_ports_are_spoken_to(url: str, good: bool) -> None:
    listed = {"allowed": ("out.example", "other.example:8443", "lab.example:8080"), "unsafe": ("lab.example:8080",)}
    if good:
        check_listed(parse_place(url, "url"), field="url", **listed)
    else:
        with pytest.raises(BadRequest, match=r"^url: "):
            check_listed(parse_place(url, "url"), field="url", **listed)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),
        *((one, False) for one in ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254")),
        *((one, False) for one in ("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1")),
        *((one, False) for one in ("::", "::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1")),
        *((one, False) for one in ("64:ff9b::7f00:1", "64:ff9b:1::808:808", "2002:7f00:1::", "2001:db8::1")),
    ],
)
def test_an_address_inside_is_never_public(address: str, good: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is good


def answers(*addresses: str) -> Any:
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in addresses]


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    place = parse_place("https://out.example/x", "url")
    monkeypatch.setattr(outside.socket, "getaddrinfo", answers("8.8.8.8"))
    assert str(resolved(place, unsafe=())) == "8.8.8.8"
    monkeypatch.setattr(outside.socket, "getaddrinfo", answers("8.8.8.8", "10.0.0.1"))
    with pytest.raises(NotAllowed, match="not of the open internet"):
        resolved(place, unsafe=())
    assert str(resolved(place, unsafe=("out.example:443",))) == "8.8.8.8"


class Clock:
    """A time that the test moves, and an issuer that counts who looks."""

    def __init__(self) -> None:
        self.moment, self.looks, self.keys, self.up = 0.0, 0, ["one"], True

    def get(self, _issuer: str) -> tuple[dict[str, Any], ...]:
        self.looks += 1
        if not self.up:
            raise Unavailable("down")
        return tuple({"kid": kid} for kid in self.keys)

    def cache(self) -> IssuerKeys:
        return IssuerKeys(floor=30, life=3600, get=self.get, clock=lambda: self.moment)


def test_keys_are_looked_for_when_strange_or_old_and_never_more_often_than_the_floor() -> None:
    clock = Clock()
    keys = clock.cache()
    for kid, moment, looks in (
        ("one", 0, 1),
        ("one", 5, 1),
        ("two", 10, 1),
        ("two", 29, 1),
        ("two", 31, 2),
        ("two", 32, 2),
        ("three", 40, 2),
        ("one", 3000, 2),
        ("one", 3632, 3),
    ):
        clock.moment = moment
        keys.of("issuer", kid)
        assert clock.looks == looks, (kid, moment)


def test_a_new_key_is_found_and_a_withdrawn_one_dies_with_an_issuer_that_is_down() -> None:
    clock = Clock()
    keys = clock.cache()
    keys.of("issuer", "one")
    clock.keys, clock.moment = ["two"], 31.0
    assert keys.of("issuer", "two") == ({"kid": "two"},)
    clock.up, clock.moment = False, 31.0 + 3601
    assert keys.of("issuer", "two") == ({"kid": "two"},)
    clock.moment = 31.0 + 7201
    with pytest.raises(Unavailable):
        keys.of("issuer", "two")


EC = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "kid": "1"}
ISSUER = "https://issuer.example"
ABOUT = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}


def publishing(monkeypatch: pytest.MonkeyPatch, about: Any, keys: Any) -> None:
    documents = {f"{ISSUER}/.well-known/openid-configuration": about, f"{ISSUER}/jwks": keys}
    monkeypatch.setattr(outside, "get_json", lambda url, *, loopback: documents[url])


@pytest.mark.parametrize(
    ("about", "keys"),
    [
        ([], {"keys": [EC]}),
        ({**ABOUT, "issuer": "https://other.example"}, {"keys": [EC]}),
        ({"issuer": ISSUER}, {"keys": [EC]}),
        (ABOUT, {"keys": {}}),
        (ABOUT, {"keys": []}),
        (ABOUT, {"keys": [{"kty": "oct", "k": "secret", "kid": "1"}]}),
        (ABOUT, {"keys": [{**EC, "crv": "P-384"}]}),
        (ABOUT, {"keys": [{**EC, "use": "enc"}]}),
        (ABOUT, {"keys": [{**EC, "alg": "HS256"}]}),
        (ABOUT, {"keys": [{"kty": "RSA", "n": "A" * 100, "e": "AQAB"}]}),
        (ABOUT, {"keys": [EC] * 65}),
    ],
)
def test_documents_that_are_not_an_issuers_own_give_no_keys(
    monkeypatch: pytest.MonkeyPatch, about: Any, keys: Any
) -> None:
    publishing(monkeypatch, about, keys)
    with pytest.raises(Unavailable):
        published(ISSUER)


def test_a_good_issuers_keys_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    publishing(monkeypatch, ABOUT, {"keys": [EC, {"kty": "oct", "k": "secret"}]})
    assert published(ISSUER) == (EC,)


@pytest.mark.parametrize("url", ["http://issuer.example/x", "http://127.0.0.1:1/x", "file:///etc/passwd"])
def test_keys_come_over_https_alone(url: str) -> None:
    with pytest.raises(StrongroomError):
        outside.get_json(url, loopback=False)
