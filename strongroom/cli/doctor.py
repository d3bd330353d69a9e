"""`strongroom doctor`: says what this node can and cannot do for the walls."""

import os
import shutil
from dataclasses import asdict

import typer
from rich.table import Table

from sandbox.doctor import Health, Item, examine, exit_code
from sandbox.images import ImageError, check_image
from strongroom.cli.client import AsJson, out, print_json
from strongroom.cli.image import names_of
from strongroom.settings import Settings, load
from tes.launch import store_of


def doctor(as_json: AsJson = False) -> None:
    """Examine this node; the exit code is that of the worst item: 0 good, 1 weaker, 2 missing."""
    items = [_users(), _python(), *examine(), *_images(load())]
    if as_json:
        print_json([asdict(item) for item in items])
    else:
        table = Table("Item", "Health", "What it means")
        for item in items:
            table.add_row(item.name, item.health.value, item.says)
        out.print(table)
    raise typer.Exit(exit_code(items))


def _images(settings: Settings) -> list[Item]:
    """Read every image that this home has, whole: its items say which one is not what was imported."""
    broken, whole = list[Item](), 0
    for digest in sorted({*names_of(settings).values(), *(f"sha256:{one}" for one in _recorded(settings))}):
        try:
            check_image(store_of(settings), digest)
            whole += 1
        except ImageError as error:
            broken.append(Item("image", Health.MISSING, f"{digest}: {error}"))
    return broken or [Item("images", Health.GOOD, f"{whole} in the store, all as they were imported.")]


def _recorded(settings: Settings) -> list[str]:
    try:
        return [path.name for path in settings.image_trees.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []


def _users() -> Item:
    if os.geteuid() == 0:
        return Item("services", Health.GOOD, "Broker, signer and services run as users of their own.")
    says = "Not root: all processes share one user, who could read the broker's keys."
    return Item("services", Health.WEAKER, says)


def _python() -> Item:
    if shutil.which("python3", path="/usr/bin") is None:
        return Item("python", Health.MISSING, "/usr/bin/python3 is missing: engines cannot start.")
    return Item("python", Health.GOOD, "/usr/bin/python3 is there for the engines.")
