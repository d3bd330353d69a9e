"""The facts that the archive's rules decide on, without any database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

COMPLETE = "complete"


@dataclass(frozen=True)
class Decision:
    """That a run of a vetted workflow may use these datasets for this person; `closed_as` says how it ended."""

    run: str
    person: str
    project: str
    workflow: str
    version: str
    workflow_digest: str
    envelope: Mapping[str, Any]
    images: Mapping[str, str]
    datasets: tuple[str, ...]
    policy_version: int
    created: datetime
    expires: datetime
    closed_at: datetime | None = None
    closed_as: str | None = None

    def is_open(self, moment: datetime) -> bool:
        """Say whether tasks may still be started on it."""
        return self.closed_at is None and moment < self.expires

    def is_complete(self) -> bool:
        """Say whether its run came to its good end."""
        return self.closed_as == COMPLETE


@dataclass(frozen=True)
class ObjectFacts:
    """What the broker signs of a stored object (T11): a header cannot be moved to another body, owner or version."""

    object: str
    purpose: str
    owner: str
    project: str | None
    run: str | None
    attempt: str | None
    kind: str
    role: str
    persons: tuple[str, ...]
    ancestors: tuple[str, ...]
    version: int
    size: int
    plaintext_hmac: str
    body_length: int
    body_sha256: str
    segments: int
    key_version: int
    header_sha256: str
    policy_version: int
    clear: str = ""  # the name under which its owner lets engines read it (T17)

    def statement(self) -> dict[str, Any]:
        """Return the JSON that is signed; of what is not clear it is what it was before there were marks."""
        said = {**vars(self), "persons": list(self.persons), "ancestors": list(self.ancestors)}
        if not self.clear:
            del said["clear"]
        return said


@dataclass(frozen=True)
class GrantFacts:
    """What the broker signs of a grant, so that what the attempt may register later cannot be edited (T11, T21)."""

    attempt: str
    kind: str
    decision: str
    project: str
    person: str
    persons: tuple[str, ...]
    ancestors: tuple[str, ...]
    recipient_purpose: str
    recipient_owner: str
    key_version: int
    signing_key: str
    policy_version: int
    expires: int

    def statement(self) -> dict[str, Any]:
        """Return the JSON that is signed."""
        return {**vars(self), "persons": list(self.persons), "ancestors": list(self.ancestors)}


@dataclass(frozen=True)
class DatasetFacts:
    """What the rules need to know of a dataset, as seen from one project."""

    dataset: str
    deleted: bool
    shared: bool
    ancestors: tuple[str, ...] = ()
