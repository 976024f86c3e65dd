"""What `--json` prints: the verdict of a command as one object, which a scheduler can parse."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.cli import exit_codes
from pipeline.cli.output import answer

_NO_GATES: Mapping[str, Any] = {
    **dict.fromkeys(("headcount_gates", "passed", "against", "level")),
    "gates": [],
}


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the option by which stdout gets the verdict alone."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the verdict as one JSON object on stdout, and nothing else there",
    )


def code_of(gates: Mapping[str, Any] | None) -> int:
    """Returns the exit code of a command that has come to its end, given the verdict of gates."""
    return exit_codes.OK if gates is None or gates["passed"] else exit_codes.GATE


def answer_verdict(
    code: int,
    output: str | None = None,
    report: Mapping[str, Any] | None = None,
    gates: Mapping[str, Any] | None = None,
    problems: Sequence[str] = (),
) -> None:
    """Prints the verdict of a command with `--json`: its exit code, and what there is beside it.

    Args:
        code: the exit code of the command.
        output: the directory of the run, if it is known.
        report: the report of the run, if there is one.
        gates: the content of `gates.json`; None if no gate was asked or none was judged.
        problems: why there is no verdict, one line per reason.
    """
    verdict = None if gates is None else "PASS" if gates["passed"] else "FAIL"
    answer(
        {
            "verdict": verdict,
            "exit_code": code,
            "output": output,
            "rows": None if report is None else report["rows"],
            "heads": None if report is None else sorted(report["heads"]),
            "problems": list(problems),
            **(gates or _NO_GATES),
        }
    )
