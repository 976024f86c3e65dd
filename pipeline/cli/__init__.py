"""The command `headcount run | validate | show | diff | demo | schema`, a module per subcommand."""

from pipeline.cli.command import main

__all__ = ["main"]
