"""Gathers all verbs of the `strongroom` command."""

import typer

from strongroom.cli import (
    audit,
    dataset,
    demo,
    doctor,
    image,
    ingress,
    key,
    node,
    project,
    release,
    request,
    review,
    review_words,  # noqa: F401  its verbs join those of `review`
    run,
    serve,
    workflow,
)
from strongroom.cli.bench import bench
from strongroom.cli.check import check
from strongroom.cli.token import token

app = typer.Typer(
    name="strongroom",
    help="A secure processing environment for sensitive genomic and health data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(token)
app.command()(check)
app.command()(bench)
for _name, _group in {
    "project": project,
    "dataset": dataset,
    "image": image,
    "workflow": workflow,
    "run": run,
    "request": request,
    "ingress": ingress,
    "review": review,
    "release": release,
    "audit": audit,
    "key": key,
    "node": node,
}.items():
    app.add_typer(_group.app, name=_name)
