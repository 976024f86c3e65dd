"""The report as a table for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

WIDEST_NAME = 48
MOST_COLUMNS = 9
"""So many slices, overall among them, stand side by side; report.json has them all."""


def render(report: dict[str, Any]) -> str:
    """The metrics of every head, a row each, overall and then a column for each slice."""
    rows = report["rows"]
    lines = [f"{rows['evaluated']:,} rows evaluated of {rows['read']:,} read"]
    for name, head in report["heads"].items():
        kind = head["type"].replace("_", "-")
        weights = "weighted" if head["weighted"] else "unweighted"
        lines += ["", f"{name}  ({kind}, {weights})"]
        lines += _metrics(head["slices"])
        lines += _matrix(head)
    return "\n".join(lines) + "\n"


def _metrics(slices: list[dict[str, Any]]) -> list[str]:
    shown = slices[:MOST_COLUMNS]
    names = [
        name
        for name in dict.fromkeys(name for entry in shown for name in entry["metrics"])
        if not all(_says_nothing_new(name, entry["metrics"]) for entry in shown)
    ]
    table = [["", *(slice_name(entry["slice"]) for entry in shown)]]
    table.append(["examples", *(f"{entry['examples']:,}" for entry in shown)])
    table += [[name, *(_number(entry["metrics"].get(name)) for entry in shown)] for name in names]
    reasons = {
        metric["reason"]
        for entry in shown
        for metric in entry["metrics"].values()
        if metric["value"] is None
    }
    lines = _aligned(table)
    if reasons:
        lines.append(f"  - is undefined: {'; '.join(sorted(reasons))}")
    if len(slices) > len(shown):
        lines.append(f"  and {len(slices) - len(shown):,} more slices")
    return lines


def _says_nothing_new(name: str, metrics: dict[str, Any]) -> bool:
    """Whether a metric is a bound that is as good as the value it bounds."""
    for bound in ("_lower", "_upper"):
        head, found, tail = name.partition(bound)
        if found and (not tail or tail.startswith("/")):
            return bool(metrics.get(name) == metrics.get(head + tail))
    return False


def _matrix(head: dict[str, Any]) -> list[str]:
    found = [entry["confusion_matrix"] for entry in head["slices"] if "confusion_matrix" in entry]
    if not found:
        return []
    classes = head["classes"]
    table = [["label \\ predicted", *classes]]
    table += [
        [name, *(f"{count:,}" if count else "." for count in row)]
        for name, row in zip(classes, found[0], strict=True)
    ]
    return ["", "examples by label and predicted class", *_aligned(table)]


def slice_name(conditions: list[dict[str, Any]]) -> str:
    """The name of a slice for people: `size=large`.

    >>> slice_name([{"column": "size", "kind": "string", "value": "large"}]), slice_name([])
    ('size=large', 'overall')
    """
    if not conditions:
        return "overall"
    return ", ".join(
        f"{c['column']}=" + ("(missing)" if c["kind"] == "missing" else str(c["value"]))
        for c in conditions
    )


def _number(metric: dict[str, Any] | None) -> str:
    if metric is None or metric["value"] is None:
        return "-"
    value = metric["value"]
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1000 else f"{value:.5f}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    clean = [[_printable(cell) for cell in row] for row in table]
    widths = [max(map(_width, column)) for column in zip(*clean, strict=True)]
    lines = []
    for row in clean:
        first = row[0] + " " * (widths[0] - _width(row[0]))
        rest = [" " * (width - _width(c)) + c for c, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(["", first, *rest]).rstrip())
    return lines


def _printable(text: str) -> str:
    """A text without what could move the cursor, cut to a bearable width."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if _width(clean) <= WIDEST_NAME:
        return clean
    while _width(clean) >= WIDEST_NAME:
        # At least as many as are too wide; a long text is cut in a few steps.
        clean = clean[: -max(1, (_width(clean) - WIDEST_NAME) // 2)]
    return clean + "\N{HORIZONTAL ELLIPSIS}"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
