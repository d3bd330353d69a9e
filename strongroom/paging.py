"""Makes and reads page tokens: where a list goes on, for the same caller and the same filter only."""

import base64
import json

from strongroom.canonical import digest
from strongroom.errors import BadRequest

_SHOWN = 16  # hexadecimal digits of the digest: enough to notice a mistake; a token gives no right to anything


def token(at: int, **of: object) -> str:
    """Return the token that goes on after row `at` of the list which `of` describes: its caller and its filter."""
    return base64.urlsafe_b64encode(json.dumps({"at": at, "of": digest(of)[:_SHOWN]}).encode()).decode()


def place(given: str, **of: object) -> int:
    """Return where a token goes on, or raise `BadRequest` when it is none of this list."""
    try:
        found = json.loads(base64.b64decode(given, altchars=b"-_", validate=True))
        at, known = found["at"], found["of"] == digest(of)[:_SHOWN]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequest("page_token: not a token of this list; leave it out to start again.") from error
    if type(at) is not int or not 0 <= at < 1 << 62:
        raise BadRequest("page_token: not a token of this list; leave it out to start again.")
    if not known:
        raise BadRequest("page_token: it belongs to another caller or filter; leave it out to start again.")
    return at
