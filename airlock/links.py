"""Signs the expiring links by which released files are fetched."""

import hashlib
import hmac
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from strongroom.canonical import canonical
from strongroom.errors import NotAllowed, StrongroomError, Unavailable
from strongroom.settings import Settings


class Gone(StrongroomError):
    """What the link led to has expired or was called back (410)."""

    status = 410


def make_secret(settings: Settings) -> tuple[Path, ...]:
    """Make the secret (0600) that links are signed with, if there is none; return the files that were made."""
    file = _file(settings)
    if file.exists():
        return ()
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as out:
        out.write(secrets.token_bytes(32))
    return (file,)


def read_secret(settings: Settings) -> bytes:
    """Return the secret; without one no link is signed or believed."""
    try:
        secret = _file(settings).read_bytes()
    except OSError as error:
        raise Unavailable("Download links are not set up; start `strongroom serve` once.") from error
    if len(secret) < 32:
        raise Unavailable("Download links are not set up; ask the operator.")
    return secret


def sign(secret: bytes, *, request: str, file: str, expires: int) -> str:
    """Return the signature (hex) of one file's link that ends at `expires` (unix seconds)."""
    message = canonical({"request": request, "file": file, "expires": expires})
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def check(secret: bytes, signature: str, *, request: str, file: str, expires: int, moment: datetime) -> None:
    """Raise `NotAllowed` for a link that we did not sign, `Gone` for one whose time is up."""
    good = sign(secret, request=request, file=file, expires=expires)
    if not hmac.compare_digest(good.encode(), signature.encode()):
        raise NotAllowed("This link is not valid; take the one that your release request shows.")
    if moment >= datetime.fromtimestamp(expires, UTC):
        raise Gone("This link has expired; ask for the files again with a new request.")


def _file(settings: Settings) -> Path:
    return settings.home / "keys" / "links"
