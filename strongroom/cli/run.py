"""`strongroom run`: submits runs of vetted workflows and watches them (GA4GH WES 1.1)."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from strongroom.cli.client import (
    SERVER,
    AsJson,
    Client,
    Server,
    Token,
    checked,
    err,
    out,
    print_json,
    refusals,
    stop,
)
from strongroom.errors import BadRequest

TYPES = {"snakemake": "SMK", "nextflow": "NFL"}  # workflow_type of WES, by engine
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
    engine: Annotated[str, typer.Option(help="snakemake or nextflow: what the workflow is for.")] = "snakemake",
    engine_version: Annotated[str, typer.Option(help="Left out: the one that runs here.")] = "",
    options: Annotated[
        list[str], typer.Option("--option", help="NAME=VALUE for the engine: keep-going, retries, forceall, until.")
    ] = [],  # noqa: B006
    tags: Annotated[list[str], typer.Option("--tag", help="NAME=VALUE; `name` names the run.")] = [],  # noqa: B006
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Submit a run; its id is printed."""
    asked = {name: _value(value) for name, value in map(_pair, params)}
    asked["inputs"] = {slot: _dataset(value) for slot, value in map(_pair, inputs)}
    with Client(server, token) as client:
        run = send(
            client,
            workflow,
            project,
            asked,
            engine=engine,
            version=engine_version,
            options=dict(map(_pair, options)),
            tags=dict(map(_pair, tags)),
        )
    if as_json:
        print_json({"run_id": run})
    else:
        out.print(run)


def send(
    client: Client,
    workflow: str,
    project: str,
    params: dict[str, Any],
    *,
    engine: str = "snakemake",
    version: str = "",
    options: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """POST /runs as WES 1.1 has it; return the run's id."""
    kind = TYPES.get(engine)
    if kind is None:
        raise typer.BadParameter(f"engine: {' or '.join(TYPES)}.")
    if not version:
        versions = client.get(f"{WES}/service-info")["workflow_type_versions"]
        version = versions[kind]["workflow_type_version"][0]
    fields = {
        "workflow_url": workflow,
        "workflow_type": kind,
        "workflow_type_version": version,
        "workflow_params": json.dumps(params),
        "workflow_engine_parameters": json.dumps(dict(options or {})),
        "tags": json.dumps({**(tags or {}), "project": project}),
    }
    files = {name: (None, value) for name, value in fields.items()}
    return str(client.request("POST", f"{WES}/runs", files=files).json()["run_id"])


@app.command("list")
def list_(
    state: Annotated[str, typer.Option(help="Only runs in this state, such as RUNNING.")] = "",
    name: Annotated[str, typer.Option(help="Only runs whose name begins so.")] = "",
    workflow: Annotated[str, typer.Option(help="Only runs of NAME, or NAME/VERSION.")] = "",
    tags: Annotated[list[str], typer.Option("--tag", help="Only runs with NAME=VALUE; NAME= takes any.")] = [],  # noqa: B006
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show your runs, newest first."""
    asked = dict(map(_pair, tags))
    filters = {"state": state, "name_prefix": name, "workflow": workflow}
    query = {key: value for key, value in filters.items() if value}
    with Client(server, token) as client:
        runs = client.get(f"{WES}/runs", **query, tag_key=list(asked), tag_value=list(asked.values()))["runs"]
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
        bar, state, last = progress.add_task(label, total=None), "", ""
        while state not in TERMINAL:
            for heard, told in _events(client, run, last):
                last, state = heard, str(told["state"])
                progress.update(
                    bar,
                    completed=told["tasks_done"],
                    total=told["tasks_planned"],
                    description=f"{label} {state.lower()}",
                )
            time.sleep(pause if state not in TERMINAL else 0)
    return state


def _events(client: Client, run: str, last: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what one stream of server-sent events tells: the event's id, and how far the run is."""
    headers = {"Last-Event-ID": last} if last else {}
    try:
        with refusals(), client.http.stream("GET", f"{WES}/runs/{run}/events", headers=headers) as answer:
            if not answer.is_success:
                answer.read()
            identifier = last
            for line in checked(answer).iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    identifier = value
                elif name == "data":
                    yield identifier, json.loads(value)
    except httpx.ConnectError:
        with refusals():
            raise client.no_answer() from None
    except httpx.HTTPError:
        return  # the stream broke off; who asks again hears what it missed


@app.command()
def cancel(run: RunId, token: Token = "", server: Server = SERVER) -> None:
    """Cancel a run; CANCELED is shown when its engine and tasks are gone."""
    with Client(server, token) as client:
        client.post(f"{WES}/runs/{run}/cancel")
    out.print("Canceling.")


@app.command()
def resume(run: RunId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Have a run go on that failed or was canceled; what its tasks finished is not done again."""
    with Client(server, token) as client:
        client.post(f"{WES}/runs/{run}/resume")
    if as_json:
        print_json({"run_id": run})
    else:
        out.print(f"Resumed; `strongroom run watch {run}` follows it.")


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
