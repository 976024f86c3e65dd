"""The rest of a head, which `--verbose` shows: all main metrics, both models, matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.report.text.figures import UNDEFINED, Figure, figure, interval, number
from pipeline.report.text.headline import Entry, Head, legend, metric_cell, slice_column
from pipeline.report.text.screen import Screen, indented
from pipeline.report.text.tables import Column, stacked
from pipeline.slicing.names import slice_name

MOST_SLICES = 20
"""How many slices of a head are shown, besides overall."""
MOST_CLASSES = 20
"""How many classes a shown matrix may have."""


def all_metrics(head: Head, slices: Sequence[Entry], screen: Screen) -> Iterator[RenderableType]:
    """Yields a table with a row for each metric of the headline and a column for each slice.

    Args:
        head: the head.
        slices: the slices without overall, which comes first, with its intervals.
        screen: what is drawn for.
    """
    metrics = head["headline"] or list(head["slices"][0]["metrics"])
    entries = [head["slices"][0], *slices[:MOST_SLICES]]
    whole = entries[0]["metrics"]
    columns = [
        Column(
            title.plain,
            [
                Text(f"{entry['examples']:,}"),
                *(
                    metric_cell(
                        entry["metrics"].get(name), whole.get(name), always=not entry["slice"]
                    )
                    for name in metrics
                ),
            ],
        )
        for title, entry in zip(slice_column(entries, screen).cells, entries, strict=True)
    ]
    names = Column("", [Text("rows"), *(Text(screen.name(name)) for name in metrics)], right=False)
    yield from (indented(table) for table in stacked([names], columns, screen.columns - 2))
    rows = [entry["metrics"] for entry in entries]
    small = any(entry["small"] for entry in entries)
    yield from legend(head, metrics, rows, screen, small=small)


def compared(
    metrics: Sequence[str], sides: Sequence[Mapping[str, Figure]], screen: Screen
) -> Iterator[RenderableType]:
    """Yields a table of two models: a row for each metric, with both values and the difference.

    Args:
        metrics: the names of the metrics.
        sides: the metrics of the candidate and of the baseline, the differences, and metrics of
            both models together, by name.
        screen: what is drawn for.
    """
    *models, both = sides
    together = [name for name in both if "/" not in name]
    differences = [models[2].get(name) for name in metrics] + [both[name] for name in together]
    blank = [Text() for _ in together]
    names = [Text(screen.name(name)) for name in (*metrics, *together)]
    columns = [
        Column(title, [*(Text(figure(model.get(name))) for name in metrics), *blank])
        for title, model in zip(("candidate", "baseline"), models[:2], strict=True)
    ]
    columns.append(Column("difference", [Text(figure(metric)) for metric in differences]))
    columns.append(Column("interval", [Text(interval(metric), "dim") for metric in differences]))
    yield from _tables([Column("overall", names, right=False)], columns, screen)


def worse_entries(worse: Sequence[Mapping[str, Any]], screen: Screen) -> Iterator[RenderableType]:
    """Yields a table of all metrics of slices that got worse."""
    if not worse:
        return
    names = [Text(screen.name(entry["metric"])) for entry in worse]
    columns = [
        Column("slice", [Text(screen.name(slice_name(entry["slice"]))) for entry in worse]),
        Column("difference", [Text(number(entry["difference"])) for entry in worse]),
        Column("adjusted p", [Text(f"{entry['p_adjusted']:.2g}") for entry in worse]),
    ]
    yield from _tables([Column("got worse", names, right=False)], columns, screen)


def against_overall(
    head: Head, slices: Sequence[Entry], level: float, screen: Screen
) -> Iterator[RenderableType]:
    """Yields tables that compare slices with overall: differences, then ratios.

    Args:
        head: the head.
        slices: the slices without overall.
        level: the level of the intervals.
        screen: what is drawn for.
    """
    shown = slices[:MOST_SLICES]
    if not shown:
        return
    titles = [title.plain for title in slice_column(shown, screen).cells]
    names = [Text(screen.name(name)) for name in head["headline"]]
    for kind, title, equal in (
        ("difference", "difference from overall", 0.0),
        ("ratio", "ratio to overall", 1.0),
    ):
        columns = []
        for column, entry in zip(titles, shown, strict=True):
            found = [
                entry["metrics"].get(name, {}).get("against_overall", {}).get(kind)
                for name in head["headline"]
            ]
            columns.append(Column(column, [Text(_sure(m, equal) + figure(m)) for m in found]))
        yield from _tables([Column(title, names, right=False)], columns, screen)
    yield indented(
        Text(f"! is unlike overall: its {level:.4g} interval is on one side of it", "dim")
    )


def _sure(metric: Figure | None, equal: float) -> str:
    """Returns a mark for a metric whose interval does not hold a value; empty for others."""
    if metric is None or "lower" not in metric:
        return ""
    lower, upper = metric["lower"], metric["upper"]
    beyond = (lower is not None and lower > equal) or (upper is not None and upper < equal)
    return "!" if beyond else ""


def matrices(head: Head, screen: Screen) -> Iterator[RenderableType]:
    """Yields the confusion matrices of the first slice that has any."""
    entry = next((entry for entry in head["slices"] if "confusion_matrix" in entry), None)
    if entry is None or len(head["classes"]) > MOST_CLASSES:
        return
    yield from _matrix(head, entry["confusion_matrix"], "rows", screen)
    if "weighted_confusion_matrix" in entry:
        yield from _matrix(head, entry["weighted_confusion_matrix"], "weight", screen)


def _matrix(
    head: Head, cells: Sequence[Sequence[float | None]], counted: str, screen: Screen
) -> Iterator[RenderableType]:
    classes = [screen.name(name) for name in head["classes"]]
    labels = Column("label \\ predicted", [Text(name) for name in classes], right=False)
    columns = [
        Column(name, [Text(_count(row[position])) for row in cells])
        for position, name in enumerate(classes)
    ]
    yield Text()
    yield Text(f"{counted} by label and predicted class")
    yield from (indented(table) for table in stacked([labels], columns, screen.columns - 2))


def _count(cell: float | None) -> str:
    """Returns a cell of a confusion matrix as text."""
    if not cell:
        return UNDEFINED if cell is None else "."
    return f"{cell:,}" if isinstance(cell, int) else number(cell)


def _tables(
    fixed: Sequence[Column], columns: Sequence[Column], screen: Screen
) -> Iterator[RenderableType]:
    """Yields tables below an empty line."""
    yield Text()
    yield from (indented(table) for table in stacked(fixed, columns, screen.columns - 2))
