"""What the delivery of a released file is, and how it may move."""

from enum import StrEnum
from typing import Final

from strongroom.states import Steps


class DeliveryState(StrEnum):
    """How far a file is on its way to a URL outside."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


S = DeliveryState
STEPS: Final[Steps[DeliveryState]] = {
    # FAILED: the release ended, or was called back, before the place took the file.
    S.WAITING: frozenset({S.DELIVERED, S.FAILED}),
    S.DELIVERED: frozenset(),
    S.FAILED: frozenset(),
}
