"""`headcount check`: says how the newest run of a directory ended, and what its gates say."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipeline.cli import exit_codes
from pipeline.cli.connecting import (
    add_gates_arguments,
    add_plugins_argument,
    connect,
    make_opener,
    store_of,
)
from pipeline.cli.output import screen, show, warn
from pipeline.cli.verdict import add_json_argument, answer_verdict, code_of
from pipeline.config.load import load_gates
from pipeline.errors.faults import BadData, NotFinished
from pipeline.errors.printable import printable

if TYPE_CHECKING:
    from pipeline.readers.storage import OpenFile
    from pipeline.runs.verify import VerifiedRun

HELP = "Say whether a run is finished and its gates let the model through."
EPILOG = (
    "Without --gates it returns the verdict that the run left: exit code 0 if the gates let the"
    " model through or there are none, 3 if not, 4 if the data were bad, 7 if the run is not"
    " finished. With --gates it judges anew. It writes nothing."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    parser.add_argument("directory", metavar="DIR", help="the output of a run")
    add_gates_arguments(parser)
    add_plugins_argument(parser)
    add_json_argument(parser)


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.runs.newest import check_newest
    from pipeline.runs.verify import open_run

    directory = known.directory
    named = [place for place in (known.against, known.gates) if place]
    connect(known, rest, [f"{directory}/_SUCCESS", *named])
    opener = make_opener(known, rest)
    try:
        check_newest(store_of(directory), directory, opener)
    except NotFinished as error:
        return _end(known, exit_codes.NOT_FINISHED, [str(error)])
    except BadData as error:
        warn(f"The data must not be reported on; the data report is {error.data_report}")
        return _end(known, exit_codes.DATA, error.problems)
    run = open_run(directory, opener)
    report, gates = _verdict(known, run, opener)
    code = code_of(gates)
    if known.json:
        answer_verdict(code, directory, report, gates)
    else:
        from pipeline.report.text.verdict import render_verdict
        from pipeline.runs.read import read_notes

        show(render_verdict(gates, report, read_notes(run), screen()))
    return code


def _end(known: argparse.Namespace, code: int, problems: list[str]) -> int:
    """Says why there is no verdict, and returns the exit code."""
    warn(*problems)
    if known.json:
        answer_verdict(code, known.directory, problems=problems)
    return code


def _verdict(
    known: argparse.Namespace, run: VerifiedRun, opener: OpenFile
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Returns the report of a run, and the verdict of its gates or of others.

    Raises:
        ConfigError: if the run is damaged, or the gates do not fit it.
    """
    from pipeline.report.report_layout import parse_report
    from pipeline.runs.file_names import REPORT
    from pipeline.runs.plugins import named_plugins
    from pipeline.runs.read import read_gates
    from pipeline.runs.verify import explained

    with explained(run.directory, REPORT):
        report = parse_report(run.read(REPORT)).data
    plugins = named_plugins(known.plugins, [run])
    if known.gates is None and known.against is None:
        return report, read_gates(run)
    # This takes a while to import, for it may judge.
    from pipeline.runs.gates import verdict_on

    gates = None if known.gates is None else load_gates(known.gates, opener)
    source = printable(known.gates or "command line")
    return report, verdict_on(run, gates, known.against, source, opener, plugins)
