"""`headcount show`: prints the report of a finished run."""

from __future__ import annotations

import argparse

from pipeline.cli import exit_codes
from pipeline.cli.connecting import connect, make_opener, say_what_is_pending
from pipeline.cli.output import encoding, say

HELP = "Print the report of a finished run."
EPILOG = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    parser.add_argument("directory", metavar="DIR", help="the output of a run")


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.report.report_layout import parse_report
    from pipeline.report.terminal import render
    from pipeline.runs.read import read_run
    from pipeline.runs.verify import explained

    connect(known, rest, [f"{known.directory}/_SUCCESS"])
    say_what_is_pending(known.directory)
    (content,) = read_run(known.directory, ["report.json"], make_opener(known, rest))
    with explained(known.directory, "report.json"):
        report = parse_report(content)
    say(*render(report.data, encoding()).splitlines())
    return exit_codes.OK
