"""One server's GA4GH base URL, asked as one caller; whatever it answers comes back as it is."""

import time
from collections.abc import Iterable
from typing import Any

import httpx

TERMINAL = {"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED"}
_TRUST = httpx.create_ssl_context()  # once: reading the list of authorities takes longer than most questions


class Server:
    """A base URL such as https://host/ga4gh/wes/v1, and who asks; `socket` is a Unix socket to ask by."""

    def __init__(self, url: str, token: str = "", *, socket: str = "", headers: Iterable[str] = ()) -> None:
        asked = dict(header.split(":", 1) for header in headers)
        sent = {name.strip(): value.strip() for name, value in asked.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        transport = httpx.HTTPTransport(uds=socket, verify=_TRUST) if socket else None
        self.base = url.rstrip("/")
        self.http = httpx.Client(headers=sent, timeout=60, transport=transport, verify=_TRUST, follow_redirects=True)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """GET a path below the base, or a complete URL."""
        return self.http.get(path if "://" in path else self.base + path, params=query or None)

    def post(self, path: str, **how: Any) -> httpx.Response:
        """POST to a path below the base."""
        return self.http.post(self.base + path, **how)

    def form(self, fields: dict[str, str], files: Iterable[tuple[str, Any]] = ()) -> httpx.Response:
        """POST /runs as multipart/form-data (WES 1.1, RunWorkflow)."""
        parts = [(name, (None, value)) for name, value in fields.items()]
        return self.post("/runs", files=[*parts, *files])

    def pages(self, path: str, member: str, size: int, *, most: int = 200, **query: Any) -> list[list[Any]]:
        """Walk a list to its end and return its pages; stops after `most`."""
        found: list[list[Any]] = []
        token = ""
        while len(found) < most:
            answer = good(self.get(path, page_size=size, **({"page_token": token} if token else {}), **query))
            found.append(answer[member])
            token = answer.get("next_page_token") or ""
            if not token:
                break
        return found

    def states(self, path: str, patience: float, until: Iterable[str] = TERMINAL, **query: Any) -> list[str]:
        """Ask for a state until it is one of these; return the different ones in the order they were seen."""
        end, seen = time.monotonic() + patience, list[str]()
        while True:
            state = good(self.get(path, **query))["state"]
            if not seen or seen[-1] != state:
                seen.append(state)
            if state in set(until):
                return seen
            assert time.monotonic() < end, f"still {seen} after {patience:.0f} seconds"
            time.sleep(0.1)


def good(answer: httpx.Response) -> Any:
    """Return the JSON of a 200; anything else is a failure with what was said."""
    assert answer.status_code == 200, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    kind = answer.headers.get("content-type", "")
    assert kind.startswith("application/json"), f"content-type is {kind!r}"
    return answer.json()
