"""What is shown first of a head: its main metrics, and the slices that matter most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.errors.wording import first_names
from pipeline.report.main_metrics import HIGHER_IS_BETTER
from pipeline.report.text.figures import (
    ABOUT,
    LACKING,
    UNDEFINED,
    Figure,
    figure,
    interval,
    is_wide,
    lacks_interval,
)
from pipeline.report.text.screen import Screen, indented
from pipeline.report.text.tables import Column, stacked
from pipeline.report.text.verdict import Gates, missed_slices
from pipeline.slicing.names import slice_name

Head = Mapping[str, Any]
"""A head of a report as plain data."""
Entry = Mapping[str, Any]
"""A slice of a head as plain data."""

MOST_METRICS = 8
"""How many metrics of a head are shown first."""
MOST_SLICES = 8
"""How many slices of a head are shown first, besides overall."""
_MOST_REASONS = 3

_SAID_BY_OTHERS = {"auc", "auc_precision_recall", "accuracy_baseline"}


def head_title(name: str, head: Head, screen: Screen) -> Text:
    """Returns the name of a head, with its type."""
    kind = f"{head['type'].replace('_', '-')}, {'weighted' if head['weighted'] else 'unweighted'}"
    return Text.assemble((screen.name(name), "bold"), screen.text(f"  ({kind})"))


def main_metrics(head: Head, asked: Sequence[str] = ()) -> list[str]:
    """Returns the names of the metrics of a head that are shown first, at most `MOST_METRICS`.

    They are those that gates name, the first of the first cause, then those of `HIGHER_IS_BETTER`,
    then other metrics of the headline for all classes and without a threshold. One that is there at
    thresholds alone is shown at these. A short headline is shown whole.

    Args:
        head: the head.
        asked: metrics that gates name.
    """
    measured = head["slices"][0]
    # The slices of two runs have differences alone.
    known = measured["metrics"] if "metrics" in measured else measured["difference"]
    headline = head["headline"] or list(known)
    plain = [name for name in headline if "/" not in name and name not in _SAID_BY_OTHERS]
    first = [name for name in HIGHER_IS_BETTER if name in plain]
    at_thresholds = [
        name
        for base in HIGHER_IS_BETTER
        if base not in first
        for name in headline
        if name.startswith(f"{base}/positive_threshold_")
    ]
    caused = [cause["first"]["metric"] for cause in head.get("causes", ())[:1]]
    names = [*asked, *caused, *first, *plain, *at_thresholds]
    if len(headline) <= MOST_METRICS:
        names += headline
    chosen = [name for name in dict.fromkeys(names) if name in known]
    return (chosen or list(headline))[:MOST_METRICS]


def gated_metrics(gates: Gates | None, head: str) -> list[str]:
    """Returns the metrics of a head that gates name which do not pass."""
    return [
        gate["gate"]["metric"]
        for gate in (gates["gates"] if gates else ())
        if any(j["effect"] != "none" and j.get("head") == head for j in gate["judgements"])
    ]


def worst_first(head: Head, gates: Gates | None, name: str, metrics: Sequence[str]) -> list[Entry]:
    """Returns the slices of a head without overall, those that a reader asks for first.

    They are those that failed gates name, in the order of the verdict; the causes of what got
    worse; those whose first metric is worse than that of overall beyond noise, the largest
    difference first; and the others, those of most rows first.

    Args:
        head: the head.
        gates: the content of `gates.json`, or None.
        name: the name of the head.
        metrics: the metrics that are shown; the first whose good direction is known decides.
    """
    named = [
        judgement["slice"]
        for effect in ("fail", "warn")
        for gate in (gates["gates"] if gates else ())
        for judgement in missed_slices(gate, effect)
        if judgement["head"] == name and judgement.get("slice")
    ]
    named += [cause["slice"] for cause in head.get("causes", ())]
    rank: dict[str, int] = {}
    for conditions in named:
        rank.setdefault(repr(conditions), len(rank))
    metric = next((name for name in metrics if direction(name) is not None), None)
    overall, *slices = head["slices"]

    def order(entry: Entry) -> tuple[int, float, int]:
        lost = 0.0 if metric is None else lost_to_overall(entry, overall, metric)
        return rank.get(repr(entry["slice"]), len(rank)), -lost, -entry["examples"]

    return sorted(slices, key=order)


def direction(metric: str) -> bool | None:
    """Returns whether more of a metric is better; None if that is not known here."""
    return HIGHER_IS_BETTER.get(metric.partition("/")[0])


def lost_to_overall(entry: Entry, overall: Entry, metric: str) -> float:
    """Returns by how much a slice is worse than overall, 0 unless that is beyond noise.

    It is beyond noise if the interval of the slice, or of its difference from overall if there is
    one, is on one side. Of slices of fewer rows than `min_slice_size` it never is.
    """
    mine, whole = entry["metrics"].get(metric), overall["metrics"].get(metric)
    if entry["small"] or not mine or not whole or None in (mine["value"], whole["value"]):
        return 0.0
    sign = 1.0 if direction(metric) else -1.0
    difference = mine.get("against_overall", {}).get("difference")
    compared, zero = (difference, 0.0) if difference else (mine, whole["value"])
    end = compared.get("upper" if sign > 0 else "lower")
    if end is None or sign * (end - zero) >= 0:
        return 0.0
    return float(sign * (whole["value"] - mine["value"]))


def slice_column(entries: Sequence[Entry], screen: Screen) -> Column:
    """Returns the column of the names of slices; those of few rows are marked."""
    names = [screen.name(slice_name(e["slice"])) + ("*" if e.get("small") else "") for e in entries]
    return Column("", [Text(name) for name in names], right=False)


def figures_of(entry: Entry) -> dict[str, Figure]:
    """Returns the metrics of a slice, and those of both models together, by name."""
    return {**entry.get("both", {}), **entry["metrics"]}


def metric_cell(
    metric: Figure | None, whole: Figure | None = None, *, always: bool = False
) -> Text:
    """Returns a value, with its interval below it where that is wide, or `always`.

    Args:
        metric: the metric.
        whole: that of overall; where it has an interval and `metric` has none, that is marked.
        always: whether every interval is shown.
    """
    cell = Text((LACKING if lacks_interval(metric, whole) else "") + figure(metric))
    if (always or is_wide(metric)) and (ends := interval(metric)):
        cell.append(f"\n{ends}", "dim")
    return cell


def headline_table(
    head: Head, entries: Sequence[Entry], metrics: Sequence[str], screen: Screen
) -> Iterator[RenderableType]:
    """Yields the table of a head: a row for each slice, a column for each metric, and its legend.

    Args:
        head: the head.
        entries: the slices, overall first; below it stands the baseline, if there is one.
        metrics: the names of the metrics.
        screen: what is drawn for.
    """
    names = slice_column(entries, screen)
    rows = Column("rows", [Text(f"{entry['examples']:,}") for entry in entries])
    shown = [figures_of(entry) for entry in entries]
    whole = shown[0]
    if "baseline" in entries[0]:
        names.cells.insert(1, Text("  baseline", "dim"))
        rows.cells.insert(1, Text(""))
        shown.insert(1, entries[0]["baseline"]["metrics"])
    columns = [
        Column(
            screen.name(name), [metric_cell(values.get(name), whole.get(name)) for values in shown]
        )
        for name in metrics
    ]
    for table in stacked([names, rows], columns, screen.columns - 2):
        yield indented(table)
    small = any(entry["small"] for entry in entries)
    yield from legend(head, metrics, shown, screen, small=small)


def legend(
    head: Head,
    metrics: Sequence[str],
    rows: Sequence[Mapping[str, Figure]],
    screen: Screen,
    *,
    small: bool,
    marked: bool = True,
) -> Iterator[RenderableType]:
    """Yields lines that explain the marks of a table, as far as it has them.

    Args:
        head: the head.
        metrics: the names of the metrics in the table.
        rows: the figures of every slice in the table, by name of the metric.
        screen: what is drawn for.
        small: whether slices of few rows are marked.
        marked: whether figures are marked that lack an interval; if not, all reasons are told.
    """
    whole = figures_of(head["slices"][0])
    figures = [values[name] for values in rows for name in metrics if name in values]
    lacking = {
        values[name]["no_interval"]
        for values in rows
        for name in metrics
        if "no_interval" in values.get(name, {})
        and (not marked or lacks_interval(values[name], whole.get(name)))
    }
    lines = []
    if any(figure(metric).startswith(ABOUT) for metric in figures):
        lines.append(f"{ABOUT} is a value of rounded scores; report.json has its bounds")
    if any("threshold_" in name for name in metrics):
        lines.append(f"at a threshold, positive is: {head['threshold_rule']}")
    if reasons := sorted({metric["reason"] for metric in figures if "reason" in metric}):
        lines.append(f"{UNDEFINED} is undefined: {first_names(reasons, _MOST_REASONS)}")
    if lacking:
        has_none = f"{LACKING} has no interval" if marked else "no interval"
        lines.append(f"{has_none}: {first_names(sorted(lacking), _MOST_REASONS)}")
    if small:
        lines.append("* is a slice of fewer rows than min_slice_size")
    for line in lines:
        yield indented(screen.text(line, "dim"))
