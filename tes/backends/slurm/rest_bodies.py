"""Translates between our words and slurmrestd's JSON, which has two shapes: v0.0.38, and v0.0.40 and later."""

from collections.abc import Iterator
from typing import Any, Final

from tes.backends.slurm.client import Job, JobState, status

OLD: Final = "v0.0.38"
# The newest first: one whose shape we know, whatever SLURM's own version is.
VERSIONS: Final = ("v0.0.45", "v0.0.44", "v0.0.43", "v0.0.42", "v0.0.41", "v0.0.40", OLD)
# Of a list of flags these count before the state itself: with them a job is not over, or not yet up.
_FIRST: Final = ("COMPLETING", "CONFIGURING", "REQUEUE_HOLD", "REQUEUED", "REQUEUE_FED", "SPECIAL_EXIT")
Json = dict[str, Any]


def submission(job: Job, version: str) -> Json:
    """Return the body of `POST /job/submit`."""
    wishes = {
        "partition": job.options.partition,
        "account": job.options.account,
        "qos": job.options.qos,
        "constraints": job.options.constraint,
        "comment": job.comment or None,
    }
    body: Json = {
        "name": job.name,
        "cpus_per_task": job.cpus,
        "dependency": "singleton",
        "current_working_directory": "/",
        "standard_input": "/dev/null",
        "standard_output": "/dev/null",
        "standard_error": "/dev/null",
        **{name: value for name, value in wishes.items() if value is not None},
    }
    gres, minutes = job.options.gres, job.options.minutes
    if version == OLD:
        # Its `requeue: false` is taken and forgotten (22.05.8); this key, which its papers do not name, is not.
        body |= {"no_requeue": True, "memory_per_node": job.memory_mb, "environment": {"PATH": "/usr/bin:/bin"}}
        body |= {"gres": gres} if gres else {}
        body |= {"time_limit": minutes} if minutes else {}
        return {"script": job.script, "job": body}
    body |= {"requeue": False, "memory_per_node": _number(job.memory_mb), "environment": ["PATH=/usr/bin:/bin"]}
    body |= {"tres_per_node": ",".join(f"gres/{one}" for one in gres.split(","))} if gres else {}
    body |= {"time_limit": _number(minutes)} if minutes else {}
    return {"job": {**body, "script": job.script}}


def errors(body: Json) -> Iterator[tuple[int, str]]:
    """Yield number and words of each error in an answer."""
    listed = body.get("errors")
    for error in listed if isinstance(listed, list) else []:
        if isinstance(error, dict):
            number = error.get("error_number", error.get("error_code"))
            yield (
                (number if isinstance(number, int) else -1),
                str(error.get("error") or error.get("description") or ""),
            )


def jobs(body: Json) -> list[JobState]:
    """Return the jobs of an answer of slurmctld or accounting; an entry that cannot be read raises ValueError."""
    return [_job(entry) for entry in _entries(body)]


def words(body: Json) -> dict[int, str]:
    """Return the state of each job in an answer of `GET /jobs/state/`."""
    return {int(entry["job_id"]): _word(entry["state"]) for entry in _entries(body)}


def _entries(body: Json) -> list[Json]:
    listed = body.get("jobs")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ValueError("an answer without jobs")
    return listed


def _job(raw: Json) -> JobState:
    state, reason = raw.get("job_state"), raw.get("state_reason")
    if isinstance(raw.get("state"), dict):  # accounting's
        state, reason = raw["state"].get("current"), raw["state"].get("reason")
    account = raw.get("association")
    user = raw.get("user_name") or raw.get("user") or (account.get("user") if isinstance(account, dict) else None)
    word = _word(state)
    code, signal = _exit(raw.get("exit_code"))
    if word == "FAILED" and code == 0 and not signal:
        code = None  # accounting of v0.0.38 says so of every exit code
    return JobState(
        id=int(raw["job_id"]),
        name=str(raw.get("name") or ""),
        state=word,
        reason=str(reason or "None"),
        exit_code=code,
        signal=signal,
        nodes=str(raw.get("nodes") or ""),
        user=str(user or ""),
    )


def _word(state: object) -> str:
    if isinstance(state, list) and state and all(isinstance(flag, str) for flag in state):
        return next((flag for flag in _FIRST if flag in state), state[0])
    if isinstance(state, str) and state:
        return state.split()[0]
    raise ValueError("a job without a state")


def _exit(value: object) -> tuple[int | None, int]:
    """Return exit code and signal of a raw wait status or of an object that holds both."""
    if isinstance(value, int):
        return status(value)
    if not isinstance(value, dict):
        return None, 0
    signal = value.get("signal")
    number = (signal.get("id") or signal.get("signal_id")) if isinstance(signal, dict) else signal
    return _plain(value.get("return_code")), _plain(number) or 0


def _plain(value: object) -> int | None:
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") else None
    return value if isinstance(value, int) else None


def _number(value: int) -> Json:
    return {"set": True, "number": value}
