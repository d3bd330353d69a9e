"""`strongroom demo`: the main job on real data, from the submission to the released result."""

from typing import Annotated

import typer

from strongroom.cli.bench import play


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the home of the demo for a look round.")] = False,
) -> None:
    """Play the whole path on real data, with embedded defaults, and compare with bare Snakemake."""
    play("story", *(["--keep"] if keep else []))
