"""The main job on real data, end to end: what `make demo` shows."""

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from demo import bare, data, people
from demo.people import AIRLOCK, PROJECT, Cast
from demo.stage import Stage, fresh_home
from strongroom.cli.run import WES, follow, send
from strongroom.settings import SOURCE

console = Console(highlight=False)
FREQUENCIES = SOURCE / "workflows" / "cohort-frequencies" / "1.0.0"
CALLING = SOURCE / "workflows" / "variant-calling" / "1.0.0"
PATIENCE = 300


@dataclass
class Telling:
    """What happened so far: how long each part took, and what was refused."""

    times: list[tuple[str, float]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def part(self, title: str) -> Iterator[None]:
        """Say what happens now, and keep how long it took."""
        console.print(f"[bold]▸[/bold] {title}")
        begun = time.monotonic()
        yield
        self.times.append((title, time.monotonic() - begun))


def main() -> None:
    """Tell the story once; stop all that was started."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true", help="leave the demo's home for a look round")
    keep = parser.parse_args().keep
    telling, begun = Telling(), time.monotonic()
    home = fresh_home("demo")
    plain = home / "plaintext-sources"
    try:
        with telling.part("Real data and the image (from Debian packages, checked and cached)"):
            genomics, checks = people.genomics_image(), people.checks_image()
            calls, reads = data.fetch(plain)
        with telling.part("Strongroom starts; its image is imported by digest"):
            stage = Stage(home)
            stage.import_image("genomics", genomics)
            stage.import_image("checks", checks, checks=True)
            stage.start()
        with stage:
            _tell(stage, telling, calls, reads)
    finally:
        shutil.rmtree(plain, ignore_errors=True)
    _close(telling, time.monotonic() - begun, home, keep=keep)


def _tell(stage: Stage, telling: Telling, calls: list[Path], reads: list[Path]) -> None:
    cast = people.cast(stage)
    with telling.part(
        f"The data's owner encrypts {len(calls) + len(reads)} files; plaintext never reaches the server"
    ):
        people.add_dataset(stage, cast.operator, "hapmap", calls, observability="open")
        people.add_dataset(stage, cast.operator, "na18507", reads, observability="open")
    with telling.part("Two vetters sign two workflows, each with its images by digest"):
        frequencies, calling = (stage.vet(folder, "vera", "viktor") for folder in (FREQUENCIES, CALLING))
    secret = stage.home / "ruth.key"
    fingerprint = people.register_key(stage, cast.researcher, secret)
    with stage.client(cast.researcher) as ruth:
        with telling.part(f"Ruth, a researcher, submits {frequencies} over WES"):
            cohort = _run(ruth, frequencies, {"inputs": {"calls": "hapmap"}}, telling)
        with telling.part(f"Ruth submits {calling}: one person's calls"):
            person = _run(ruth, calling, {"inputs": bare.CALLING_INPUTS}, telling)
        with telling.part("The airlock makes clean copies and checks them, inside walls"):
            outputs = _checked(ruth, cohort)
        _show_outputs(outputs)
        with telling.part("Ruth asks for release; her key is frozen in the request"):
            request = ruth.post(
                f"{AIRLOCK}/requests", {"run": cohort, "purpose": "Allele frequencies for the paper."}
            )
            ruth.post(f"{AIRLOCK}/requests/{request['id']}:submit", {"key": fingerprint})
        with telling.part("Two stewards look and vote, each on their own"):
            _vote(stage, cast, request["id"])
        with telling.part("Ruth downloads and opens the files with her own key"):
            results = _download(stage, cast, request["id"], secret)
        with telling.part("The same workflow by bare Snakemake on the plaintext"):
            plainly = bare.run(FREQUENCIES, {"calls": calls}, stage.home / "bare")
            compared = bare.compare(results, plainly)
        console.print(f"  {compared}")
        telling.facts["compared with bare Snakemake"] = compared
        with telling.part("Ruth tries to release the person's calls"):
            _try_to_release(ruth, person, telling)
        with telling.part("They become a derived dataset instead; nothing leaves"):
            asked = {"run": person, "dataset": "na18507-calls", "title": "Calls of NA18507"}
            made = ruth.post("/api/archive/v1/datasets/from-run", asked)
        console.print(f"  dataset {made['dataset']}: {', '.join(made['files'])}")
    with telling.part("The audit log is verified, offline"):
        verified = " ".join(stage.run("audit", "verify").stdout.split())
    console.print(f"  {verified}")
    telling.facts["audit log"] = verified
    telling.facts["released files"] = ", ".join(sorted(path.name for path in results))


def _run(ruth: Any, workflow: str, params: dict[str, Any], telling: Telling) -> str:
    run = send(ruth, workflow, PROJECT, params)
    state = follow(ruth, run, label=workflow.split("/", maxsplit=1)[0])
    if state != "COMPLETE":
        sys.exit(f"The run {run} ended as {state}.")
    tasks = ruth.get(f"{WES}/runs/{run}/tasks")["task_logs"]
    telling.facts[f"tasks of {workflow}"] = f"{len(tasks)}, all COMPLETE"
    return run


def _checked(ruth: Any, run: str) -> list[dict[str, Any]]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        held = ruth.get(f"{AIRLOCK}/outputs", run=run)
        if held["settled"]:
            outputs: list[dict[str, Any]] = held["files"]
            return outputs
        time.sleep(0.2)
    sys.exit("The airlock did not end its checks in time.")


def _show_outputs(outputs: list[dict[str, Any]]) -> None:
    table = Table("File", "Verdict", "Findings")
    for output in outputs:
        codes = ", ".join(finding["code"] for finding in output["findings"]) or "-"
        table.add_row(output["path"], output["verdict"], codes)
    console.print(table)


def _vote(stage: Stage, cast: Cast, request: str) -> None:
    for name, token in (("Sam", cast.first_steward), ("Sina", cast.second_steward)):
        with stage.client(token) as steward:
            whole = steward.get(f"{AIRLOCK}/reviews/{request}")
            for file in whole["files"]:
                steward.get(f"{AIRLOCK}/reviews/{request}/files/{file['id']}/view")
            votes = [{"file": file["id"], "vote": "yes"} for file in whole["files"]]
            steward.post(f"{AIRLOCK}/reviews/{request}:vote", {"votes": votes})
        console.print(f"  {name} looked at {len(votes)} files and votes yes")
    with stage.client(cast.first_steward) as steward:
        steward.post(f"{AIRLOCK}/reviews/{request}:consolidate", {"outcome": "approve"})


def _download(stage: Stage, cast: Cast, request: str, secret: Path) -> list[Path]:
    folder = stage.home / "released"
    end = time.monotonic() + PATIENCE
    with stage.client(cast.researcher) as ruth:
        while (state := ruth.get(f"{AIRLOCK}/requests/{request}")["state"]) != "RELEASED":
            if time.monotonic() > end:
                sys.exit(f"The request is still {state}.")
            time.sleep(0.2)
    stage.run("release", "download", request, "--out", str(folder), "--key", str(secret), token=cast.researcher)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _try_to_release(ruth: Any, run: str, telling: Telling) -> None:
    answer = ruth.http.post(f"{AIRLOCK}/requests", json={"run": run, "purpose": "These calls."})
    if answer.is_success:
        sys.exit("A person's calls could be asked for: this must never be.")
    sentence = answer.json()["msg"]
    console.print(f"  refused ({answer.status_code}): {sentence}")
    telling.refused.append(f"release of one person's calls: {sentence}")


def _close(telling: Telling, spent: float, home: Path, *, keep: bool) -> None:
    table = Table("Part", "Seconds", title="What happened")
    for title, seconds in telling.times:
        table.add_row(title, f"{seconds:.1f}")
    table.add_row("[bold]all[/bold]", f"[bold]{spent:.1f}[/bold]")
    console.print(table)
    for name, value in telling.facts.items():
        console.print(f"[bold]{name}[/bold]: {value}")
    for refusal in telling.refused:
        console.print(f"[bold]refused[/bold]: {refusal}")
    if keep:
        console.print(f"The demo's home is in {home}.")
    else:
        shutil.rmtree(home, ignore_errors=True)
    console.print("Next: docs/guides/getting-started.md, and `make serve` for a Strongroom of your own.")


if __name__ == "__main__":
    main()
