"""`headcount diff`: compares two finished runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from pipeline.cli import exit_codes
from pipeline.cli.connecting import (
    add_plugins_argument,
    connect,
    make_opener,
    say_what_is_pending,
    write,
)
from pipeline.cli.output import say, screen, show
from pipeline.errors.problems import ConfigError, Problem
from pipeline.readers.storage import is_local

HELP = "Compare two finished runs, of the same rows or of others."
EPILOG = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    parser.add_argument(
        "baseline", metavar="BASELINE", help="the output of the run to compare with"
    )
    parser.add_argument("candidate", metavar="CANDIDATE", help="the output of the run to look at")
    add_plugins_argument(parser)
    parser.add_argument("--output", metavar="FILE", help="also write the comparison there, as JSON")


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.report.report_json import report_bytes
    from pipeline.report.text.difference import render_diff
    from pipeline.runs.diff import diff, load_run
    from pipeline.runs.plugins import named_plugins
    from pipeline.runs.verify import open_run

    directories = (known.baseline, known.candidate)
    written = [known.output] if known.output else []
    connect(known, rest, [*(f"{directory}/_SUCCESS" for directory in directories), *written])
    for directory in directories:
        say_what_is_pending(directory)
    _check_output(known.output, directories)
    opener = make_opener(known, rest)
    runs = (open_run(directory, opener) for directory in directories) if known.plugins else ()
    plugins = named_plugins(known.plugins, runs)
    comparison = diff(*(load_run(directory, opener, plugins) for directory in directories))
    show(render_diff(comparison, screen=screen()))
    if known.output:
        write(known.output, report_bytes(comparison))
        say("", f"written to {known.output}")
    return exit_codes.OK


def _check_output(output: str | None, directories: Sequence[str]) -> None:
    """Checks that the comparison would not replace a file of a run that it compares.

    Raises:
        ConfigError: if it would.
    """
    from pipeline.runs.outputs import FILES

    for directory in directories if output else ():
        for name in FILES:
            if _real(f"{directory.rstrip('/')}/{name}") == _real(str(output)):
                message = "is a file of a run that is compared; write to another"
                raise ConfigError([Problem(str(output), (), message)])


def _real(path: str) -> str:
    return os.path.realpath(path) if is_local(path) else path
