"""`headcount diff`: compares two finished runs."""

from __future__ import annotations

import argparse

from pipeline.cli import exit_codes
from pipeline.cli.connecting import connect, make_opener, write

HELP = "Compare two finished runs, of the same rows or of others."
EPILOG = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    parser.add_argument(
        "baseline", metavar="BASELINE", help="the output of the run to compare with"
    )
    parser.add_argument("candidate", metavar="CANDIDATE", help="the output of the run to look at")
    parser.add_argument("--output", metavar="FILE", help="also write the comparison there, as JSON")


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.report.report_json import report_bytes
    from pipeline.report.terminal import render_diff
    from pipeline.runs.diff import diff, load_run

    directories = (known.baseline, known.candidate)
    written = [known.output] if known.output else []
    connect(known, rest, [*(f"{directory}/_SUCCESS" for directory in directories), *written])
    opener = make_opener(known, rest)
    comparison = diff(*(load_run(directory, opener) for directory in directories))
    print(render_diff(comparison), end="")
    if known.output:
        write(known.output, report_bytes(comparison))
        print(f"\nwritten to {known.output}")
    return exit_codes.OK
