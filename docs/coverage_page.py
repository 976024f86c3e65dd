"""Writes docs/coverage.md, the page of how often intervals held, from what a benchmark wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).resolve().parents[1] / "benchmarks" / "coverage.json"
OF_DIFFERENCES = "difference of "
EQUAL = "two equally good models"

_TOP = """<!-- Written by `make docs`; do not edit. -->

# How often intervals hold

In simulation, for every metric of a binary head that has an interval: the percentage of
{repetitions:,} samples of {rows:,} rows in which the nominal 95 % interval held the true value, and
in brackets the percentage that had no interval, if any. The simulation error is {error:.1f}. `T` is
the threshold of the scenario; `--` says that no sample had an interval. Rows are independent but in
clusters, each of which is a key. `benchmarks/coverage.py` has the populations, and draws the
samples:

    .venv/bin/python benchmarks/coverage.py --repetitions {repetitions} \\
        --output benchmarks/coverage.json

Counts, such as `true_positives`, hold too often here: their intervals allow for another number of
rows, and the samples are all of one size.
"""

_DIFFERENCES = """
## Differences of two models

The same of the candidate less the baseline, which score the same rows.
"""

_ALARMS = """
## False alarms

How often the p-value of a metric calls a candidate worse at 5 % that is as good as the baseline.
"""


def coverage_page() -> str:
    """Returns docs/coverage.md."""
    measured = json.loads(MEASURED.read_text())
    repetitions = measured["repetitions"]
    error = 100 * (0.95 * 0.05 / repetitions) ** 0.5
    top = _TOP.format(repetitions=repetitions, rows=measured["rows"], error=error)
    scenarios = {name: _by_metric(found) for name, found in measured["scenarios"].items()}
    models = {
        name: {metric: shares for metric, shares in found.items() if not _is_difference(metric)}
        for name, found in scenarios.items()
    }
    differences = {
        name: {
            metric.removeprefix(OF_DIFFERENCES): shares
            for metric, shares in found.items()
            if _is_difference(metric)
        }
        for name, found in scenarios.items()
    }
    alarms = [
        f"| `{metric}` | {100 * shares['worse']:.1f} |"
        for metric, shares in sorted(differences[EQUAL].items())
        if "worse" in shares
    ]
    lines = [top, *_table(models), _DIFFERENCES, *_table(differences), _ALARMS]
    return "\n".join([*lines, "| metric | % |", "|---|---|", *alarms]) + "\n"


def _is_difference(metric: str) -> bool:
    return metric.startswith(OF_DIFFERENCES)


def _by_metric(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was found of each metric, whose threshold is T, where it is not one half."""
    return {
        re.sub(r"positive_threshold_\S+", "positive_threshold_T", metric): shares
        for metric, shares in found.items()
    }


def _table(scenarios: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the lines of a table with a row for each metric, and a column for each scenario."""
    metrics = sorted({metric for found in scenarios.values() for metric in found})
    lines = [f"| metric | {' | '.join(scenarios)} |", f"|---|{'---|' * len(scenarios)}"]
    for metric in metrics:
        cells = [_cell(found.get(metric)) for found in scenarios.values()]
        if any(cell != "--" for cell in cells):
            lines.append(f"| `{metric}` | {' | '.join(cells)} |")
    return lines


def _cell(shares: Mapping[str, float] | None) -> str:
    """Returns the percentage that held, and the percentage without an interval."""
    if shares is None or "coverage" not in shares:
        return "--"
    without = f" ({100 * shares['none']:.0f})" if shares["none"] >= 0.01 else ""
    return f"{100 * shares['coverage']:.1f}{without}"


if __name__ == "__main__":
    print(coverage_page(), end="")
