"""Wires the dispatcher's process: a backend, the dispatcher, and the airlock's door beside it."""

import threading

from strongroom.settings import Settings
from tes import inspections
from tes.backends.local import Local
from tes.dispatcher import Dispatcher


def main(settings: Settings) -> None:
    """Be the dispatcher process."""
    dispatcher = Dispatcher(settings, Local(settings.sockets / "signer.sock"))
    dispatcher.recover()
    threading.Thread(target=inspections.serve, args=(dispatcher,), daemon=True).start()
    dispatcher.run()
