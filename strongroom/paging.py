"""Makes page tokens and reads back its own: where a list goes on, for the same caller and the same filter only."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from strongroom.canonical import digest
from strongroom.errors import BadRequest

_SHOWN = 32  # hexadecimal digits of the digest: enough to notice a mistake; a token gives no right to anything


def token(last: str, *, caller: str, listing: Mapping[str, Any]) -> str:
    """Return the token of the page after the row with the id `last`; `listing` names the list and its filter.

    A token holds an id that its page showed already, and no count of rows: those of others are nobody's business.
    """
    return base64.urlsafe_b64encode(json.dumps([last, _bound(caller, listing)]).encode()).decode()


def last_of(given: str, *, caller: str, listing: Mapping[str, Any]) -> str:
    """Return the id in a token that was made for this caller and this list; raise `BadRequest` for any other.

    The list goes on after that row if it is in the list at all: who asks must look.
    """
    try:
        last, bound = json.loads(base64.b64decode(given, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise refused() from error
    if not isinstance(last, str) or not last.isalnum() or bound != _bound(caller, listing):
        raise refused()
    return last


def refused() -> BadRequest:
    """Return what is said of a token that does not belong to the list."""
    return BadRequest(
        "page_token: not a token of this list, or of another caller or filter; leave it out to start again."
    )


def _bound(caller: str, listing: Mapping[str, Any]) -> str:
    return digest({"caller": caller, "listing": dict(listing)})[:_SHOWN]
