"""Another site that files are fetched from: plain files, a DRS, and every bad habit that a server can have."""

import base64
import contextlib
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.crypt4gh import new_private_key, public_key_of, seal_stream

DRS = "/ga4gh/drs/v1/objects/"


class OtherSite:
    """One HTTP server; `files` by path, `habits` by path for what is no file, `seen` what was asked."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.files: dict[str, bytes] = {}
        self.habits: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer((address, 0), _answering(self))
        self._address = address
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        """Its name as lists have it."""
        return f"{self._address}:{self.port}"

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://{self.host}{path}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        """Return what was asked."""
        return [path for path, _ in self.seen]

    def add_drs(self, name: str, content: bytes, *, by_id: bool = False, **changes: Any) -> None:
        """Have a DRS object whose bytes lie at /data/NAME, and want a header there."""
        self.files[f"/data/{name}"] = content
        access = {"url": self.url(f"/data/{name}"), "headers": ["Authorization: Bearer of-drs"]}
        method = {"type": "https", "access_id": "way"} if by_id else {"type": "https", "access_url": access}
        said = {
            "id": name,
            "size": len(content),
            "checksums": [{"type": "sha-256", "checksum": hashlib.sha256(content).hexdigest()}],
            "access_methods": [{"type": "gs", "access_url": {"url": "gs://nowhere/x"}}, method],
            **changes,
        }
        self.files[f"{DRS}{name}"] = json.dumps(said).encode()
        self.files[f"{DRS}{name}/access/way"] = json.dumps(access).encode()


def _answering(site: OtherSite) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            site.seen.append((self.path, dict(self.headers)))
            path = self.path.partition("?")[0]
            if path in site.habits:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    site.habits[path](self)
                return
            content = site.files.get(path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

    return Answering


def points_to(location: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Redirect."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(302)
        asked.send_header("Location", location)
        asked.send_header("Content-Length", "0")
        asked.end_headers()

    return answer


def never_ends(asked: BaseHTTPRequestHandler) -> None:
    """Send for ever, without saying how much."""
    asked.send_response(200)
    asked.end_headers()
    while True:
        asked.wfile.write(bytes(1 << 16))


def drips(asked: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then."""
    asked.send_response(200)
    asked.end_headers()
    while True:
        asked.wfile.write(b"x")
        asked.wfile.flush()
        time.sleep(0.2)


def drips_headers(asked: BaseHTTPRequestHandler) -> None:
    """Never come to the body."""
    asked.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while True:
        asked.wfile.write(b"x")
        asked.wfile.flush()
        time.sleep(0.2)


def says(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with these headers, whatever they claim of the body."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(status)
        for name, value in headers.items():
            asked.send_header(name.replace("_", "-"), value)
        asked.end_headers()
        asked.wfile.write(body)

    return answer


def seals(
    content: bytes, *, cut: int = 0, recipient: bytes | None = None
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Send a Crypt4GH file sealed to the key that the asker names, as archives do, or to another one."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        pem = base64.b64decode(asked.headers["Client-Public-Key"]).decode()
        key = recipient or base64.b64decode(pem.splitlines()[1])
        body = io.BytesIO()
        sealed = seal_stream(io.BytesIO(content).readinto, body.write, key)
        raw = sealed.header + body.getvalue()
        says(200, raw[: len(raw) - cut])(asked)

    return answer


def somebody_else() -> bytes:
    """Return the public key of nobody that is here."""
    return public_key_of(new_private_key())
