"""`headcount diff`: compares two finished runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from pipeline.cli.connecting import (
    add_plugins_argument,
    connect,
    make_opener,
    say_what_is_pending,
    write,
)
from pipeline.cli.output import say, screen, show
from pipeline.cli.verdict import add_json_argument, answer_verdict, code_of
from pipeline.config.load import load_gates
from pipeline.errors.printable import printable
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
    parser.add_argument(
        "--gates",
        metavar="FILE",
        help="judge CANDIDATE by the gates in this YAML file; those with 'against: run' compare it"
        " with BASELINE",
    )
    add_plugins_argument(parser)
    parser.add_argument("--output", metavar="FILE", help="also write the comparison there, as JSON")
    add_json_argument(parser)


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.report.report_json import report_bytes
    from pipeline.report.report_layout import parse_report
    from pipeline.report.text.difference import render_diff
    from pipeline.runs.diff import diff
    from pipeline.runs.file_names import REPORT
    from pipeline.runs.gates import OtherRun, judge, with_gates
    from pipeline.runs.load import compared_series, gated_series, read_states
    from pipeline.runs.plugins import named_plugins
    from pipeline.runs.verify import open_run

    directories = (known.baseline, known.candidate)
    named = [path for path in (known.output, known.gates) if path]
    connect(known, rest, [*(f"{directory}/_SUCCESS" for directory in directories), *named])
    for directory in directories:
        say_what_is_pending(directory)
    _check_output(known.output, directories)
    opener = make_opener(known, rest)
    gates = () if known.gates is None else load_gates(known.gates, opener)
    runs = [open_run(directory, opener) for directory in directories]
    plugins = named_plugins(known.plugins, runs)
    baseline, candidate = (
        read_states(run, plugins, lambda plan: compared_series(plan) | gated_series(plan, gates))
        for run in runs
    )
    verdict = None
    if known.gates is not None:
        with_gates(candidate.plan, gates, printable(known.gates))
        other = OtherRun(runs[0].manifest["id"], known.baseline, None, baseline)
        verdict = judge(gates, candidate, other)
    comparison = diff(baseline, candidate)
    if known.json:
        report = parse_report(runs[1].read(REPORT)).data
        answer_verdict(code_of(verdict), known.candidate, report, verdict)
    else:
        show(render_diff(comparison, verdict, screen()))
    if known.output:
        write(known.output, report_bytes(comparison))
        say("", f"written to {known.output}")
    return code_of(verdict)


def _check_output(output: str | None, directories: Sequence[str]) -> None:
    """Checks that the comparison would not replace a file of a run that it compares.

    Raises:
        ConfigError: if it would.
    """
    from pipeline.runs.file_names import FILES

    for directory in directories if output else ():
        for name in FILES:
            if _real(f"{directory.rstrip('/')}/{name}") == _real(str(output)):
                message = "is a file of a run that is compared; write to another"
                raise ConfigError([Problem(str(output), (), message)])


def _real(path: str) -> str:
    return os.path.realpath(path) if is_local(path) else path
