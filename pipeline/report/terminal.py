"""Shows a report, and the difference of two runs, as tables in the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from pipeline.errors.printable import printable
from pipeline.errors.wording import first_names
from pipeline.slicing.names import slice_name

WIDEST_NAME = 48
"""The greatest width of a name, in columns of the terminal; a longer name is cut."""
MOST_COLUMNS = 8
"""How many slices stand side by side at most, overall included; report.json has more."""
WIDEST_TABLE = 120
"""The greatest width of the table of slices; slices that do not fit are in report.json alone."""
MOST_WORSE = 20
"""How many slices that got worse are listed, and how many classes a shown matrix may have."""

_ABOUT = "~"


def render(report: dict[str, Any], encoding: str = "utf-8") -> str:
    """Returns the main metrics of every head, as text.

    The table of a head shows overall with its intervals first, then a column for each slice.

    Args:
        report: the report as data, see `build_report`.
        encoding: the encoding of the terminal; the text has no character that it lacks.
    """
    rows = report["rows"]
    level = report["config"]["confidence"]["level"]
    lines = [f"{rows['evaluated']:,} rows evaluated of {rows['read']:,} read"]
    for name, head in report["heads"].items():
        kind = head["type"].replace("_", "-")
        weights = "weighted" if head["weighted"] else "unweighted"
        lines += ["", f"{name}  ({kind}, {weights})"]
        lines += _metrics(head, level, encoding)
        # Reports of older releases do not have the key.
        if report["config"].get("against_overall"):
            lines += _against_overall(head, level, encoding)
        if "worse" in head:
            lines += _comparison(head, level, encoding)
        lines += _matrices(head, encoding)
    return _text_of(lines, encoding)


def render_diff(comparison: dict[str, Any], encoding: str = "utf-8") -> str:
    """Returns what changed from one run to another: overall, then the slices that got worse.

    Args:
        comparison: the difference of two runs as data, see `pipeline.runs.diff`.
        encoding: the encoding of the terminal; the text has no character that it lacks.
    """
    level = comparison["config"]["confidence"]["level"]
    lines = []
    for name, head in comparison["heads"].items():
        how = "paired" if head["paired"] else f"not paired: {head['unpaired_because']}"
        lines += [f"{name}  ({head['type'].replace('_', '-')}, {how})"]
        overall = head["slices"][0]["difference"]
        table = [["overall", "difference", f"{level:.4g} interval"]]
        table += [
            [metric, _number(overall[metric]), _interval(overall[metric])]
            for metric in head["headline"]
            if metric in overall
        ]
        lines += [*_aligned(table, encoding), *_worse(head["worse"], level, encoding)]
        if head["not_compared"]:
            names = first_names(head["not_compared"])
            lines.append(f"  not compared, for a run of another release lacks its states: {names}")
        lines.append("")
    return _text_of(lines[:-1], encoding)


def _text_of(lines: Sequence[str], encoding: str) -> str:
    """Returns lines as a text; what a line repeats of the report may hold any character."""
    return "".join(f"{printable(line, encoding)}\n" for line in lines)


def _metrics(head: dict[str, Any], level: float, encoding: str) -> list[str]:
    """Returns the lines of a head's table: a line for each metric, a column for each slice."""
    slices = head["slices"]
    shown = slices[:MOST_COLUMNS]
    names = head["headline"]
    titles = [slice_name(entry["slice"]) + ("*" if entry["small"] else "") for entry in shown]
    table = [["", titles[0], f"{level:.4g} interval", *titles[1:]]]
    counts = [f"{entry['examples']:,}" for entry in shown]
    table.append(["examples", counts[0], "", *counts[1:]])
    for name in names:
        values = [entry["metrics"].get(name) for entry in shown]
        table.append([name, _number(values[0]), _interval(values[0]), *map(_number, values[1:])])
    fitting = _fitting(table, encoding)
    shown = shown[: fitting - 2]
    reasons = {
        metric["reason"]
        for entry in shown
        for metric in (entry["metrics"].get(name, {}) for name in names)
        if "reason" in metric
    }
    lines = _aligned([row[:fitting] for row in table], encoding)
    if any(cell.startswith(_ABOUT) for row in table for cell in row[1:fitting]):
        lines.append(f"  {_ABOUT} is a value of rounded scores; report.json has its bounds")
    if any("threshold_" in name for name in names):
        lines.append(f"  at a threshold, positive is: {head['threshold_rule']}")
    if reasons:
        lines.append(f"  - is undefined: {'; '.join(sorted(reasons))}")
    if any(entry["small"] for entry in shown):
        lines.append("  * is a slice of fewer rows than min_slice_size")
    hidden = len(slices) - len(shown) + head["slices_left_out"]
    if hidden:
        lines.append(f"  and {hidden:,} more slices")
    return lines


