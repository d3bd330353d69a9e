"""Plans by Snakemake, whose words follow, until no file is missing that no rule makes; writes those as JSON."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import snakemake.cli
import snakemake.dag
from snakemake.exceptions import MissingInputException

WORK = Path("/run/work")
ROUNDS, MOST, LONGEST = 12, 500, 200
ASKED = "--strongroom-missing-of"  # before the rules of which missing files were found, for a child of this


def whole(words: list[str]) -> dict[str, str]:
    """Return the files that are missing, each with the rule that reads it; empty files lie in their places then."""
    found: dict[str, str] = {}
    rules: list[str] = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-P", "-m", "strongroom_outline.missing", ASKED, ",".join(rules), *words]
        said = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        told = json.loads(said.splitlines()[-1]) if said.strip() else {}
        new = {path: rule for path, rule in told.get("made", {}).items() if path not in found}
        found |= new
        if not new or len(found) > MOST:
            break
        rules += [rule for rule in new.values() if rule not in rules]
    return found


def once(rules: list[str], words: list[str]) -> dict[str, dict[str, str]]:
    """Plan once: what these rules miss is made on the way, what ended the planning for another rule at its end."""
    made: dict[str, str] = {}
    dag = snakemake.dag
    plan = dag.DAG.update_
    start = dag.DAG.init

    async def update_(self: Any, job: Any, *given: Any, **more: Any) -> Any:
        try:
            return await plan(self, job, *given, **more)
        except MissingInputException as error:
            if job.rule.name not in rules or not _make(job, error, made):
                raise
        return await plan(self, job, *given, **more)

    async def init(self: Any, *given: Any, **more: Any) -> Any:
        try:
            return await start(self, *given, **more)
        except MissingInputException as error:
            _make(error.strongroom[0], error, made)  # type: ignore[attr-defined]
            raise

    class Missing(MissingInputException):
        def __init__(self, job: Any, files: Any, *more: Any, **named: Any) -> None:
            self.strongroom = (job, [str(one) for one in files])
            super().__init__(job, files, *more, **named)

    dag.DAG.update_, dag.DAG.init, dag.MissingInputException = update_, init, Missing  # type: ignore[misc]
    with contextlib.suppress(SystemExit):
        snakemake.cli.main(words)
    return {"made": made}


def _make(job: Any, error: Any, made: dict[str, str]) -> bool:
    of, files = error.strongroom
    if of is not job or len(made) > MOST:
        return False
    new = [
        path for path in files if path not in made and len(path) < LONGEST and not path.startswith(("/", "inputs/"))
    ]
    for path in new:
        (WORK / path).parent.mkdir(parents=True, exist_ok=True)
        (WORK / path).write_bytes(bytes(100))
        made[path] = str(job.rule.name)
    return bool(new)


if __name__ == "__main__":
    if sys.argv[1:2] == [ASKED]:
        told = once(sys.argv[2].split(","), sys.argv[3:])
    else:
        told = {"made": whole(sys.argv[1:])}
    print("\n" + json.dumps(told))
