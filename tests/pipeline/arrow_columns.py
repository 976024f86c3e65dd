"""Arrow arrays of every form that labels, scores and weights are stored in, for hypothesis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

NUMBERS = [
    pa.bool_(),
    *(getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)),
    pa.float16(),
    pa.float32(),
    pa.float64(),
]
TEXTS = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_binary()),
]


def numbers(type_: pa.DataType) -> st.SearchStrategy[Any]:
    """Numbers of a type, many of them at the ends of what is allowed."""
    if pa.types.is_boolean(type_):
        return st.booleans()
    if pa.types.is_integer(type_):
        low = 0 if pa.types.is_unsigned_integer(type_) else -1
        return st.integers(low, 3)
    special = [
        0.0,
        -0.0,
        0.5,
        1.0,
        2.0,
        3.0,
        1.5,
        -1.0,
        math.nan,
        math.inf,
        -math.inf,
        1.0009765625,
    ]
    return st.sampled_from(special)


def array_of(values: list[Any], type_: pa.DataType) -> pa.Array:
    if pa.types.is_float16(type_):
        return pa.array(values, pa.float32()).cast(type_)
    if pa.types.is_dictionary(type_):
        return pa.array(values, type_.value_type).cast(type_)
    return pa.array(values, type_)


def lists_of(draw: st.DrawFn, rows: list[list[Any] | None], type_: pa.DataType) -> pa.Array:
    """Lists of any kind, null lists with values under them included."""
    flat = [item for row in rows for item in (row or [])]
    values = array_of(flat, type_)
    lengths = [len(row or []) for row in rows]
    null = pa.array([row is None for row in rows], pa.bool_())
    kinds = ["list", "large"]
    if len(set(lengths)) == 1 and lengths[0]:
        kinds.append("fixed")
    match draw(st.sampled_from(kinds)):
        case "fixed":
            return pa.FixedSizeListArray.from_arrays(values, lengths[0], mask=null)
        case "large":
            offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int64())
            return pa.LargeListArray.from_arrays(offsets, values, mask=null)
    offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
    return pa.ListArray.from_arrays(offsets, values, mask=null)


def scalars(draw: st.DrawFn, n: int, type_: pa.DataType, items: st.SearchStrategy[Any]) -> pa.Array:
    """Single values, nulls among them, plain or as lists of one, of none and of several."""
    if draw(st.booleans()):
        return array_of(draw(st.lists(items | st.none(), min_size=n, max_size=n)), type_)
    cells = st.none() | st.lists(items | st.none(), max_size=2) | st.lists(items, min_size=1)
    single = st.lists(items, min_size=1, max_size=1)
    cell = draw(st.sampled_from([single, single | cells]))
    return lists_of(draw, draw(st.lists(cell, min_size=n, max_size=n)), type_)


def matrix(
    draw: st.DrawFn, n: int, width: int, type_: pa.DataType, items: st.SearchStrategy[Any]
) -> pa.Array:
    """Lists mostly of one length."""
    whole = st.lists(items, min_size=width, max_size=width)
    holed = st.lists(items | st.none(), min_size=width, max_size=width)
    any_ = st.none() | st.lists(items, max_size=width + 1)
    cell = draw(st.sampled_from([whole, whole | holed, whole | holed | any_]))
    rows = draw(st.lists(cell, min_size=n, max_size=n))
    if len({len(row) for row in rows if row is not None}) == 1 and draw(st.booleans()):
        # A fixed-size list keeps values under its nulls.
        filler = next(row for row in rows if row is not None)
        array = lists_of(draw, [row or filler for row in rows], type_)
        if pa.types.is_fixed_size_list(array.type):
            null = pa.array([row is None for row in rows], pa.bool_())
            return pa.FixedSizeListArray.from_arrays(array.values, len(filler), mask=null)
    return lists_of(draw, rows, type_)
