"""Selects the rows that the configuration entry `where` keeps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.model import Where
from pipeline.errors.faults import ColumnError
from pipeline.errors.problems import first_values
from pipeline.readers.arrow_types import bytes_type, is_text
from pipeline.readers.rows import Mask, Rows, can_hold, held_value

Values = tuple[str | int | float | bool | None, ...]


def keep_mask(entries: Sequence[Where], rows: Rows) -> Mask:
    """Returns a mask `[n]` of the rows that match all entries.

    A whole number and a number with a fraction are compared exactly. In a column of floats a number
    stands for the float nearest to it; a value that a column cannot hold matches no row.

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
            row = rows.numbers[np.flatnonzero(several)[0]]
            raise ColumnError(
                f"column '{entry.column}' of 'where' has a list of several values in row {row};"
                " keep rows by a column of single values"
            )
        keep &= _matches(entry, array)
    return keep


def _matches(entry: Where, array: pa.Array) -> Mask:
    if pa.types.is_dictionary(array.type):
        matches = _matches(entry, array.dictionary)
        # A last entry is for the rows that have no place in the dictionary.
        matches = np.append(matches, None in entry.values)
        indices = array.indices
        if indices.null_count:
            indices = indices.cast(pa.int64()).fill_null(len(matches) - 1)
        taken: Mask = matches.take(indices.to_numpy(zero_copy_only=False))
        return taken
    sought = _sought(_SameObject(entry.values), array.type)
    if sought is None:
        shown = first_values(entry.values)
        raise ColumnError(
            f"column '{entry.column}' is {array.type}, and 'where' looks for {shown} in it; write"
            " the values as the column has them (quote text, do not quote numbers)"
        )
    found = np.zeros(len(array), bool)
    if len(sought):
        found = pc.is_in(_as_sought(array), value_set=sought).to_numpy(zero_copy_only=False)
    if array.null_count and None in entry.values:
        found = found | array.is_null().to_numpy(zero_copy_only=False)
    mask: Mask = found
    return mask


def _as_sought(array: pa.Array) -> pa.Array:
    """Returns an array in a type that Arrow can look values up in."""
    if is_text(array.type):
        return array.view(_sought_type(array.type))
    return array.cast(pa.float32()) if pa.types.is_float16(array.type) else array


def _sought_type(type_: pa.DataType) -> pa.DataType:
    if is_text(type_):
        return bytes_type(type_)
    return pa.float32() if pa.types.is_float16(type_) else type_


class _SameObject:
    """A key of a cache that is equal to itself alone, for equality takes 1, 1.0 and True as one.

    Args:
        values: the values, which the key keeps alive.
    """

    def __init__(self, values: Values) -> None:
        self.values = values

    def __hash__(self) -> int:
        return id(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameObject) and self.values is other.values


@lru_cache(maxsize=64)
def _sought(key: _SameObject, type_: pa.DataType) -> pa.Array | None:
    """Returns the values of an entry that cells of a type may have, without null.

    Args:
        key: the values.
        type_: the type, which is no dictionary.

    Returns:
        An array of the type of `_as_sought`; None if the type allows none of the values, nor null.
    """
    if pa.types.is_null(type_):
        return pa.nulls(0)
    values = [value for value in key.values if value is not None and can_hold(type_, value)]
    if not values and None not in key.values:
        return None
    cells: list[object] = []
    for value in values:
        cell = held_value(value, type_)
        if isinstance(cell, str):
            cells.append(cell.encode())
        elif cell is not None:
            cells.append(cell)
            if isinstance(cell, float) and not cell:
                # Arrow tells the two zeros apart.
                cells.append(-cell)
    return pa.array(cells, _sought_type(type_)) if cells else pa.nulls(0)
