"""Decides what a well-formed work order is, and whether one may still be redeemed (pure)."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archive.keys.purposes import Kind
from strongroom.errors import BadRequest, NotAllowed

ORDER_TYPE = "application/vnd.strongroom.order+json"
LIFE_SECONDS = 60
SKEW_SECONDS = 5
MOST_OBJECTS = 20_000
MOST_IMAGES = 16
_ID = re.compile(r"[0-9a-f]{32}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_IMAGE = re.compile(r"sha256:[0-9a-f]{64}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class OrderRefused(NotAllowed):
    """The work order is not one that keys may be given for."""


@dataclass(frozen=True)
class Asking:
    """What the dispatcher asks an order for: one attempt, bound to its one-time key and to its spec (T22)."""

    attempt: str
    kind: Kind
    decision: str
    project: str
    person: str
    objects: tuple[str, ...]
    images: tuple[str, ...]
    spec_sha256: str
    public_key: str
    signing_key: str

    def statement(self) -> dict[str, Any]:
        """Return the JSON of it."""
        return {
            "attempt": self.attempt,
            "kind": self.kind.value,
            "decision": self.decision,
            "project": self.project,
            "person": self.person,
            "objects": list(self.objects),
            "images": list(self.images),
            "spec_sha256": self.spec_sha256,
            "public_key": self.public_key,
            "signing_key": self.signing_key,
        }


@dataclass(frozen=True)
class Order:
    """A work order as it was signed; `issued` and `expires` are seconds since 1970."""

    asking: Asking
    jti: str
    issued: int
    expires: int

    def statement(self) -> dict[str, Any]:
        """Return the JSON that the signer signs."""
        return {**self.asking.statement(), "jti": self.jti, "issued": self.issued, "expires": self.expires}


def parse_asking(facts: Mapping[str, Any]) -> Asking:
    """Return what is asked for, or name the field that is wrong; a field that is not known is refused."""
    names = {"attempt", "kind", "decision", "project", "person", "objects", "images", "spec_sha256"}
    names |= {"public_key", "signing_key"}
    if set(facts) != names:
        raise BadRequest(f"An order is asked for with exactly: {', '.join(sorted(names))}.")
    try:
        kind = Kind(facts["kind"])
    except ValueError as error:
        raise BadRequest("kind: task, check, view, repack or members.") from error
    person = facts["person"]
    if not isinstance(person, str) or not 0 < len(person) <= 200:
        raise BadRequest("person: who the attempt works for.")
    return Asking(
        attempt=_text(facts, "attempt", _ID),
        kind=kind,
        decision=_text(facts, "decision", _ID),
        project=_text(facts, "project", _PROJECT),
        person=person,
        objects=_objects(facts["objects"]),
        images=_images(facts["images"]),
        spec_sha256=_text(facts, "spec_sha256", _HEX64),
        public_key=key_text(facts["public_key"], "public_key: an X25519 key in base64."),
        signing_key=key_text(facts["signing_key"], "signing_key: an Ed25519 key in base64."),
    )


def parse_order(facts: Any) -> Order:
    """Return the order inside an envelope whose signature was verified."""
    if not isinstance(facts, dict):
        raise OrderRefused("This work order cannot be read.")
    rest = dict(facts)
    jti, issued, expires = (rest.pop(name, None) for name in ("jti", "issued", "expires"))
    if not isinstance(jti, str) or not _ID.fullmatch(jti) or type(issued) is not int or type(expires) is not int:
        raise OrderRefused("This work order has no number or no times.")
    try:
        return Order(parse_asking(rest), jti, issued, expires)
    except BadRequest as error:
        raise OrderRefused("This work order cannot be read.", detail=error.sentence) from error


def check_fresh(order: Order, moment: float) -> None:
    """Raise `OrderRefused` unless the order is in its 60 seconds."""
    if order.expires - order.issued > LIFE_SECONDS:
        raise OrderRefused("This work order claims a longer life than any may have.")
    if moment < order.issued - SKEW_SECONDS:
        raise OrderRefused("This work order is from the future; check the clocks.")
    if moment >= order.expires:
        raise OrderRefused("This work order has expired; the task gets another attempt.")


def key_text(value: Any, wanted: str) -> str:
    """Return a base64 public key of 32 bytes in its one spelling; raise `BadRequest` with the sentence `wanted`."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (TypeError, ValueError) as error:
        raise BadRequest(wanted) from error
    if len(raw) != 32 or not any(raw):
        raise BadRequest(wanted)
    return base64.b64encode(raw).decode()


def object_id(value: Any, field: str = "object") -> str:
    """Return an object's id."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadRequest(f"{field}: an object's id is 32 hexadecimal digits.")
    return value


def _objects(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MOST_OBJECTS:
        raise BadRequest(f"objects: a list of at most {MOST_OBJECTS} ids.")
    found = tuple(object_id(one, "objects") for one in value)
    return tuple(dict.fromkeys(found))  # one object may be an input under two paths


def _images(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_IMAGES:
        raise BadRequest(f"images: a list of 1 to {MOST_IMAGES} digests.")
    if not all(isinstance(one, str) and _IMAGE.fullmatch(one) for one in value):
        raise BadRequest("images: each is named by its digest.")
    return tuple(value)


def _text(facts: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = facts[name]
    if not isinstance(value, str) or not form.fullmatch(value):
        raise BadRequest(f"{name}: not of the form that it has here.")
    return value
