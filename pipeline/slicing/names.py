"""Represents slices as plain data, and as names that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heads.statistics import OVERALL, Key

if TYPE_CHECKING:
    # It takes a while to import, and commands that only print name slices.
    from pipeline.slicing.table import SliceTable


def slice_data(key: Key) -> list[dict[str, Any]]:
    """Returns the conditions of a key as plain data."""
    return [{"column": column, "kind": kind, "value": value} for column, kind, value in key]


def report_order(table: SliceTable) -> list[Key]:
    """Returns `OVERALL` and then the slices of every spec, in the order of the report.

    A slice that several specs have is listed once, at the first of them.
    """
    return list(dict.fromkeys([OVERALL, *(key for spec in table.specs for key in spec.keys)]))


def slice_name(conditions: list[dict[str, Any]]) -> str:
    """Returns the name of a slice for people, such as `size=large`.

    >>> slice_name([{"column": "size", "kind": "string", "value": "large"}]), slice_name([])
    ('size=large', 'overall')
    """
    if not conditions:
        return "overall"
    return ", ".join(
        f"{c['column']}=" + (f"({c['kind']})" if c["value"] is None else str(c["value"]))
        for c in conditions
    )
