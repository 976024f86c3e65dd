"""Shows a report in the terminal: the verdict first, then what got worse, then the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.errors.wording import counted
from pipeline.report.text import details
from pipeline.report.text.causes import what_got_worse
from pipeline.report.text.headline import (
    MOST_SLICES,
    Entry,
    Head,
    gated_metrics,
    head_title,
    headline_table,
    main_metrics,
    worst_first,
)
from pipeline.report.text.screen import Screen, indented, section
from pipeline.report.text.verdict import Gates, facts, failures, verdict_line


def render(
    report: Mapping[str, Any],
    gates: Gates | None = None,
    notes: Sequence[str] = (),
    screen: Screen | None = None,
    *,
    verbose: bool = False,
) -> str:
    """Returns a report as text: the verdict, what failed, what got worse, and a table of each head.

    Args:
        report: the report as plain data, see `build_report`.
        gates: the content of `gates.json`; None if no gates were asked for.
        notes: the notes of the data report.
        screen: what the text is drawn for; by default a file.
        verbose: whether all metrics of the headline are shown, both models side by side, all that
            got worse, and the matrices.
    """
    screen = screen or Screen()
    heads = report["heads"]
    parts: list[RenderableType] = [verdict_line(gates, facts(report, notes), screen)]
    parts += section(failures(gates, screen, named=len(heads) > 1))
    parts += section(what_got_worse(heads, screen))
    for name, head in heads.items():
        parts += [Text(), head_title(name, head, screen)]
        metrics = main_metrics(head, gated_metrics(gates, name))
        slices = worst_first(head, gates, name, metrics)
        if verbose:
            parts += _all_of(report, head, slices, screen)
        else:
            parts += _first_of(head, slices, metrics, screen)
    if verbose and notes:
        parts += [Text(), *(screen.text(f"hint: {note}") for note in notes)]
    return screen.draw(parts)


def _first_of(
    head: Head, slices: Sequence[Entry], metrics: Sequence[str], screen: Screen
) -> Iterator[RenderableType]:
    """Yields the headline table of a head."""
    shown = slices[:MOST_SLICES]
    yield from headline_table(head, [head["slices"][0], *shown], metrics, screen)
    yield from _more(len(slices) - len(shown) + head["slices_left_out"])


def _all_of(
    report: Mapping[str, Any], head: Head, slices: Sequence[Entry], screen: Screen
) -> Iterator[RenderableType]:
    """Yields all that is shown of a head."""
    yield from details.all_metrics(head, slices, screen)
    yield from _more(len(slices) - len(slices[: details.MOST_SLICES]) + head["slices_left_out"])
    config = report["config"]
    # Reports of older releases do not have the key.
    if config.get("against_overall"):
        yield from details.against_overall(head, slices, config["confidence"]["level"], screen)
    if "worse" in head:
        overall = head["slices"][0]
        models = (overall["metrics"], overall["baseline"]["metrics"])
        sides = [*models, overall["difference"], overall["both"]]
        yield from details.compared(head["headline"], sides, screen)
        yield from details.worse_entries(head["worse"], screen)
    yield from details.matrices(head, screen)


def _more(slices: int) -> Iterator[RenderableType]:
    """Yields a line that says how many slices are not shown."""
    if slices:
        yield indented(Text(f"and {counted(slices, 'more slice')}"))
