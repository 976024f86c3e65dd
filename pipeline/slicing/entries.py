"""Cells with lists: a row has an entry for each distinct value, a cross for each combination."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.config.slices import SliceColumn
from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import Rows, flat_values, is_list, list_lengths
from pipeline.slicing.codes import NOWHERE, Codes, ListedCodes, check_slice_type
from pipeline.slicing.numbering import Ints, distinct

MAX_COMBINATIONS = 1000
"""So many combinations of values one row may have in a cross."""


@dataclass(frozen=True, eq=False)
class Entries:
    """What rows have in some columns.

    Attributes:
        codes: for each column int64 `[m]`.
        rows: int64 `[m]`, the row of each entry, ascending; None if entry i is row i.
    """

    codes: tuple[Ints, ...]
    rows: Ints | None = None


def has_several(array: pa.Array) -> bool:
    """Whether a row may have several values."""
    return is_list(array.type) and bool((list_lengths(array) > 1).any())


def column_entries(codes: Codes, array: pa.Array) -> Entries:
    """The distinct codes of each row of a column.

    An empty list, and null in its place, is null. Of several values, those that are not listed have
    no entry.
    """
    rows: Ints | None = None
    if not is_list(array.type):
        out = codes.codes(array)
    else:
        lengths = list_lengths(array)
        out = codes.codes(flat_values(array))
        sizes = np.maximum(lengths, 1)
        if len(out) < (total := int(sizes.sum())):
            cells = np.full(total, codes.codes(pa.nulls(1))[0])
            cells[np.repeat(lengths > 0, sizes)] = out
            out = cells
        if len(out) > len(lengths):
            width = len(codes) + 1
            each = np.repeat(np.arange(len(lengths)), sizes)
            rows, out = np.divmod(distinct(each * width + out + 1, len(lengths) * width), width)
            out -= 1
    if rows is not None and isinstance(codes, ListedCodes):
        listed = out != NOWHERE
        rows, out = rows[listed], out[listed]
    return Entries((out,), rows)


def part_entries(part: SliceColumn, codes: Codes, rows: Rows, known: dict[int, Entries]) -> Entries:
    """The entries of a column of a spec; what several specs ask for is kept in `known`."""
    if id(codes) not in known:
        array = rows.column(part.column)
        check_slice_type(part, array.type)
        known[id(codes)] = column_entries(codes, array)
    return known[id(codes)]


def cross_entries(names: Sequence[str], parts: Sequence[Entries], rows: Rows) -> Entries:
    """All combinations of the codes of each row.

    Args:
        names: the columns.
        parts: the entries of each column.
        rows: the rows.

    Raises:
        ColumnError: if a row has more than `MAX_COMBINATIONS`.
    """
    if all(part.rows is None for part in parts):
        return Entries(tuple(part.codes[0] for part in parts))
    _check_combinations(names, parts, rows)
    first, *rest = parts
    for part in rest:
        first = _crossed(first, part, len(rows))
    return first


def _check_combinations(names: Sequence[str], parts: Sequence[Entries], rows: Rows) -> None:
    counts = [
        np.bincount(part.rows, minlength=len(rows)) for part in parts if part.rows is not None
    ]
    product = np.ones(len(rows), np.int64)
    for count in counts:
        # Cut where it is too much already, lest it grow beyond any integer.
        product = np.minimum(product, MAX_COMBINATIONS + 1) * count
    excess = np.flatnonzero(product > MAX_COMBINATIONS)
    if len(excess):
        found = math.prod(int(count[excess[0]]) for count in counts)
        columns = " and ".join(f"'{name}'" for name in names)
        raise ColumnError(
            f"row {rows.numbers[excess[0]]} has {found:,} combinations of values of {columns}, and"
            f" a row may be in at most {MAX_COMBINATIONS:,} slices of one entry of 'slices'; list"
            " the 'values' to slice by, or slice by fewer columns with lists"
        )


def _crossed(first: Entries, second: Entries, rows: int) -> Entries:
    every = np.arange(rows)
    left_rows = every if first.rows is None else first.rows
    right_rows = every if second.rows is None else second.rows
    counts = np.bincount(right_rows, minlength=rows)
    starts = np.cumsum(counts) - counts
    repeat = counts[left_rows]
    left = np.repeat(np.arange(len(left_rows)), repeat)
    # Within the entries of a row on the left, those on the right one after another.
    step = np.arange(len(left)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    right = starts[left_rows][left] + step
    codes = (*(one[left] for one in first.codes), *(one[right] for one in second.codes))
    return Entries(codes, left_rows[left])
