"""Gives supervisors of this host URLs of their own attempts' inputs and bodies, and takes what no URL takes."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Final

import structlog

from strongroom.doors import Message, caller_of, listen, receive, send
from strongroom.errors import BadRequest, StrongroomError
from strongroom.settings import Settings
from tes import carrying
from tes.backends import Launch

NAME: Final = "bodies.sock"
log = structlog.get_logger()
LaunchOf = Callable[[int], Launch | None]


def is_needed(settings: Settings) -> bool:
    """Say whether attempts have anything to ask here."""
    return settings.objects.store != "folder" or any(one.input_hosts for one in settings.federation.clients)


def serve(settings: Settings, launch_of: LaunchOf) -> None:
    """Answer for ever; `launch_of` says which attempt a process is the supervisor of, None for no such."""
    door = listen(settings.sockets / NAME, mode=0o600)
    while True:
        sock, _ = door.accept()
        threading.Thread(target=_converse, args=(settings, sock, launch_of), daemon=True).start()


def _converse(settings: Settings, sock: socket.socket, launch_of: LaunchOf) -> None:
    with sock, contextlib.suppress(OSError, ValueError):
        launch = launch_of(caller_of(sock).pid)
        if launch is None:
            log.warning("bodies.refused", uid=caller_of(sock).uid)
            return
        while (message := receive(sock)) is not None:
            send(sock, _answered(settings, message, sock, launch=launch))


def _answered(settings: Settings, message: Message, sock: socket.socket, *, launch: Launch) -> Message:
    try:
        match message.get("verb"):
            case "url_to_read":
                answer = carrying.url_to_read(settings, message, inputs=launch.order["objects"])
            case "url_to_put":
                answer = carrying.url_to_put(settings, message)
            case "place_of_input":
                answer = carrying.place_of_input(settings, message, plan=launch.plan)
            case "store":
                carrying.take(settings, message, sock)
                answer = {}
            case _:
                raise BadRequest("There is no such verb here.")
    except StrongroomError as error:
        log.info("bodies.refusal", reason=error.sentence, detail=error.detail)
        return {"ok": False, "reason": error.sentence, "status": error.status}
    except OSError:
        raise
    except Exception:
        log.exception("bodies.failure")
        return {"ok": False, "reason": "Something failed inside; the operator's log says what.", "status": 500}
    return {"ok": True, **answer}
