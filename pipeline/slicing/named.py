"""The keys of slices that people name by columns and values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from heads.statistics import Condition, Key
from pipeline.slicing.conditions import MISSING, OTHER, ColumnCondition, value_condition

_NAMED: dict[str, ColumnCondition] = {"(missing)": MISSING, "(other)": (OTHER, None)}
# How reports write what is no text. Of few kinds of each text, a cross has few keys.
_WRITTEN = {
    "bucket": re.compile(r"[\[(].+, .+\)"),
    "float": re.compile(r"-?([0-9]+\.[0-9]+|[0-9](\.[0-9]+)?e[-+][0-9]+|inf)|nan"),
    "date": re.compile(r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}"),
    "bytes": re.compile(r"([0-9a-f]{2})+"),
}


def named_keys(slice_: Mapping[str, Any]) -> Iterator[Key]:
    """Yields the keys that a slice may have, the most literal one first.

    A text may also name a bucket, a date, or a number that is no whole one, and a whole number may
    be one of a column of floats. None and `(missing)` stand for a missing value.

    Args:
        slice_: the values of the columns of the slice.

    >>> list(named_keys({"size": 3}))
    [(('size', 'int', 3),), (('size', 'float', '3.0'),)]
    """
    parts: list[list[Condition]] = [
        [(str(column), *condition) for condition in _conditions(value)]
        for column, value in sorted(slice_.items())
    ]
    yield from product(*parts)


def _conditions(value: Any) -> list[ColumnCondition]:
    """Returns the conditions that a value may stand for: as it is, and as the report names it."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str):
        named = [_NAMED[value]] if value in _NAMED else []
        kinds = (kind for kind, written in _WRITTEN.items() if written.fullmatch(value))
        return [("string", value), *((kind, value) for kind in kinds), *named]
    conditions = [value_condition(value)]
    if isinstance(value, int) and not isinstance(value, bool):
        conditions.append(value_condition(float(value)))
    elif isinstance(value, float) and value.is_integer():
        conditions.append(value_condition(int(value)))
    return conditions
