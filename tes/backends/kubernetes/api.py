"""Speaks JSON with the API server, and drops what containers wrote into an answer before anybody sees it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import urllib3
from kubernetes import client, config

from strongroom.clusters import Kubernetes
from strongroom.errors import StrongroomError
from tes.backends.schedulers import SchedulerUnavailable

Object = dict[str, Any]
PATIENCE: Final = (5.0, 30.0)  # seconds: to connect, to answer
_STATUSES: Final = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_LONGEST_REASON: Final = 300


class Refusal(StrongroomError):
    """The API server said no; `code` is HTTP's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__("The cluster refused this.", detail=f"{code}: {reason[:_LONGEST_REASON]}")
        self.code = code


class Api:
    """One account at one API server; safe to share between threads."""

    def __init__(self, settings: Kubernetes) -> None:
        found = client.Configuration()
        if settings.kubeconfig is None:
            config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(str(settings.kubeconfig), client_configuration=found)  # type: ignore[no-untyped-call]
        found.retries = False  # who asks knows what may be asked twice
        found.connection_pool_maxsize = 16
        self._client = client.ApiClient(found)

    def ask(self, method: str, path: str, body: Object | None = None, **query: str) -> Object:
        """Return the answer; raises `Refusal`, or `SchedulerUnavailable` when nothing is known."""
        answer = self._send(method, path, body, query, patience=PATIENCE)
        try:
            raw = answer.read()
            answer.release_conn()
            found = json.loads(raw) if raw else {}
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise SchedulerUnavailable(
                "The cluster does not answer.", detail=f"{path}: {type(error).__name__}"
            ) from error
        if answer.status >= 400:
            _raise(answer.status, found)
        return cleaned(found)

    def events(self, path: str, *, seconds: int, **query: str) -> Iterator[Object]:
        """Yield the events of a watch, until it ends; raises as `ask`."""
        wanted = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        answer = self._send("GET", path, None, wanted, patience=(PATIENCE[0], seconds + PATIENCE[1]))
        try:
            if answer.status >= 400:
                _raise(answer.status, json.loads(answer.read() or b"{}"))
            for line in _lines(answer):
                yield cleaned(json.loads(line))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise SchedulerUnavailable("The cluster hung up.", detail=f"{path}: {type(error).__name__}") from error
        finally:
            answer.close()

    def _send(
        self,
        method: str,
        path: str,
        body: Object | None,
        query: Mapping[str, str],
        *,
        patience: tuple[float, float],
    ) -> urllib3.BaseHTTPResponse:
        words = {"Accept": "application/json", "Content-Type": "application/json"}
        _, url, headers, said, _ = self._client.param_serialize(
            method=method,
            resource_path=path,
            query_params=list(query.items()),
            header_params=words,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(method, url, headers, said, _request_timeout=patience)
            return cast(urllib3.BaseHTTPResponse, answer.response)
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            raise SchedulerUnavailable(
                "The cluster does not answer.", detail=f"{path}: {type(error).__name__}"
            ) from error


def cleaned(answer: Object) -> Object:
    """Return an answer without any message of a container (T10: its file is world-writable in the container)."""
    for one in (answer, answer.get("object") or {}, *(answer.get("items") or ())):
        status = one.get("status") if isinstance(one, dict) else None
        if isinstance(status, dict):
            for container in (c for name in _STATUSES for c in status.get(name) or ()):
                _drop_messages(container)
    return answer


def _drop_messages(container: Object) -> None:
    for state in (container.get("state"), container.get("lastState")):
        for kind in (state or {}).values():
            if isinstance(kind, dict):
                kind.pop("message", None)


def _raise(status: int, found: Object) -> None:
    reason = str(found.get("message", found.get("reason", "")))
    if status in (408, 429) or status >= 500 or status == 401:
        raise SchedulerUnavailable("The cluster does not answer.", detail=f"{status}: {reason[:_LONGEST_REASON]}")
    raise Refusal(status, reason)


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for piece in answer.stream(amt=None):
        *lines, rest = (rest + piece).split(b"\n")
        yield from filter(None, lines)


def selector(labels: Mapping[str, str], *, present: Sequence[str] = ()) -> str:
    """Return labels as the API's selectors have them."""
    return ",".join([*(f"{name}={value}" for name, value in labels.items()), *present])
