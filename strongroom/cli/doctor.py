"""`strongroom doctor`: says what this node can and cannot do for the walls."""

import os
import shutil
from dataclasses import asdict

import typer
from rich.table import Table

from sandbox.doctor import Health, Item, examine, exit_code
from strongroom.cli.client import AsJson, out, print_json


def doctor(as_json: AsJson = False) -> None:
    """Examine this node; the exit code is that of the worst item: 0 good, 1 weaker, 2 missing."""
    items = [_users(), _python(), *examine()]
    if as_json:
        print_json([asdict(item) for item in items])
    else:
        table = Table("Item", "Health", "What it means")
        for item in items:
            table.add_row(item.name, item.health.value, item.says)
        out.print(table)
    raise typer.Exit(exit_code(items))


def _users() -> Item:
    if os.geteuid() == 0:
        return Item("services", Health.GOOD, "Broker, signer and services run as users of their own.")
    says = "Not root: all processes share one user, who could read the broker's keys."
    return Item("services", Health.WEAKER, says)


def _python() -> Item:
    if shutil.which("python3", path="/usr/bin") is None:
        return Item("python", Health.MISSING, "/usr/bin/python3 is missing: engines cannot start.")
    return Item("python", Health.GOOD, "/usr/bin/python3 is there for the engines.")
