"""`strongroom run`: submits runs of vetted workflows and watches them (GA4GH WES 1.1)."""

import json
import time
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, err, out, print_json, stop
from strongroom.errors import BadRequest

WES = "/ga4gh/wes/v1"
TERMINAL = frozenset({"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED"})
app = typer.Typer(help="Runs of vetted workflows.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


@app.command()
def submit(
    workflow: Annotated[str, typer.Argument(help="NAME/VERSION or trs://HOST/NAME/VERSION.")],
    project: Annotated[str, typer.Option(help="The project that the run belongs to.")],
    inputs: Annotated[list[str], typer.Option("--input", help="SLOT=DATASET or SLOT=DATASET:FILE,FILE.")] = [],  # noqa: B006
    params: Annotated[list[str], typer.Option("--param", help="NAME=VALUE; values are JSON or plain words.")] = [],  # noqa: B006
    workflow_type_version: Annotated[str, typer.Option("--engine-version", help="Of Snakemake.")] = "9.27.1",
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Submit a run; its id is printed."""
    asked = {name: _value(value) for name, value in map(_pair, params)}
    asked["inputs"] = {slot: _dataset(value) for slot, value in map(_pair, inputs)}
    with Client(server, token) as client:
        run = send(client, workflow, project, asked, version=workflow_type_version)
    if as_json:
        print_json({"run_id": run})
    else:
        out.print(run)


def send(client: Client, workflow: str, project: str, params: dict[str, Any], *, version: str = "9.27.1") -> str:
    """POST /runs as WES 1.1 has it; return the run's id."""
    fields = {
        "workflow_url": workflow,
        "workflow_type": "SMK",
        "workflow_type_version": version,
        "workflow_params": json.dumps(params),
        "tags": json.dumps({"project": project}),
    }
    files = {name: (None, value) for name, value in fields.items()}
    return str(client.request("POST", f"{WES}/runs", files=files).json()["run_id"])


@app.command("list")
def list_(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show your runs, newest first."""
    with Client(server, token) as client:
        runs = client.get(f"{WES}/runs")["runs"]
    if as_json:
        print_json(runs)
        return
    table = Table("Run", "State", "Started", "Ended", "Project")
    for run in runs:
        times = run.get("start_time", ""), run.get("end_time", "")
        table.add_row(run["run_id"], run["state"], *times, run["tags"].get("project"))
    out.print(table)


@app.command()
def show(run: RunId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show one run and its tasks."""
    with Client(server, token) as client:
        whole = client.get(f"{WES}/runs/{run}")
        tasks = client.get(f"{WES}/runs/{run}/tasks")["task_logs"]
    if as_json:
        print_json({**whole, "tasks": tasks})
        return
    out.print(f"{whole['run_log']['name']}  {whole['state']}")
    for reason in whole["run_log"].get("system_logs", []):
        out.print(reason)
    table = Table("Task", "State", "Started", "Ended")
    for task in tasks:
        table.add_row(task["name"], task["system_logs"][0], task.get("start_time", ""), task.get("end_time", ""))
    out.print(table)


@app.command()
def watch(run: RunId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show a run's progress until it ends; exit code 0 only if it is COMPLETE."""
    with Client(server, token) as client:
        state = follow(client, run, label=run[:8])
    if as_json:
        print_json({"run_id": run, "state": state})
    if state != "COMPLETE":
        stop(f"The run ended as {state}.")


def follow(client: Client, run: str, *, label: str, pause: float = 0.3) -> str:
    """Draw a run's progress on standard error until it ends; return its last state."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=False) as progress:
        bar = progress.add_task(label, total=None)
        while True:
            whole = client.get(f"{WES}/runs/{run}")
            done = whole["outputs"]["progress"]
            progress.update(
                bar,
                completed=done["tasks_done"],
                total=done["tasks_planned"],
                description=f"{label} {whole['state'].lower()}",
            )
            if whole["state"] in TERMINAL:
                return str(whole["state"])
            time.sleep(pause)


@app.command()
def cancel(run: RunId, token: Token = "", server: Server = SERVER) -> None:
    """Cancel a run; CANCELED is shown when its engine and tasks are gone."""
    with Client(server, token) as client:
        client.post(f"{WES}/runs/{run}/cancel")
    out.print("Canceling.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadRequest(f"{text[:60]!r}: NAME=VALUE was expected.")
    return name, value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _dataset(text: str) -> Any:
    dataset, colon, files = text.partition(":")
    return {"dataset": dataset, "files": files.split(",")} if colon else dataset
