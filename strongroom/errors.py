"""Says what went wrong: a safe sentence for the person, a detail for the log."""


class StrongroomError(Exception):
    """A refusal or failure whose first argument may be shown to anyone; `detail` goes to the log alone."""

    status = 400

    def __init__(self, sentence: str, *, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail


class BadRequest(StrongroomError):
    """The request itself is wrong; the sentence names the field and the cure (400)."""


class NotSignedIn(StrongroomError):
    """Nobody known is asking (401)."""

    status = 401


class StepUpNeeded(NotSignedIn):
    """Somebody known has to show a second factor again; RFC 9470 says how a client learns of it (401)."""

    def __init__(self, sentence: str, *, seconds: int) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class NotAllowed(StrongroomError):
    """Somebody known is asking for what is not theirs (403)."""

    status = 403


class NotFound(StrongroomError):
    """There is no such thing, or it is not the asker's to know of (404)."""

    status = 404


class Conflict(StrongroomError):
    """The thing is not in a state that allows this (409)."""

    status = 409


class TooLarge(StrongroomError):
    """More bytes than are taken (413)."""

    status = 413


class Unavailable(StrongroomError):
    """A part of Strongroom that is needed does not answer (503)."""

    status = 503


class TooMany(StrongroomError):
    """Somebody known asks too often; `seconds` says when to come again (429)."""

    status = 429

    def __init__(self, sentence: str, *, seconds: int, detail: str = "") -> None:
        super().__init__(sentence, detail=detail)
        self.seconds = seconds
