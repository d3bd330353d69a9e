"""Says where everything lies in a task's pod."""

# The volume `work` is memory, at /run in all containers: /run/work is the task's, its /tmp and its /dev/shm lie
# beside it. Its top belongs to the kubelet. An order names the folders that a command may write below, and Landlock
# holds it to them, so that only `stage` writes at the top. The volume `code` holds code folders, mounted read-only in
# executors.
#
# Three users. `stage` is `STAGE_UID`: inputs and code belong to it, for all to read and for nobody to write, in
# folders with the sticky bit, where a file is renamed and removed by its owner only. Executors and `seal` are the
# attempt's own uid, and see neither each other's processes nor each other's volumes: so `seal` reads what the task
# left. The volume `keys` is mounted in `stage` and `seal` alone.

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sandbox.fields import RUN, is_below

STAGE_UID: Final = 65532
VOLUME: Final = RUN
TMP: Final = "/tmp"  # noqa: S108 - the task's own
SHM: Final = "/dev/shm"  # noqa: S108 - the task's own
VOLUMES: Final = "volumes"  # below the volume: a folder for each of the task's own volumes, by number
OURS: Final = "/strongroom"
CONTROL: Final = f"{OURS}/control"  # of all executors; executors see it read-only
OWN: Final = f"{OURS}/own"  # an executor's own folder of it
KEYS: Final = f"{OURS}/keys"
CODE: Final = f"{OURS}/code"  # a folder for each of the spec's code mounts, by number
LAUNCHER: Final = f"{OURS}/launcher/launcher"
TOKEN: Final = f"{OURS}/token/token"
CA: Final = f"{OURS}/ca/ca.pem"
AUDIENCE: Final = "strongroom-broker"
LAST_WORDS: Final = 4.0  # seconds that `seal` still listens when the pod is asked to end


@dataclass(frozen=True)
class Site:
    """What a container of ours is told by its command line: nothing of it is secret."""

    attempt: str
    host: str  # of the door for nodes
    port: int
    launcher_sha256: str

    def words(self) -> str:
        """Return it as one word."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, words: str) -> "Site":
        """Return what `words` said."""
        return cls(**json.loads(words))


def lies_at(path: str, volumes: Sequence[str]) -> str:
    """Return where `stage` and `seal` find a path of the task: its volumes are mounted in executors only."""
    for number, volume in enumerate(volumes):
        if is_below(path, volume):
            return f"{VOLUME}/{VOLUMES}/{number}{path.removeprefix(volume)}"
    return path


def control_of(executor: int) -> str:
    """Return an executor's folder of the control volume."""
    return f"{CONTROL}/{executor}"
