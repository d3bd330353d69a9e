"""Speaks with SLURM through slurmrestd, over a Unix socket or TCP."""

import ipaddress
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx

from tes.backends.slurm import rest_bodies
from tes.backends.slurm.client import USER, Job, JobState, SlurmRefused, refusal, unavailable, wanted
from tes.backends.slurm.rest_bodies import OLD, VERSIONS, Json

UNKNOWN_JOB: Final = 2017
NOTHING_FOUND: Final = 9003
# slurmctld's own answers (ESLURM_…), and slurmrestd's to a body that it cannot read; others are about the way there.
SAYS_NO: Final = frozenset({*range(2000, 3000), 9001})
AT_ONCE: Final = 200  # ids in one address
ASKED_WHY: Final = 20  # waiting jobs whose reason is asked again in one call
Query = Sequence[tuple[str, str | int]]
S = TypeVar("S", int, str)
T = TypeVar("T")
NOTHING: Final[Json] = {}  # this very object: an answer that is empty is another


class Rest:
    """A `SlurmClient` of slurmrestd at `url` (unix:/path, https://…, or http:// on this host), reading as `user`.

    `tokens` is a folder of files named after users, each a token for that user that the site renews; it is read at
    each request, so a renewed one counts at once. None: slurmrestd knows us by its socket (rest_auth/local).
    """

    def __init__(self, url: str, *, user: str, tokens: Path | None, seconds: float = 30.0) -> None:
        base, socket = _address(url)
        self._user = user
        self._tokens = tokens
        # trust_env: no proxy of the environment may come between.
        transport = httpx.HTTPTransport(uds=socket, trust_env=False)
        self._http = httpx.Client(base_url=base, transport=transport, timeout=seconds, trust_env=False)
        self._paths: frozenset[str] = frozenset()
        self._seen: dict[int, JobState] = {}

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def submit(self, job: Job) -> int:
        """Post the job as its user."""
        version, _ = self._version()
        body = self._ask(
            "POST", f"/slurm/{version}/job/submit", user=job.user, body=rest_bodies.submission(job, version)
        )
        job_id = body.get("job_id")
        if not isinstance(job_id, int) or job_id < 1:
            raise unavailable("an answer without a job's id")
        return job_id

    def find(self, users: Mapping[str, str], *, since: datetime) -> list[JobState]:
        """Ask slurmctld for what has changed since then, and accounting about the names that it has none of."""
        version, accounting = self._version()
        if not users:
            return []
        start = int(since.timestamp())
        ending = "" if version == OLD else "/"
        # On v0.0.40 and later each job is 15 kB: never without a time, and only after an answer was lost.
        found = wanted(self._jobs(f"/slurm/{version}/jobs{ending}", [("update_time", start)]), users)
        left = {name: user for name, user in users.items() if name not in {job.name for job in found}}
        for some in _pieces(sorted(left) if accounting else []):
            query = [("job_name", ",".join(some)), ("start_time", f"uts{start}")]
            found += wanted(self._jobs(f"/slurmdb/{version}/jobs{ending}", query), left)
        return found

    def states(self, ids: Collection[int]) -> dict[int, JobState]:
        """Ask for all states at once, for more of each job whose state is news, and accounting for the forgotten."""
        version, accounting = self._version()
        if not ids:
            return {}
        found = self._old_states() if version == OLD else self._new_states(version, sorted(ids))
        found = {job_id: job for job_id, job in found.items() if job_id in ids}
        forgotten = sorted(set(ids) - set(found))
        for some in _pieces(forgotten if accounting else []):
            # Two shapes here too: v0.0.38 reads a list with commas, later ones a name that comes again.
            each: Query = [("step", job_id) for job_id in some]
            query = [("step", ",".join(map(str, some)))] if version == OLD else each
            known = self._jobs(f"/slurmdb/{version}/jobs{'' if version == OLD else '/'}", query)
            found |= {job.id: job for job in known if job.id in some}
        self._seen = found
        return dict(found)

    def cancel(self, job_id: int, *, user: str) -> None:
        """Delete the job as its user: an id that has become another user's is safe (24.11 says nothing of it)."""
        version, _ = self._version()
        self._ask("DELETE", f"/slurm/{version}/job/{job_id}", user=user, silent={UNKNOWN_JOB})

    def ping(self) -> None:
        """Ask slurmrestd to ping slurmctld."""
        version, _ = self._version()
        body = self._ask("GET", f"/slurm/{version}/ping{'' if version == OLD else '/'}")
        pings = body.get("pings")
        said = (
            [p.get("ping", p.get("pinged")) for p in pings if isinstance(p, dict)] if isinstance(pings, list) else []
        )
        if "UP" not in said:
            raise unavailable(f"ping: {said}")

    def _old_states(self) -> dict[int, JobState]:
        return {job.id: job for job in self._jobs(f"/slurm/{OLD}/jobs", [])}

    def _new_states(self, version: str, ids: list[int]) -> dict[int, JobState]:
        words: dict[int, str] = {}
        for some in _pieces(ids):
            body = self._ask("GET", f"/slurm/{version}/jobs/state/", query=[("job_id", job_id) for job_id in some])
            words |= _read(rest_bodies.words, body)
        waiting = [job_id for job_id, word in words.items() if word == "PENDING"]
        ask_why = set(random.sample(waiting, min(ASKED_WHY, len(waiting))))
        found = {}
        for job_id in words.keys() & set(ids):
            seen = self._seen.get(job_id)
            if seen is None or seen.state != words[job_id] or job_id in ask_why:
                query = self._jobs(f"/slurm/{version}/job/{job_id}", [])
                seen = next((job for job in query if job.id == job_id), None)
            if seen is not None:
                found[job_id] = seen
        return found

    def _jobs(self, path: str, query: Query) -> list[JobState]:
        body = self._ask("GET", path, query=query, silent={UNKNOWN_JOB, NOTHING_FOUND})
        return [] if body is NOTHING else _read(rest_bodies.jobs, body)

    def _version(self) -> tuple[str, bool]:
        """Return the newest version that both sides know, and whether slurmrestd speaks for accounting too."""
        if not self._paths:
            paths = self._ask("GET", "/openapi/v3").get("paths")
            self._paths = frozenset(paths if isinstance(paths, dict) else ())
        for version in VERSIONS:
            if f"/slurm/{version}/job/submit" in self._paths:
                return version, any(path.startswith(f"/slurmdb/{version}/jobs") for path in self._paths)
        self._paths = frozenset()
        raise unavailable("slurmrestd speaks no version that we know")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        user: str | None = None,
        query: Query = (),
        body: Json | None = None,
        silent: Collection[int] = (),
    ) -> Json:
        """Return an answer's object, NOTHING when nothing changed or the error is one of the `silent`."""
        headers = self._headers(user or self._user)
        try:
            answer = self._http.request(method, path, params=list(query), json=body, headers=headers)
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return NOTHING
            said = answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise unavailable(f"{method} {path}: {type(error).__name__}") from error
        if not isinstance(said, dict):
            self._paths = frozenset()  # another slurmrestd may be there now, with other versions
            raise unavailable(f"{method} {path}: {answer.status_code}")
        for number, words in rest_bodies.errors(said):
            if number in silent:
                return NOTHING
            raise refusal(words) if number in SAYS_NO else unavailable(f"{method} {path}: {number} {words}")
        if answer.status_code != httpx.codes.OK:
            raise unavailable(f"{method} {path}: {answer.status_code}")
        return said

    def _headers(self, user: str) -> Mapping[str, str]:
        if not USER.fullmatch(user):
            raise SlurmRefused("SLURM does not take this user's name.")
        if self._tokens is None:
            if user != self._user:
                raise SlurmRefused("slurmrestd takes jobs of its own user only, without tokens; ask the operator.")
            return {}
        try:
            token = (self._tokens / user).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise unavailable(f"no token for {user}") from error
        # 22.05 needs both names; whom slurmctld takes us for is what the token says.
        return {"X-SLURM-USER-NAME": user, "X-SLURM-USER-TOKEN": token}


def _address(url: str) -> tuple[str, str | None]:
    """Return what requests go to, and the Unix socket that they go through."""
    if url.startswith("unix:/"):
        return "http://slurmrestd", url.removeprefix("unix:")
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or "")):
        return url, None
    raise ValueError("slurmrestd is reached by unix:/path, https://…, or http:// on this host: tokens are secret")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pieces(ids: list[S]) -> Iterator[list[S]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _read(decode: Callable[[Json], T], body: Json) -> T:
    try:
        return decode(body)
    except (KeyError, TypeError, ValueError) as error:
        raise unavailable(f"an answer that cannot be read: {error}") from error
