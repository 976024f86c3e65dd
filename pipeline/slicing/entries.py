"""Entries of rows, which may have lists: an entry is a row and one of its values in a column.

In a cross of columns, an entry is a row and one of its combinations of values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.config.slices import SliceColumn
from pipeline.errors.faults import ColumnError
from pipeline.readers.arrow_types import is_list
from pipeline.readers.rows import Rows, flat_values, list_lengths
from pipeline.slicing.codes import NOWHERE, Codes, ListedCodes, check_slice_type
from pipeline.slicing.numbering import Ints, distinct

MAX_COMBINATIONS = 1000
"""The largest number of combinations of values that a row may have in a cross."""


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries of rows in some columns.

    Attributes:
        codes: for each column the codes of the entries, int64 `[m]`.
        rows: int64 `[m]`, the position of the row of each entry, ascending; None if entry i is of
            row i.
    """

    codes: tuple[Ints, ...]
    rows: Ints | None = None


def has_several(array: pa.Array) -> bool:
    """Returns whether any row of a column has a list of several values."""
    return is_list(array.type) and bool((list_lengths(array) > 1).any())


def column_entries(codes: Codes, array: pa.Array) -> Entries:
    """Returns an entry for every distinct code of each row of a column.

    An empty list, or null in the place of a list, counts as null. Where rows have several values,
    values that the configuration does not list have no entry.
    """
    rows: Ints | None = None
    if not is_list(array.type):
        out = codes.encode(array)
    else:
        lengths = list_lengths(array)
        out = codes.encode(flat_values(array))
        sizes = np.maximum(lengths, 1)
        if len(out) < (total := int(sizes.sum())):
            cells = np.full(total, codes.encode(pa.nulls(1))[0])
            cells[np.repeat(lengths > 0, sizes)] = out
            out = cells
        if len(out) > len(lengths):
            width = len(codes) + 1
            value_rows = np.repeat(np.arange(len(lengths)), sizes)
            numbers = value_rows * width + out + 1
            rows, out = np.divmod(distinct(numbers, len(lengths) * width), width)
            out -= 1
    if rows is not None and isinstance(codes, ListedCodes):
        listed = out != NOWHERE
        rows, out = rows[listed], out[listed]
    return Entries((out,), rows)


def part_entries(part: SliceColumn, codes: Codes, rows: Rows, known: dict[int, Entries]) -> Entries:
    """Returns the entries of a column of a spec.

    Args:
        part: the column of a spec.
        codes: its encoder.
        rows: the rows.
        known: the entries of these rows that were computed before, by the `id` of the encoder; the
            new ones are added.

    Raises:
        ColumnError: if rows cannot be sliced by the column.
    """
    if id(codes) not in known:
        array = rows.column(part.column)
        check_slice_type(part, array.type)
        known[id(codes)] = column_entries(codes, array)
    return known[id(codes)]


def cross_entries(names: Sequence[str], parts: Sequence[Entries], rows: Rows) -> Entries:
    """Returns an entry for every combination of the codes of each row.

    Args:
        names: the names of the columns.
        parts: the entries of each column.
        rows: the rows.

    Raises:
        ColumnError: if a row has more than `MAX_COMBINATIONS` combinations.
    """
    if all(part.rows is None for part in parts):
        return Entries(tuple(part.codes[0] for part in parts))
    _check_combinations(names, parts, rows)
    crossed, *rest = parts
    for part in rest:
        crossed = _cross(crossed, part, len(rows))
    return crossed


def _check_combinations(names: Sequence[str], parts: Sequence[Entries], rows: Rows) -> None:
    counts = [
        np.bincount(part.rows, minlength=len(rows)) for part in parts if part.rows is not None
    ]
    product = np.ones(len(rows), np.int64)
    for count in counts:
        # A product that is too large already is cut, so that it cannot overflow.
        product = np.minimum(product, MAX_COMBINATIONS + 1) * count
    excess = np.flatnonzero(product > MAX_COMBINATIONS)
    if len(excess):
        combinations = math.prod(int(count[excess[0]]) for count in counts)
        columns = " and ".join(f"'{name}'" for name in names)
        raise ColumnError(
            f"row {rows.numbers[excess[0]]} has {combinations:,} combinations of values of"
            f" {columns}, and a row may be in at most {MAX_COMBINATIONS:,} slices of one entry of"
            " 'slices'; list the 'values' to slice by, or slice by fewer columns with lists"
        )


def _cross(left_entries: Entries, right_entries: Entries, rows: int) -> Entries:
    """Returns an entry for every left entry of a row with every right entry of the same row."""
    all_rows = np.arange(rows)
    left_rows = all_rows if left_entries.rows is None else left_entries.rows
    right_rows = all_rows if right_entries.rows is None else right_entries.rows
    counts = np.bincount(right_rows, minlength=rows)
    starts = np.cumsum(counts) - counts
    repeat = counts[left_rows]
    left = np.repeat(np.arange(len(left_rows)), repeat)
    # For every left entry, the right entries of its row follow one after another.
    step = np.arange(len(left)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    right = starts[left_rows][left] + step
    left_codes = (codes[left] for codes in left_entries.codes)
    right_codes = (codes[right] for codes in right_entries.codes)
    return Entries((*left_codes, *right_codes), left_rows[left])
