"""Selects the rows that the configuration entry `where` keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.config.model import Where
from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import Mask, Rows, as_held, can_hold, coded


def keep_mask(entries: Sequence[Where], rows: Rows) -> Mask:
    """Returns a mask `[n]` of the rows that match all entries.

    Args:
        entries: the entries of `where`: a column and the values that rows may have in it.
        rows: the rows.

    Raises:
        ColumnError: if the type of a column allows none of the values of its entry, which must be a
            mistake; or if the column holds lists of several values.
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
    possible = [
        value
        for value in entry.values
        if value is None or pa.types.is_null(type_) or can_hold(type_, value)
    ]
    if not possible:
        sought = ", ".join(repr(value) for value in entry.values)
        raise ColumnError(
            f"column '{entry.column}' is {type_}, and 'where' looks for {sought} in it; write the"
            " values as the column has them (quote text, do not quote numbers)"
        )
    if pa.types.is_floating(type_):
        possible = [
            value if isinstance(value, str | None) else as_held(value, type_) for value in possible
        ]
    indices, values = coded(array)
    matches: Mask = np.array([value in possible for value in values], bool).take(indices)
    return matches
