"""Speaks HTTP with hosts outside: at an address that was looked at, and never on to where a redirect points."""

import ipaddress
import json
import re
import socket
import ssl
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from strongroom.errors import BadRequest, NotAllowed, Unavailable

LONGEST_URL = 4096
LARGEST_JSON = 256 << 10
JSON_SECONDS = 5.0
SITE_SECONDS = 30.0
_PLAIN = re.compile(r"[!-\[\]-~]+")  # visible ASCII without the backslash, which clients read in different ways
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Place:
    """Where something is sent: a URL in its parts; `target` is path and query, as they are sent."""

    url: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def name(self) -> str:
        """Return HOST:PORT, as lists of allowed hosts have it."""
        return f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """Return the URL without its query: a presigned one carries a right in it."""
        path, question, _ = self.target.partition("?")
        return f"{self.scheme}://{self.name}{path}{'?…' if question else ''}"


def parse_place(url: str, field: str) -> Place:
    """Return the parts of an http or https URL; raise `BadRequest` naming `field` for anything ambiguous."""
    if len(url) > LONGEST_URL or not _PLAIN.fullmatch(url):
        raise BadRequest(f"{field}: a URL of at most {LONGEST_URL} plain ASCII characters.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError as error:
        raise BadRequest(f"{field}: not a URL.") from error
    if parts.scheme not in ("https", "http") or not _NAME.fullmatch(host):
        raise BadRequest(f"{field}: https://HOST/PATH; a presigned URL if it is an object store's.")
    if "@" in parts.netloc or "#" in url:
        raise BadRequest(f"{field}: without a user name, a password or a fragment.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(url, parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target)


def check_listed(
    place: Place, *, allowed: Collection[str], unsafe: Collection[str], field: str, may: str = "deliver to"
) -> None:
    """Raise unless the place is on the list and speaks https; `unsafe` hosts may speak plain http (T29)."""
    listed = {host if ":" in host else f"{host}:443" for host in allowed}
    if place.name not in listed:
        raise BadRequest(f"{field}: the host {place.name} is not one that this client may {may}; ask the operator.")
    if place.scheme != "https" and place.name not in unsafe:
        raise BadRequest(f"{field}: https only.")


def is_public(address: Address) -> bool:
    """Say whether an address is one of the open internet, also when it stands inside of another one."""
    if address in _NAT64_LOCAL:
        return False
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: Address) -> Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def resolved(place: Place, *, unsafe: Collection[str]) -> Address:
    """Return an address of the place; raise unless every one that its name has is public, or its host is `unsafe`.

    Whoever connects uses this very address: a name that is asked again may say something else (T29).
    """
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"The name {place.host} has no address now.", detail=str(error)) from error
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if place.name not in unsafe and not all(is_public(one) for one in addresses):
        raise NotAllowed(f"The name {place.host} has an address that is not of the open internet.")
    return addresses[0]


def put(
    place: Place,
    address: Address,
    *,
    chunks: Iterator[bytes],
    length: int,
    seconds: float,
    more: Mapping[str, str] | None = None,
) -> int:
    """Send `length` bytes by PUT to this address under the place's name; return the status of the answer."""
    headers = {
        "Host": _host(place),
        "Content-Length": str(length),
        "Content-Type": "application/octet-stream",
        **(more or {}),
    }
    end = time.monotonic() + seconds
    with _client(min(30.0, seconds)) as client:
        request = client.build_request(
            "PUT",
            _at(place, address),
            content=_in_time(chunks, end),
            headers=headers,
            extensions={"sni_hostname": place.host},
        )
        try:
            answer = client.send(request, stream=True)
            answer.close()
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise Unavailable(f"{place.name} did not take the file.", detail=type(error).__name__) from error
    return answer.status_code


def ask_json(
    method: str,
    place: Place,
    address: Address,
    *,
    token: str | None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    """Return status and JSON of another site's answer; a token goes to this very address and nowhere else."""
    said = {
        "Host": _host(place),
        **({} if token is None else {"Authorization": f"Bearer {token}"}),
        "Accept-Encoding": "identity",
        **(headers or {}),
    }
    try:
        with (
            _client(SITE_SECONDS) as client,
            client.stream(
                method, _at(place, address), json=body, headers=said, extensions={"sni_hostname": place.host}
            ) as answer,
        ):
            return answer.status_code, json.loads(_small(answer, SITE_SECONDS) or b"null")
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError, RecursionError) as error:
        raise Unavailable(
            "The other site does not answer.", detail=f"{place.shown}: {type(error).__name__}"
        ) from error


def _at(place: Place, address: Address) -> str:
    at = f"[{address}]" if address.version == 6 else str(address)
    return f"{place.scheme}://{at}:{place.port}{place.target}"


def _host(place: Place) -> str:
    return place.host if place.port == (443 if place.scheme == "https" else 80) else place.name


def _small(answer: httpx.Response, seconds: float) -> bytes:
    end, raw = time.monotonic() + seconds, b""
    for piece in answer.iter_raw():
        raw += piece
        if len(raw) > LARGEST_JSON or time.monotonic() > end:
            raise Unavailable("This address answers too much or too slowly.")
    return raw


def get_json(url: str, *, loopback: bool) -> Any:
    """Return the JSON behind a URL of https (or of loopback, if so allowed), within bounds and without redirects."""
    place = parse_place(url, "url")
    if place.scheme != "https" and not (loopback and _is_loopback(place.host)):
        raise Unavailable("This address is not asked: it is neither https nor loopback.", detail=place.shown)
    try:
        with (
            _client(JSON_SECONDS) as client,
            client.stream(
                "GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity"}
            ) as answer,
        ):
            if answer.status_code != 200 or "content-encoding" in answer.headers:
                raise Unavailable("This address did not answer as it should.", detail=str(answer.status_code))
            return json.loads(_small(answer, JSON_SECONDS))
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError, RecursionError) as error:
        raise Unavailable("This address does not answer.", detail=f"{place.shown}: {type(error).__name__}") from error


def _client(seconds: float) -> httpx.Client:
    return httpx.Client(
        verify=ssl.create_default_context(), trust_env=False, follow_redirects=False, timeout=httpx.Timeout(seconds)
    )


def _in_time(chunks: Iterator[bytes], end: float) -> Iterator[bytes]:
    for chunk in chunks:
        if time.monotonic() > end:
            raise OSError("the time for this delivery is over")
        yield chunk


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
