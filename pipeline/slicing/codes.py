"""Encodes columns as numbers: the code of a cell says which value or which bucket it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config.slices import SliceColumn
from pipeline.errors.faults import ColumnError
from pipeline.errors.problems import first_values
from pipeline.readers.arrow_types import is_list, is_number, is_text
from pipeline.readers.rows import can_hold, filled, held_value
from pipeline.slicing.conditions import (
    MISSING,
    NAN,
    ColumnCondition,
    bucket_conditions,
    value_condition,
)
from pipeline.slicing.families import (
    FAMILIES,
    SLICED_BY,
    cell_of,
    conditions_of,
    families,
    family_of,
)
from pipeline.slicing.numbering import Ints, Numbering

# The code of a value that has none, and the position of a row that is in no slice.
NOWHERE = -1
_UNMAPPED = -2


class Codes:
    """The base class of encoders, which give every cell of a column its code.

    The values of an Arrow dictionary are encoded once while the dictionary stays the same.

    Args:
        column: the name of the column, for messages.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self._dictionary: pa.Array | None = None
        self._mapped = np.zeros(0, np.int64)

    def __len__(self) -> int:
        """Returns the number of codes."""
        raise NotImplementedError

    def conditions(self) -> list[ColumnCondition]:
        """Returns the condition of every code; the code is the position in the list."""
        raise NotImplementedError

    def encode(self, array: pa.Array) -> Ints:
        """Returns the code of every cell, int64 `[n]`; `NOWHERE` for a value that has none.

        Raises:
            ColumnError: if cells of this type cannot be sliced as the configuration says.
        """
        if not pa.types.is_dictionary(array.type):
            return self._encode_plain(array)
        dictionary = array.dictionary
        known = self._dictionary
        if known is None or known.type != dictionary.type or not known.equals(dictionary):
            self._dictionary = dictionary
            self._mapped = np.full(len(dictionary) + 1, _UNMAPPED)
        indices = array.indices
        if indices.null_count:
            # Cells that have no place in the dictionary use an additional last entry.
            indices = indices.cast(pa.int64()).fill_null(len(dictionary))
        positions = indices.to_numpy(zero_copy_only=False).astype(np.intp, copy=False)
        out: Ints = self._mapped.take(positions)
        if len(out) and out.min() == _UNMAPPED:
            # Values of the dictionary that no cell holds must not count as seen.
            used = np.bincount(positions, minlength=len(self._mapped)) > 0
            new = np.flatnonzero(used & (self._mapped == _UNMAPPED))
            cells = dictionary.take(pa.array(new, mask=new == len(dictionary)))
            self._mapped[new] = self._encode_plain(cells)
            out = self._mapped.take(positions)
        return out

    def _encode_plain(self, array: pa.Array) -> Ints:
        """Returns the codes of an array that is not dictionary-encoded."""
        raise NotImplementedError


class ValueCodes(Codes):
    """An encoder that has a code for every distinct value.

    Args:
        column: the name of the column, for messages.
        known: the values that have codes, in this order; None to give every new value a new code.
    """

    def __init__(self, column: str, known: Sequence[ColumnCondition] | None = None) -> None:
        super().__init__(column)
        self._grows = known is None
        self._size = 0
        self._missing = NOWHERE
        self._numberings = {family: Numbering(type_) for family, type_ in FAMILIES.items()}
        # The codes by the number of a value in its family; the last is for unknown values (-1).
        self._codes = {family: np.full(1, NOWHERE) for family in self._numberings}
        # Ranges of successive codes: the family, its first number, and how many numbers.
        self._blocks: list[tuple[str, int, int]] = []
        for family, run in groupby(known or (), family_of):
            self._add(family, list(run))

    def __len__(self) -> int:
        return self._size

    def conditions(self) -> list[ColumnCondition]:
        conditions: list[ColumnCondition] = []
        values = {family: numbering.values() for family, numbering in self._numberings.items()}
        for family, first, count in self._blocks:
            if family == "missing":
                conditions.append(MISSING)
            else:
                conditions += conditions_of(family, values[family].slice(first, count))
        return conditions

    def _add(self, family: str, known: Sequence[ColumnCondition]) -> None:
        if family == "missing":
            self._missing = self._block("missing", 0, 1)
            return
        cells = [cell_of(condition) for condition in known]
        self._encode_family(family, pa.array(cells, self._numberings[family].values().type), True)

    def _encode_plain(self, array: pa.Array) -> Ints:
        out = np.full(len(array), NOWHERE)
        for family, cells in families(self.column, array):
            codes = self._encode_family(family, cells, self._grows)
            out = codes if cells.null_count == array.null_count else np.maximum(out, codes)
        if array.null_count:
            if self._grows and self._missing == NOWHERE:
                self._missing = self._block("missing", 0, 1)
            out[array.is_null().to_numpy(zero_copy_only=False)] = self._missing
        return out

    def _encode_family(self, family: str, cells: pa.Array, grows: bool) -> Ints:
        """Returns the codes of the cells of a family; `NOWHERE` for null and unknown cells."""
        numbering = self._numberings[family]
        numbers = numbering.add(cells) if grows else numbering.find(cells)
        codes = self._codes[family]
        first, new = len(codes) - 1, len(numbering) - len(codes) + 1
        if new:
            start = self._block(family, first, new)
            codes = np.concatenate([codes[:-1], np.arange(start, start + new), codes[-1:]])
            self._codes[family] = codes
        out: Ints = codes[numbers]
        return out

    def _block(self, family: str, first: int, count: int) -> int:
        """Appends a range of codes, and returns its first code."""
        start = self._size
        self._blocks.append((family, first, count))
        self._size += count
        return start


