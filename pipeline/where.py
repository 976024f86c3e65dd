"""Which rows `where` keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.columns import ColumnError, Mask, Rows, coded, is_number, is_text
from pipeline.config import Where


def keep_mask(entries: Sequence[Where], rows: Rows) -> Mask:
    """The rows `[n]` that match every entry.

    Raises:
        ColumnError: if no value of an entry could be in its column, which is then a mistake; or if
            the column holds lists of several values.
    """
    keep = np.ones(len(rows), bool)
    for entry in entries:
        array, several = rows.scalars(entry.column)
        if several is not None:
            raise ColumnError(f"column '{entry.column}' of 'where' has lists of several values")
        keep &= _matches(entry, array)
    return keep


def _matches(entry: Where, array: pa.Array) -> Mask:
    type_ = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    possible = [value for value in entry.values if _possible(value, type_)]
    if not possible:
        sought = ", ".join(repr(value) for value in entry.values)
        raise ColumnError(
            f"column '{entry.column}' is {type_}, and 'where' looks for {sought} in it; write the"
            " values as the column has them (quote text, do not quote numbers)"
        )
    if pa.types.is_floating(type_):
        # A column of float32 has 0.1 as the float32 nearest to it.
        own = np.dtype(f"f{type_.bit_width // 8}")
        possible = [value if value is None else _rounded(value, own) for value in possible]
    indices, values = coded(array)
    out: Mask = np.array([value in possible for value in values], bool).take(indices)
    return out


def _rounded(value: object, dtype: np.dtype[Any]) -> float:
    """A number as a column of floats has it; NaN, which nothing equals, if it cannot have it."""
    with np.errstate(over="ignore"):
        rounded = float(np.asarray(value).astype(dtype))
    return rounded if math.isfinite(rounded) else math.nan


def _possible(value: object, type_: pa.DataType) -> bool:
    if value is None or pa.types.is_null(type_):
        return True
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(type_))
    if isinstance(value, str):
        return is_text(type_)
    return is_number(type_) and not pa.types.is_boolean(type_)
