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
from pipeline.cli.output import screen, show
from pipeline.cli.verdict import add_json_argument, answer_verdict
from pipeline.errors.problems import ConfigError, Problem

HELP = "Print the report of a finished run: the verdict, what got worse, and the main metrics."
EPILOG = None

_REPEATED = "; may be given several times"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    parser.add_argument("directory", metavar="DIR", help="the output of a run")
    add_plugins_argument(parser)
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="show all main metrics, both models, all that got worse, and matrices",
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print it as at most 60 lines of Markdown"
    )
    for option, metavar, text in (
        ("head", "NAME", "show this head alone"),
        ("metric", "NAME", "show this metric in every slice"),
        ("slice", "COLUMN=VALUE", "show the slices of this condition; of several, those of all"),
    ):
        parser.add_argument(
            f"--{option}", metavar=metavar, action="append", default=[], help=text + _REPEATED
        )
    parser.add_argument(
        "--sort",
        metavar="KEY",
        help="show all slices, sorted by: worst, value, difference, examples or slice",
    )
    add_json_argument(parser)


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.report.report_layout import parse_report
    from pipeline.report.text.chosen import Choice, only_heads, render_chosen
    from pipeline.report.text.markdown import markdown
    from pipeline.report.text.render import render
    from pipeline.runs.plugins import named_plugins
    from pipeline.runs.read import read_gates, read_notes
    from pipeline.runs.verify import explained, open_run

    choice = Choice(known.head, known.metric, known.slice, known.sort)
    if known.markdown and (choice.of_figures or known.verbose):
        message = "--markdown goes with --head alone: it shows the verdict and the main metrics"
        raise ConfigError([Problem("command line", (), message)])
    connect(known, rest, [f"{known.directory}/_SUCCESS"])
    say_what_is_pending(known.directory)
    run = open_run(known.directory, make_opener(known, rest))
    if known.plugins:
        # The values are stored, and shown without code; this holds the code against the run.
        named_plugins(known.plugins, [run])
    with explained(known.directory, "report.json"):
        report = only_heads(parse_report(run.read("report.json")).data, choice.heads)
    gates, notes = read_gates(run), read_notes(run)
    if known.json:
        answer_verdict(exit_codes.OK, known.directory, report, gates)
        return exit_codes.OK
    if known.markdown:
        text = markdown(report, gates, notes)
    elif choice.of_figures:
        text = render_chosen(report, choice, gates, notes, screen())
    else:
        text = render(report, gates, notes, screen(), verbose=known.verbose)
    show(text)
    return exit_codes.OK
