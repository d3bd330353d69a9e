"""Says where a list goes on: page tokens for one caller and filter, tags of a filter, and the end of a prefix."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.canonical import digest
from strongroom.errors import BadRequest

MOST_ASKED = 16  # tags in one filter
_LAST_LETTER, _SURROGATES = 0x10FFFF, range(0xD800, 0xE000)
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


def zipped(keys: Sequence[str], values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the tags of `tag_key` and `tag_value`, or raise `BadRequest` when they do not fit together.

    A key without a value takes any (TES 1.1, GET /tasks).
    """
    if len(values) > len(keys):
        raise BadRequest("tag_value: more values than tag_key has keys.")
    if len(keys) > MOST_ASKED or len(set(keys)) != len(keys):
        raise BadRequest(f"tag_key: each key once, and at most {MOST_ASKED}.")
    return tuple(zip(keys, [*values, *[""] * (len(keys) - len(values))], strict=True))


def after_all_with(prefix: str) -> str | None:
    """Return the first text after all that begin with `prefix`, letter by letter; None when nothing comes after."""
    while prefix and ord(prefix[-1]) == _LAST_LETTER:
        prefix = prefix[:-1]
    if not prefix:
        return None
    following = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def _bound(caller: str, listing: Mapping[str, Any]) -> str:
    return digest({"caller": caller, "listing": dict(listing)})[:_SHOWN]