class BucketCodes(Codes):
    """An encoder that has a code for every bucket, ascending, then for NaN and for missing cells.

    Edges are rounded to the type of a column of floats: in a column of float32, the float32 nearest
    to 0.7 is in the bucket that begins at 0.7.
    """

    def __init__(self, column: str, edges: Sequence[int | float]) -> None:
        super().__init__(column)
        self._edges = edges

    def __len__(self) -> int:
        return len(self._edges) + 3

    def conditions(self) -> list[ColumnCondition]:
        return [*bucket_conditions(self._edges), NAN, MISSING]

    def _encode_plain(self, array: pa.Array) -> Ints:
        type_ = array.type
        nan = len(self._edges) + 1
        if pa.types.is_null(type_):
            return np.full(len(array), nan + 1)
        values = filled(array)
        out: Ints
        if pa.types.is_floating(type_):
            out = np.searchsorted(_float_edges(self._edges, type_), values, "right")
            out[np.isnan(values)] = nan
        else:
            # An integer is not below an edge if it is not below the edge rounded up.
            inner = [math.ceil(edge) for edge in self._edges]
            passed = 0
            if values.dtype != object:
                info = np.iinfo(values.dtype)
                passed = sum(edge <= info.min for edge in inner)
                inner = [edge for edge in inner if info.min < edge <= info.max]
            out = passed + np.searchsorted(np.array(inner, values.dtype), values, "right")
        if array.null_count:
            out[array.is_null().to_numpy(zero_copy_only=False)] = nan + 1
        return out


def _float_edges(edges: Sequence[int | float], type_: pa.DataType) -> Any:
    """Returns edges rounded to a type of floats; as float32 if the type is float16."""
    dtype = np.dtype(f"f{max(type_.bit_width, 32) // 8}")
    column_dtype = np.dtype(f"f{type_.bit_width // 8}")
    with np.errstate(over="ignore"):
        rounded = np.array(edges, np.float64).astype(column_dtype).astype(dtype)
    # All finite numbers are above an edge that is rounded to -inf, but -inf itself is below it.
    return np.where(np.isneginf(rounded), np.array(np.finfo(column_dtype).min, dtype), rounded)


class ListedCodes(Codes):
    """An encoder that has a code for every listed value, and none for other values.

    A listed value means what it means in `where`: in a column of floats, 1 is 1.0, and in one of
    float32, 0.1 is the nearest float32. The condition of a code has the value as it is listed.
    """

    def __init__(self, column: str, values: Sequence[str | int | float | bool | None]) -> None:
        super().__init__(column)
        self._values = values
        self._by_type: dict[pa.DataType, tuple[ValueCodes, Ints]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def conditions(self) -> list[ColumnCondition]:
        return [value_condition(value) for value in self._values]

    def _encode_plain(self, array: pa.Array) -> Ints:
        if array.type not in self._by_type:
            known: dict[ColumnCondition, int] = {}
            for code, value in enumerate(self._values):
                condition = held_form(value, array.type)
                if condition is not None and known.setdefault(condition, code) != code:
                    first = self._values[known[condition]]
                    raise ColumnError(
                        f"the values {first!r} and {value!r} are the same number in column"
                        f" '{self.column}', which is {array.type}; list one of them"
                    )
            listed_codes = np.array([*known.values(), NOWHERE])
            self._by_type[array.type] = ValueCodes(self.column, list(known)), listed_codes
        value_codes, listed_codes = self._by_type[array.type]
        out: Ints = listed_codes[value_codes.encode(array)]
        return out


def held_form(value: str | int | float | bool | None, type_: pa.DataType) -> ColumnCondition | None:
    """Returns the condition of a listed value in a column of a type; None if it cannot occur."""
    if value is None:
        return MISSING
    held = held_value(value, type_)
    return None if held is None else value_condition(held)


def make_codes(part: SliceColumn, known: Sequence[ColumnCondition] | None = None) -> Codes:
    """Returns the encoder of a column of a spec; `known` has the meaning it has in `ValueCodes`."""
    if part.edges is not None:
        return BucketCodes(part.column, part.edges)
    if part.values is not None:
        return ListedCodes(part.column, part.values)
    return ValueCodes(part.column, known)


def check_slice_type(part: SliceColumn, type_: pa.DataType) -> None:
    """Checks that rows can be sliced by a column of a type, which may be a type of lists.

    Raises:
        ColumnError: if they cannot be sliced by it, or not by the edges or the values given.
    """
    cell_type = type_.value_type if is_list(type_) else type_
    if pa.types.is_dictionary(cell_type):
        cell_type = cell_type.value_type
    all_null = pa.types.is_null(cell_type)
    if not (is_number(cell_type) or is_text(cell_type) or pa.types.is_date(cell_type) or all_null):
        raise ColumnError(f"column '{part.column}' is {cell_type}, {SLICED_BY}")
    numbers = is_number(cell_type) and not pa.types.is_boolean(cell_type)
    if part.edges is not None and not (numbers or all_null):
        raise ColumnError(
            f"column '{part.column}' is {cell_type}, and 'edges' are for numbers; slice by every"
            " value, or list 'values'"
        )
    if part.values is None or all_null:
        return
    # A number too large for the type, as 1e300 for float32, is still a number, and no mistake.
    if not any(value is None or can_hold(cell_type, value) for value in part.values):
        sought = first_values(part.values)
        raise ColumnError(
            f"column '{part.column}' is {cell_type}, and 'slices' lists {sought} for it; write the"
            " values as the column has them (quote text, do not quote numbers)"
        )