def _against_overall(head: dict[str, Any], level: float, encoding: str) -> list[str]:
    """Returns the lines that compare the slices shown with overall: differences, then ratios."""
    shown = head["slices"][1:MOST_COLUMNS]
    lines = []
    for kind, title, equal in (
        ("difference", "difference from overall", 0.0),
        ("ratio", "ratio to overall", 1.0),
    ):
        table = [[title, *(slice_name(entry["slice"]) for entry in shown)]]
        for name in head["headline"]:
            found = [
                entry["metrics"].get(name, {}).get("against_overall", {}).get(kind)
                for entry in shown
            ]
            table.append([name, *(_number(metric) + _sure(metric, equal) for metric in found)])
        fitting = _fitting(table, encoding)
        lines += ["", *_aligned([row[:fitting] for row in table], encoding)]
    if shown:
        lines.append(f"  ! is unlike overall: its {level:.4g} interval is on one side of it")
    return lines if shown else []


def _sure(metric: dict[str, Any] | None, equal: float) -> str:
    """Returns a mark for a metric whose interval does not hold a value, and else a space."""
    if metric is None or "lower" not in metric:
        return " "
    lower, upper = metric["lower"], metric["upper"]
    beyond = (lower is not None and lower > equal) or (upper is not None and upper < equal)
    return "!" if beyond else " "


def _comparison(head: dict[str, Any], level: float, encoding: str) -> list[str]:
    """Returns the lines that show both models side by side, and the slices that got worse."""
    overall = head["slices"][0]
    table = [["", "candidate", "baseline", "difference", f"{level:.4g} interval"]]
    models = (overall["metrics"], overall["baseline"]["metrics"])
    for name in head["headline"]:
        sides = (*models, overall["difference"])
        values = [side.get(name) for side in sides]
        table.append([name, *map(_number, values), _interval(values[2])])
    for name, value in overall["both"].items():
        if "/" not in name:
            table.append([name, "", "", _number(value), _interval(value)])
    lines = ["", *_aligned(table, encoding)]
    return [*lines, *_worse(head["worse"], level, encoding)]


def _worse(worse: list[dict[str, Any]], level: float, encoding: str) -> list[str]:
    """Returns the lines that list the slices that got worse, at most `MOST_WORSE` of them."""
    if not worse:
        return ["  no slice got worse beyond noise"]
    lines = ["", f"worse beyond noise (false discoveries at most one in {1 / (1 - level):.3g})"]
    rows = [["metric", "slice", "difference", "adjusted p"]]
    rows += [
        [
            entry["metric"],
            slice_name(entry["slice"]),
            f"{entry['difference']:.5f}",
            f"{entry['p_adjusted']:.2g}",
        ]
        for entry in worse[:MOST_WORSE]
    ]
    lines += _aligned(rows, encoding)
    if len(worse) > MOST_WORSE:
        lines.append(f"  and {len(worse) - MOST_WORSE:,} more")
    return lines


