"""The conditions that define slices (a value, a bucket, or a missing value), and their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from heads.statistics import Condition, Key
from pipeline.config.slices import Slice

ColumnCondition = tuple[str, str | int | bool | None]
"""A condition without its column: `(kind, value)`."""

MISSING: ColumnCondition = ("missing", None)
NAN: ColumnCondition = ("float", "nan")
OTHER = "other"


def value_condition(value: str | bytes | int | float | bool | None) -> ColumnCondition:
    """Returns the condition that a cell has a value.

    Floats are written as text, and -0.0 as 0.0; bytes are written in hexadecimal.

    >>> value_condition(-0.0), value_condition(True), value_condition(None)
    (('float', '0.0'), ('bool', True), ('missing', None))
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return "int", value
    if isinstance(value, float):
        return "float", repr(value + 0.0)
    if isinstance(value, str):
        return "string", value
    return "bytes", value.hex()


def bucket_conditions(edges: Sequence[int | float]) -> list[ColumnCondition]:
    """Returns the conditions of the buckets that edges separate, ascending.

    >>> bucket_conditions([18, 30.5])
    [('bucket', '(-inf, 18)'), ('bucket', '[18, 30.5)'), ('bucket', '[30.5, inf)')]
    """
    marks = [repr(edge + 0) for edge in edges]
    inner = [f"[{low}, {high})" for low, high in pairwise(marks)]
    texts = [f"(-inf, {marks[0]})", *inner, f"[{marks[-1]}, inf)"]
    return [("bucket", text) for text in texts]


def other_key(spec: Slice) -> Key:
    """Returns the key of the slice `other` of a spec, into which its smallest slices are merged."""
    return tuple((part.column, OTHER, None) for part in spec.parts)


def key_order(key: Key) -> list[tuple[str, bool, float, str]]:
    """Returns what the slices of a spec are sorted by: kinds by name, numbers and buckets by size.

    >>> order = [key_order((("c", "bucket", text),)) for text in ("[5, 18)", "[18, inf)")]
    >>> order == sorted(order)
    True
    """
    return [_condition_order(condition) for condition in key]


def _condition_order(condition: Condition) -> tuple[str, bool, float, str]:
    _, kind, value = condition
    number = 0.0
    if kind == "bucket":
        number = float(str(value)[1:].split(",")[0])
    elif kind in ("int", "float", "bool") and value is not None:
        number = float(value)
    # A comparison with NaN is always false, so NaN among the numbers would break their order.
    nan = math.isnan(number)
    return kind, nan, 0.0 if nan else number, str(value)
