"""Starts `stage` or `seal`: `python -m sandbox.pod stage|seal SITE`."""

import contextlib
import os
import resource
import sys
import traceback

from sandbox import kernel
from sandbox.door import DoorClosed, DoorRefused
from sandbox.pod.places import Site


def main() -> int:
    """Run the part that the command line names; what went wrong is said without a value of anything."""
    # Before any key exists (decision 20): no core file, no reader of our memory; and nothing of ours into a log.
    kernel.set_not_dumpable()
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    _, part, words = sys.argv
    try:
        if part == "stage":
            from sandbox.pod import stage

            return stage.main(Site.of(words))
        from sandbox.pod import seal

        return seal.main(Site.of(words))
    except (DoorClosed, DoorRefused) as error:
        sys.stderr.write(f"{part}: {error}\n")
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
        code = f" errno {error.errno}" if isinstance(error, OSError) else ""
        sys.stderr.write(f"{part}: {type(error).__name__}{code} at {where}\n")
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return 1


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
