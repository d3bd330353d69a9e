"""The `strongroom` command: one file a group of verbs."""


def main() -> None:
    """Be the `strongroom` command; a refusal is one sentence and an exit code."""
    import sys

    import structlog
    import typer

    from strongroom.cli.client import exit_code
    from strongroom.cli.verbs import app
    from strongroom.errors import StrongroomError

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for answers
    try:
        app()
    except StrongroomError as error:
        typer.echo(f"strongroom: {error.sentence}", err=True)
        raise SystemExit(exit_code(error.status)) from None
