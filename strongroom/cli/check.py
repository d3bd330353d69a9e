"""`strongroom check`: the airlock's disclosure checks on files of one's own, alone and inside walls."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from airlock.checks.codes import Code
from airlock.checks.texts import TEXTS
from airlock.checks.thresholds import Policy
from airlock.contract import Contract, lint, parse_contract
from airlock.policy import FLOOR, stricter_policy
from airlock.promises import Kept, promise_kept
from strongroom.cli import check_walls, sarif
from strongroom.cli.client import AsJson, err, out, print_json
from strongroom.errors import BadRequest

BLOCKED = 6
_MOST_TEXT = 1 << 20
_MOST_FILES = 100_000
_SMALL = 128 << 10
_MOST_TOGETHER = 48


class Shape(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders to check.", exists=True)] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Thresholds (YAML or JSON), each as strict as the platform's or stricter.")
    ] = None,
    contract: Annotated[
        Path | None, typer.Option(help="An output contract (YAML or JSON): what it does not promise is stopped.")
    ] = None,
    lint_contract: Annotated[
        Path | None, typer.Option("--lint-contract", help="Say what is wrong with this output contract.")
    ] = None,
    shape: Annotated[Shape, typer.Option("--format", help="text, json or sarif.")] = Shape.TEXT,
    as_json: AsJson = False,
) -> None:
    """Say what the airlock would find in these files.

    Ends with 0 when none would be stopped, 6 when one would, 1 or 2 when nothing could be said.
    """
    shape = Shape.JSON if as_json else shape
    limits = read_policy(policy)
    if lint_contract is not None:
        _lint(lint_contract, limits, shape)
        return
    if not paths:
        raise BadRequest("Name files or folders to check, or a contract with --lint-contract.")
    rules = None if contract is None else read_contract(contract, limits)
    files = dict(named for path in paths for named in _files(path))
    if len(files) > _MOST_FILES:
        raise BadRequest(f"At most {_MOST_FILES} files are checked at once.")
    walls = check_walls.walls()
    if not walls.firm:
        err.print(f"Without walls: {walls.why} The files are read by a process of this user.")
    answers = _answers(files, rules, limits, walls)
    kept = (
        None
        if rules is None
        else promise_kept(rules, {n: [f["code"] for f in a["findings"]] for n, a in answers.items()})
    )
    _show(answers, kept, shape)
    if any(answer["verdict"] == "block" for answer in answers.values()):
        raise typer.Exit(BLOCKED)


def read_policy(path: Path | None) -> Policy:
    """Return the platform's thresholds, made stricter by a file."""
    if path is None:
        return FLOOR
    raw = _structured(path)
    if not isinstance(raw, Mapping):
        raise BadRequest("A policy is a list of thresholds and their numbers.")
    return stricter_policy(raw)


def read_contract(path: Path, policy: Policy) -> Contract:
    """Return the contract in a file: a list of rules, or a manifest with `outputs`."""
    return parse_contract(_outputs(path), policy)


def inspect(path: Path) -> dict[str, Any]:
    """Return the checks' answer for one file by the platform's thresholds."""
    return check_walls.ask([check_walls.Asked(path.name, path)], policy=FLOOR, walls=check_walls.walls())[0]


def _answers(
    files: Mapping[str, Path], rules: Contract | None, policy: Policy, walls: check_walls.Walls
) -> dict[str, dict[str, Any]]:
    """Have all files judged, as many jails at once as there are processors, and draw how far it is."""
    answers = dict.fromkeys(files, check_walls.refused(policy, Code.UNDECLARED))
    asked = [one for name, path in files.items() if (one := _asked(name, path, rules, files)) is not None]
    columns = (TextColumn("Checking"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
    with (
        Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as progress,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        bar = progress.add_task("", total=len(asked))
        batches = list(_batches(asked, most=_MOST_TOGETHER if walls.nested else 1))
        told = pool.map(lambda batch: check_walls.ask(batch, policy=policy, walls=walls), batches)
        for batch, said in zip(batches, told, strict=True):
            answers |= {one.name: answer for one, answer in zip(batch, said, strict=True)}
            progress.advance(bar, len(batch))
    return answers


def _asked(name: str, path: Path, rules: Contract | None, files: Mapping[str, Path]) -> check_walls.Asked | None:
    if rules is None:
        return check_walls.Asked(name, path)
    rule = rules.rule_for(name)
    if rule is None or rule.promise is None:
        return None
    needed = {one: files[one] for one in rule.promise.needs if one in files}
    return check_walls.Asked(name, path, rule.promise, needed)


def _batches(asked: list[check_walls.Asked], *, most: int) -> Iterator[list[check_walls.Asked]]:
    """Yield files that share outer walls: small ones in dozens, each other one alone."""
    batch: list[check_walls.Asked] = []
    for one in asked:
        if max(_size(path) for path in (one.path, *one.supporting.values())) > _SMALL:
            yield [one]
            continue
        batch.append(one)
        if len(batch) == most:
            yield batch
            batch = []
    if batch:
        yield batch


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield names and places; links are named and never followed, so that nothing outside is read."""
    if path.is_symlink() or not path.is_dir():
        yield path.name, path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted([*names, *(one for one in folders if Path(folder, one).is_symlink())]):
            found = Path(folder, name)
            yield found.relative_to(path).as_posix(), found


def _structured(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            return yaml.safe_load(stream.read(_MOST_TEXT))
    except (OSError, yaml.YAMLError, RecursionError) as error:
        raise BadRequest(f"{path.name} cannot be read as YAML or JSON.") from error


def _outputs(path: Path) -> Any:
    raw = _structured(path)
    return raw.get("outputs") if isinstance(raw, Mapping) else raw


def _lint(path: Path, policy: Policy, shape: Shape) -> None:
    sentences = lint(_outputs(path), policy)
    if shape is Shape.TEXT:
        for sentence in sentences:
            out.print(sentence, markup=False)
        out.print("This contract can be vetted." if not sentences else "This contract cannot be vetted.")
    else:
        print_json({"contract": path.name, "wrong": list(sentences)})
    if sentences:
        raise typer.Exit(BLOCKED)


def _show(answers: Mapping[str, dict[str, Any]], kept: Kept | None, shape: Shape) -> None:
    if shape is Shape.SARIF:
        print_json(sarif.report(answers))
        return
    if shape is Shape.JSON:
        print_json(answers)
        return
    table = Table("File", "Verdict", "Finding", "Where", "Reason")
    for path, answer in answers.items():
        for finding in answer["findings"] or [None]:
            if finding is None:
                table.add_row(path, answer["verdict"], "", "", "")
                continue
            where = ", ".join(f"{name} {number}" for name, number in finding["place"].items())
            table.add_row(path, answer["verdict"], finding["code"], where, TEXTS[Code(finding["code"])].reason)
    out.print(table)
    if kept is not None:
        out.print(str(kept))
