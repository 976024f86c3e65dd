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

In simulation, for every metric that has an interval: the percentage of samples of {rows:,} rows in
which the nominal 95 % interval held the true value, of those that had one; and in brackets the
percentage that had none, if any. `--` says that no sample had an interval. Rows are independent but
in clusters, each of which is a key. `benchmarks/coverage.py` draws the samples:

    .venv/bin/python benchmarks/coverage.py --repetitions N --output benchmarks/coverage.json

{heads}

Whether there is an interval, counts of labels and predictions decide. Where few of the samples have
one, say less than a tenth, they are those that by chance have more of a scarce kind than most, and
the figure says how such chance misleads: `50.0 (97)` is a miss in 1.5 % of all samples.
"""

_HEADS = {
    "binary": (
        "Binary heads",
        """{samples}
The true values are integrated, up to sums on a grid whose error is far below that of the
simulation. `T` is the threshold of the scenario. The contrib binary head has metrics of the
same names and counts; of them its `auc` and `auc_precision_recall`, which it computes in another
way, were not simulated. Counts, such as `true_positives`, hold too often here: their intervals
allow for another number of rows, and the samples are all of one size. The figures of the first
six populations are of 10,000 samples, with a simulation error of 0.2, but for those of
`specificity_at_sensitivity_T` and its thresholds, `mean_absolute_error`, `squared_correlation`, the
coefficients of discrimination and `weight`. The populations are in
`benchmarks/coverage_binary.py`.""",
    ),
    "multi_class": (
        "Heads of exclusive classes",
        """{samples}
There are four classes, of which one has a nineteenth of the rows, or about 20
rows. The true values are those of a sample of {true_rows:,} rows: their own error is a {part}th of
the standard error that an interval is about, which changes no figure here by 0.1. The populations
are in `benchmarks/coverage_classes.py`.""",
    ),
    "multi_label": (
        "Heads of independent classes",
        """{samples}
There are three classes, of which one is true in an eighteenth of the rows, or
in about 20 rows. The true values are found as those of exclusive classes are.""",
    ),
    "regression": (
        "Regression heads",
        """{samples}
A label is the sum of what the models know and of an error, which is normal, or of
Student's distribution with 5 degrees of freedom (heavy tails). Two populations have samples of 20
and of 100 rows. The true values are those of a sample of {true_rows:,} rows. Logistic regression
has metrics of the same names, and was not simulated. The populations are in
`benchmarks/coverage_regression.py`.""",
    ),
    "poisson": (
        "Heads of counts",
        """{samples}
The labels have a Poisson distribution around e on average. The true values are found as those of
regression are.""",
    ),
}

_DIFFERENCES = """
### Differences of two models

The same of the candidate less the baseline, which score the same rows.
"""

_ALARMS = """
### False alarms

How often the p-value of a metric calls a candidate worse at 5 % that is as good as the baseline;
and in how many entries of ten slices it is called worse in any, with p-values adjusted as a run
adjusts them. Of these there are a tenth as many, and their simulation error is {entries:.1f}.
"""


def coverage_page() -> str:
    """Returns docs/coverage.md."""
    measured = json.loads(MEASURED.read_text())
    heads = measured["heads"]
    names = [
        f"- [{_HEADS[head][0]}](#{_HEADS[head][0].lower().replace(' ', '-')})" for head in heads
    ]
    lines = [_TOP.format(rows=next(iter(heads.values()))["rows"], heads="\n".join(names))]
    for head, found in heads.items():
        repetitions, (title, text) = found["repetitions"], _HEADS[head]
        samples = (
            f"Of {repetitions:,} samples of each population; the simulation error is"
            f" {100 * (0.95 * 0.05 / repetitions) ** 0.5:.1f}."
        )
        true_rows = measured["true_rows"]
        part = round((true_rows / found["rows"]) ** 0.5)
        told = text.format(samples=samples, true_rows=true_rows, part=part)
        entries = 100 * (0.95 * 0.05 / (repetitions // 10)) ** 0.5
        lines += [f"## {title}\n", told + "\n", *_tables(found["scenarios"], entries)]
    return "\n".join(lines) + "\n"


def _tables(measured: Mapping[str, Mapping[str, Any]], entries: float) -> list[str]:
    """Returns the tables of a type of head: of models, of differences and of false alarms."""
    scenarios = {name: _by_metric(found) for name, found in measured.items()}
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
        f"| `{metric}` | {100 * shares['worse']:.1f} | {100 * shares['worse_entries']:.1f} |"
        for metric, shares in sorted(differences[EQUAL].items())
        if "worse" in shares
    ]
    lines = [*_table(models), _DIFFERENCES, *_table(differences), _ALARMS.format(entries=entries)]
    return [*lines, "| metric | % | % of entries |", "|---|---|---|", *alarms, ""]


def _is_difference(metric: str) -> bool:
    return metric.startswith(OF_DIFFERENCES)


def _by_metric(found: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was found of each metric, whose threshold is T, where it is not one half."""
    return {
        re.sub(r"positive_threshold_[^/]+", "positive_threshold_T", metric): shares
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