def _interval(metric: dict[str, Any] | None) -> str:
    """Returns the interval of a metric as text, empty where there is none."""
    if metric is None or "lower" not in metric:
        return ""
    lower, upper = metric["lower"], metric["upper"]
    if lower is None:
        return "any" if upper is None else f"at most {_text(upper)}"
    return f"at least {_text(lower)}" if upper is None else f"{_text(lower)} to {_text(upper)}"


def _matrices(head: dict[str, Any], encoding: str) -> list[str]:
    """Returns the lines of the confusion matrices of the first slice that has any."""
    entry = next((entry for entry in head["slices"] if "confusion_matrix" in entry), None)
    if entry is None or len(head["classes"]) > MOST_WORSE:
        return []
    lines = _matrix(head, entry["confusion_matrix"], "examples", encoding)
    if "weighted_confusion_matrix" in entry:
        lines += _matrix(head, entry["weighted_confusion_matrix"], "weight", encoding)
    return lines


def _matrix(
    head: dict[str, Any], cells: list[list[float | None]], counted: str, encoding: str
) -> list[str]:
    """Returns the lines of a confusion matrix."""
    classes = head["classes"]
    table = [["label \\ predicted", *classes]]
    table += [
        [name, *(_cell(cell) for cell in row)] for name, row in zip(classes, cells, strict=True)
    ]
    return ["", f"{counted} by label and predicted class", *_aligned(table, encoding)]


def _cell(cell: float | None) -> str:
    """Returns a cell of a confusion matrix as text."""
    if not cell:
        return "-" if cell is None else "."
    return f"{cell:,}" if isinstance(cell, int) else _text(cell)


def _number(metric: dict[str, Any] | None) -> str:
    """Returns the value of a metric as text, `-` where it is undefined or was not measured.

    A value whose bounds differ in the digits shown is marked.
    """
    if metric is None or metric["value"] is None:
        return "-"
    lowest, highest = metric.get("rounded", (0.0, 0.0))
    about = _ABOUT if _text(lowest) != _text(highest) else ""
    return about + _text(metric["value"])


def _text(value: float) -> str:
    """Returns a number as text: whole thousands with commas, all else with five decimals."""
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1000 else f"{value:.5f}"


def _fitting(table: Sequence[Sequence[str]], encoding: str) -> int:
    """Returns how many columns of a table fit into `WIDEST_TABLE`.

    There are at least four: the names, overall, its interval and one slice.
    """
    widths = [
        2 + max(_width(_shown(cell, encoding)) for cell in column)
        for column in zip(*table, strict=True)
    ]
    return max(4, sum(1 for total in accumulate(widths) if total <= WIDEST_TABLE))


def _aligned(table: Sequence[Sequence[str]], encoding: str) -> list[str]:
    """Returns the lines of a table: its first column on the left, the others on the right."""
    clean = [[_shown(cell, encoding) for cell in row] for row in table]
    widths = [max(map(_width, column)) for column in zip(*clean, strict=True)]
    lines = []
    for row in clean:
        first = row[0] + " " * (widths[0] - _width(row[0]))
        rest = [" " * (width - _width(c)) + c for c, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(["", first, *rest]).rstrip())
    return lines


def _shown(text: str, encoding: str) -> str:
    """Returns a text as a table shows it: printable, and cut to `WIDEST_NAME` columns."""
    # Marks on a letter take no column of their own, but nobody reads more than a few of them.
    most = 4 * WIDEST_NAME
    clean = printable(text[:most], encoding)
    if _width(clean) <= WIDEST_NAME and len(text) <= most:
        return clean
    ellipsis = printable("\N{HORIZONTAL ELLIPSIS}", encoding)
    if len(ellipsis) > 1:
        ellipsis = "..."
    widths = accumulate(map(_width, clean))
    fitting = sum(1 for width in widths if width <= WIDEST_NAME - len(ellipsis))
    return clean[:fitting] + ellipsis


def _width(text: str) -> int:
    """Returns how many columns of the terminal a text takes.

    Wide characters take two, and marks that are written over the letter before them take none.
    """
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me")
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )
