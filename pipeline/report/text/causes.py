"""What got worse, grouped by the slice that explains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.errors.wording import counted
from pipeline.report.text.figures import number
from pipeline.report.text.screen import Screen, indented
from pipeline.slicing.names import slice_name

MOST_CAUSES = 8
"""How many causes of a head are shown."""


def cause_line(cause: Mapping[str, Any], screen: Screen) -> str:
    """Returns a cause in words: its slice, how many metrics got worse, and the first of them."""
    first = cause["first"]
    text = f"{screen.name(slice_name(cause['slice']))}: {counted(len(cause['metrics']), 'metric')}"
    text += f" worse, first {screen.name(first['metric'])}"
    text += f" {number(first['candidate'])} from {number(first['baseline'])}"
    return text + (f"; in {cause['slices']:,} slices" if cause["slices"] > 1 else "")


def what_got_worse(
    heads: Mapping[str, Mapping[str, Any]], screen: Screen
) -> Iterator[RenderableType]:
    """Yields lines on the causes of what got worse, of all heads that compare two models."""
    for name, head in heads.items():
        if "worse" not in head:
            continue
        prefix = f"{screen.name(name)}: " if len(heads) > 1 else ""
        causes = head.get("causes", ())
        if not head["worse"]:
            yield Text(f"{prefix}no slice got worse beyond noise")
        elif not causes:
            yield Text(f"{prefix}{counted(len(head['worse']), 'metric')} of slices got worse")
        else:
            yield Text(f"{prefix}worse beyond noise", "bold")
        for cause in causes[:MOST_CAUSES]:
            yield indented(Text(cause_line(cause, screen)))
        if len(causes) > MOST_CAUSES:
            yield indented(Text(f"and {counted(len(causes) - MOST_CAUSES, 'more cause')}"))
