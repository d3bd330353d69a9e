"""A mail server of a few lines on a loopback port: it takes what it is told to take, and keeps it."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message

from services.in_thread import answering


class Mailbox(socketserver.ThreadingTCPServer):
    """Speaks SMTP (RFC 5321) as far as a client needs it to hand over a mail."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.mails: list[Message] = []
        self.refusals = 0  # how many mails it refuses from now on

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Talk(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 mail.test")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._take()
            elif verb == b"QUIT":
                self._say("221 Bye")
                return
            else:
                self._say("250 OK")

    def _take(self) -> None:
        if self.server.refusals > 0:
            self.server.refusals -= 1
            self._say("451 Come again")
            return
        self._say("354 Go on")
        body = b""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            body += line.removeprefix(b".") if line.startswith(b"..") else line
        self.server.mails.append(message_from_bytes(body))
        self._say("250 Taken")

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run a mail server until the end of the block."""
    server = Mailbox()
    with answering(server):
        yield server
