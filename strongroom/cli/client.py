"""Speaks to a Strongroom server for the command line; a refusal becomes one red sentence and an exit code."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Annotated, Any, NoReturn

import httpx
import typer
from rich.console import Console

from strongroom.errors import StrongroomError, Unavailable

SERVER = "http://127.0.0.1:8080"
FAILED, USAGE, REFUSED, NOT_FOUND, UNAVAILABLE = 1, 2, 3, 4, 5  # docs: exit codes

Token = Annotated[str, typer.Option("--token", envvar="STRONGROOM_TOKEN", help="Bearer token.", show_default=False)]
Server = Annotated[str, typer.Option("--server", envvar="STRONGROOM_SERVER", help="Where Strongroom listens.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Client:
    """A connection to one server as one person; `with Client(server, token) as client: client.get("/…")`."""

    def __init__(self, server: str, token: str, *, timeout: float = 60.0) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=server, headers=headers, timeout=timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON answer; parameters that are None are left out."""
        return self.request("GET", path, params={k: v for k, v in parameters.items() if v is not None}).json()

    def post(self, path: str, body: Any = None) -> Any:
        """Send `body` as JSON (or nothing) and return the JSON answer, None if there is none."""
        answer = self.request("POST", path, json=body) if body is not None else self.request("POST", path)
        return answer.json() if answer.content else None

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send any request; what is not a 2xx answer ends the command."""
        with refusals():
            try:
                return checked(self.http.request(method, path, **more))
            except httpx.HTTPError as error:
                raise self.no_answer() from error

    @contextmanager
    def stream(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        """Open an answer to be read bit by bit."""
        with refusals():
            try:
                with self.http.stream(method, path, **more) as answer:
                    if not answer.is_success:
                        answer.read()
                    yield checked(answer)
            except httpx.HTTPError as error:
                raise self.no_answer() from error

    def no_answer(self) -> StrongroomError:
        """Return what to say when nobody listens."""
        return Unavailable(f"Nobody answers at {self.http.base_url}; is `strongroom serve` running there?")


def checked(answer: httpx.Response) -> httpx.Response:
    """Return `answer` if it is a success; raise its sentence otherwise."""
    if answer.is_success:
        return answer
    try:
        said = answer.json()
        sentence = str(said.get("msg") or said.get("detail"))
    except (ValueError, AttributeError):
        sentence = f"The server answered {answer.status_code} {answer.reason_phrase}."
    refusal = StrongroomError(sentence)
    refusal.status = answer.status_code
    raise refusal


def exit_code(status: int) -> int:
    """Return the exit code that an HTTP status stands for."""
    match status:
        case 401 | 403:
            return REFUSED
        case 404:
            return NOT_FOUND
        case 502 | 503 | 504:
            return UNAVAILABLE
        case _:
            return FAILED


def stop(sentence: str, code: int = FAILED) -> NoReturn:
    """End the command with a red sentence."""
    err.print(sentence, style="red", soft_wrap=True, markup=False)
    raise typer.Exit(code)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a `StrongroomError` inside into its sentence and its exit code."""
    try:
        yield
    except StrongroomError as error:
        stop(error.sentence, exit_code(error.status))


def print_json(value: Any) -> None:
    """Print JSON on standard output, without colours."""
    json.dump(value, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")
