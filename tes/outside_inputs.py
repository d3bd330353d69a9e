"""Decides where an input of another site is fetched: from listed hosts, at an address that was looked at (T29)."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import quote

from strongroom import outside
from strongroom.doors import Message
from strongroom.errors import BadRequest, NotAllowed, StrongroomError
from strongroom.networks import FederatedClient, Federation
from strongroom.outside import Place
from strongroom.settings import Settings

SCHEMES: Final = ("https://", "http://", "s3://", "drs://")
_DRS: Final = re.compile(r"drs://([a-z0-9][a-z0-9.-]{0,251}(?::[1-9][0-9]{0,4})?)/([A-Za-z0-9._~-]{1,200})")
_S3: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([!-\[\]-~]{1,1024})")
_HEADER: Final = re.compile(r"(Authorization|X-[A-Za-z0-9-]{1,60}|Cookie): ([ -~]{1,4096})")
_ACCESS_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,200}")
_DIGESTS: Final = {"sha-256": ("sha256", 64), "sha256": ("sha256", 64), "md5": ("md5", 32)}
_HAVE: Final = "have files from"


def is_outside(url: str, ours: Collection[str]) -> bool:
    """Say whether a URL names a file of another site."""
    drs = _DRS.match(url)
    return url.startswith(SCHEMES) and not (drs is not None and drs[1] in ours)


def check_input(url: str, field: str, client: FederatedClient, federation: Federation) -> None:
    """Raise `BadRequest` unless the client may name this file; nothing is asked of anybody yet."""
    _listed(_place(url, field, federation), client, federation, field)


def place_of(settings: Settings, given: Mapping[str, Any], location: str | None) -> Message:
    """Return where an input is fetched from now: a URL, the address of its host, and what must come.

    `location` is where the other site points; it is held against the same list, and told no more than its own URL.
    """
    federation = settings.federation
    client = next((one for one in federation.clients if one.name == given["client"]), None)
    if client is None:
        raise NotAllowed("This client is not served any more.")
    answer: Message = {"seconds": federation.input_seconds}
    if location is not None:
        place = _pointed(location, client, federation)
    else:
        place = _place(str(given["outside"]), "inputs", federation)
        _listed(place, client, federation, "inputs")
        if str(given["outside"]).startswith("drs://"):
            place, more = _by_drs(place, client, federation)
            answer |= more
    address = outside.resolved(place, unsafe=federation.unsafe_hosts)
    return {**answer, "url": place.url, "address": str(address)}


def _place(url: str, field: str, federation: Federation) -> Place:
    if (drs := _DRS.fullmatch(url)) is not None:
        scheme = "http" if drs[1] in federation.unsafe_hosts else "https"
        return outside.parse_place(f"{scheme}://{drs[1]}/ga4gh/drs/v1/objects/{drs[2]}", field)
    if (s3 := _S3.fullmatch(url)) is not None:
        return outside.parse_place(f"{federation.s3_endpoint}/{s3[1]}/{quote(s3[2])}", field)
    if not url.startswith(("https://", "http://")):
        raise BadRequest(f"{field}: https://HOST/PATH, drs://HOST/OBJECT or s3://BUCKET/KEY.")
    return outside.parse_place(url, field)


def _listed(place: Place, client: FederatedClient, federation: Federation, field: str) -> None:
    outside.check_listed(place, allowed=client.input_hosts, unsafe=federation.unsafe_hosts, field=field, may=_HAVE)


def _pointed(location: str, client: FederatedClient, federation: Federation) -> Place:
    try:
        place = outside.parse_place(location, "inputs")
        _listed(place, client, federation, "inputs")
    except BadRequest as error:
        # Where it points is the other site's word, and may hold anything.
        raise NotAllowed("An input's site points to a host that is not listed for this client.") from error
    return place


def _by_drs(place: Place, client: FederatedClient, federation: Federation) -> tuple[Place, Message]:
    """Ask the other site's DRS for the object, and for its access URL (DRS 1.2 and later)."""
    said = _asked(place, federation)
    answer: Message = {}
    if type(said.get("size")) is int and said["size"] >= 0:
        answer["size"] = said["size"]
    for one in _list(said.get("checksums")):
        name, length = _DIGESTS.get(str(one.get("type")).lower(), ("", 0))
        if name and re.fullmatch(f"[0-9A-Fa-f]{{{length}}}", str(one.get("checksum"))):
            answer[name] = str(one["checksum"]).lower()
    for method in _list(said.get("access_methods")):
        access, identifier = method.get("access_url"), method.get("access_id")
        if method.get("type") not in ("https", "s3"):
            continue
        if not isinstance(access, dict) and isinstance(identifier, str) and _ACCESS_ID.fullmatch(identifier):
            below = outside.parse_place(f"{place.url}/access/{identifier}", "inputs")
            access = _asked(below, federation)
        if isinstance(access, dict) and isinstance(access.get("url"), str):
            answer["headers"] = _headers(access.get("headers"))
            return _pointed(_https(access["url"], federation), client, federation), answer
    raise NotAllowed("An input's site names no way of access that is known here (https, s3).")


def _asked(place: Place, federation: Federation) -> dict[str, Any]:
    try:
        address = outside.resolved(place, unsafe=federation.unsafe_hosts)
        status, said = outside.ask_json("GET", place, address, token=None)
    except StrongroomError as error:
        raise NotAllowed("An input's site does not answer.", detail=error.detail) from error
    if status != 200 or not isinstance(said, dict):
        raise NotAllowed("An input's site does not give this object out.", detail=str(status))
    return said


def _https(url: str, federation: Federation) -> str:
    s3 = _S3.fullmatch(url)
    return url if s3 is None else f"{federation.s3_endpoint}/{s3[1]}/{quote(s3[2])}"


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)][:50] if isinstance(value, list) else []


def _headers(value: Any) -> dict[str, str]:
    """Return the headers that an access URL wants; they go to that URL's host alone."""
    found = [_HEADER.fullmatch(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []
    return {one[1]: one[2] for one in found[:10] if one is not None}
