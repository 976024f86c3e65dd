"""Shows the difference of two runs: the verdict, what got worse, and both values side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.errors.wording import counted, first_names
from pipeline.report.text.causes import what_got_worse
from pipeline.report.text.details import compared, worse_entries
from pipeline.report.text.headline import gated_metrics, main_metrics
from pipeline.report.text.screen import Screen, indented, section
from pipeline.report.text.verdict import Gates, failures, verdict_line


def render_diff(
    comparison: Mapping[str, Any],
    gates: Gates | None = None,
    screen: Screen | None = None,
    *,
    verbose: bool = False,
) -> str:
    """Returns what changed from one run to another, as text.

    Args:
        comparison: the difference of two runs as data, see `pipeline.runs.diff`.
        gates: the verdict on it, as in `gates.json`; None if no gates were asked for.
        screen: what the text is drawn for; by default a file.
        verbose: whether all metrics of the headline are shown, and all that got worse.
    """
    screen = screen or Screen()
    heads = comparison["heads"]
    parts: list[RenderableType] = []
    if gates is not None:
        parts += [verdict_line(gates, [counted(len(heads), "head")], screen)]
        parts += section(failures(gates, screen, named=len(heads) > 1))
    parts += section(what_got_worse(heads, screen))
    for name, head in heads.items():
        how = "paired" if head["paired"] else f"not paired: {head['unpaired_because']}"
        title = screen.text(f"  ({head['type'].replace('_', '-')}, {how})")
        parts += [Text(), Text.assemble((screen.name(name), "bold"), title)]
        overall = head["slices"][0]
        sides = [_figures(overall[model]) for model in ("candidate", "baseline")]
        known = [metric for metric in head["headline"] if metric in overall["difference"]]
        metrics = known if verbose else main_metrics(head, gated_metrics(gates, name))
        parts += compared(metrics, [*sides, overall["difference"], {}], screen)
        if verbose:
            parts += worse_entries(head["worse"], screen)
        if head["not_compared"]:
            names = first_names(head["not_compared"])
            line = f"not compared, for a run of another release lacks its states: {names}"
            parts.append(indented(screen.text(line)))
    return screen.draw(parts)


def _figures(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values by name of their metric as figures."""
    return {
        name: value if isinstance(value, Mapping) else {"value": value}
        for name, value in values.items()
    }
