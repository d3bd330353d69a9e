"""`python -m strongroom.cli` is the `strongroom` command."""

from strongroom.cli import main

main()
