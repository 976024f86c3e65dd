"""`headcount show`: prints the report of a finished run."""

from __future__ import annotations

import argparse

from pipeline.cli import exit_codes
from pipeline.cli.connecting import (
    add_plugins_argument,
    connect,
    make_opener,
    say_what_is_pending,
)
from pipeline.cli.output import encoding, say

HELP = "Print the report of a finished run."
EPILOG = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    parser.add_argument("directory", metavar="DIR", help="the output of a run")
    add_plugins_argument(parser)


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.report.report_layout import parse_report
    from pipeline.report.terminal import render
    from pipeline.runs.plugins import named_plugins
    from pipeline.runs.read import read_run
    from pipeline.runs.verify import explained, open_run

    connect(known, rest, [f"{known.directory}/_SUCCESS"])
    say_what_is_pending(known.directory)
    opener = make_opener(known, rest)
    if known.plugins:
        # The values are stored, and shown without code; this holds the code against the run.
        named_plugins(known.plugins, [open_run(known.directory, opener)])
    (content,) = read_run(known.directory, ["report.json"], opener)
    with explained(known.directory, "report.json"):
        report = parse_report(content)
    say(*render(report.data, encoding()).splitlines())
    return exit_codes.OK
