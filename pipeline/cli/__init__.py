"""The command `headcount`, with a module for each of its subcommands."""

from collections.abc import Sequence

from pipeline.cli.signals import end_on_signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code; see `pipeline.cli.exit_codes`.

    Args:
        arguments: the arguments of the command. Without them it is the command of this process: it
            takes the arguments of the process, and signals end it.
    """

    def command() -> int:
        # This takes a third of a second, in which signals may come.
        from pipeline.cli.command import main

        return main(arguments)

    return end_on_signals(command) if arguments is None else command()


__all__ = ["main"]
