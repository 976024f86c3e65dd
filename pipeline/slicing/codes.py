"""Columns as numbers: which value, which listed value or which bucket each cell has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.slices import SliceColumn
from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import as_held, can_hold, is_list, is_number, is_text
from pipeline.slicing.conditions import (
    MISSING,
    NAN,
    ColumnCondition,
    bucket_conditions,
    value_condition,
)
from pipeline.slicing.numbering import Ints, Numbering

NOWHERE = -1
_UNMAPPED = -2
_HALF = 1 << 63


class Codes:
    """Gives cells their codes; dictionaries are mapped once as long as they stay the same.

    Args:
        column: the column, for messages.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self._dictionary: pa.Array | None = None
        self._mapped = np.zeros(0, np.int64)

    def __len__(self) -> int:
        """How many codes there are."""
        raise NotImplementedError

    def conditions(self) -> list[ColumnCondition]:
        """The condition of each code."""
        raise NotImplementedError

    def codes(self, array: pa.Array) -> Ints:
        """The code of each cell `[n]`; `NOWHERE` for a value that has none.

        Raises:
            ColumnError: if cells of this type cannot be sliced as the configuration says.
        """
        if not pa.types.is_dictionary(array.type):
            return self._plain(array)
        dictionary = array.dictionary
        last = self._dictionary
        if last is None or last.type != dictionary.type or not last.equals(dictionary):
            self._dictionary = dictionary
            self._mapped = np.full(len(dictionary) + 1, _UNMAPPED)
        positions = array.indices
        if positions.null_count:
            # One entry more for cells that have no place in the dictionary.
            positions = positions.cast(pa.int64()).fill_null(len(dictionary))
        places = positions.to_numpy(zero_copy_only=False).astype(np.intp, copy=False)
        out: Ints = self._mapped.take(places)
        if len(out) and out.min() == _UNMAPPED:
            # Values that no cell has must not count as seen.
            used = np.bincount(places, minlength=len(self._mapped)) > 0
            new = np.flatnonzero(used & (self._mapped == _UNMAPPED))
            cells = dictionary.take(pa.array(new, mask=new == len(dictionary)))
            self._mapped[new] = self._plain(cells)
            out = self._mapped.take(places)
        return out

    def _plain(self, array: pa.Array) -> Ints:
        raise NotImplementedError


class ValueCodes(Codes):
    """A code for each distinct value.

    Args:
        column: the column, for messages.
        known: the values that have codes, in their order; None to give one to every value that
            comes.
    """

    def __init__(self, column: str, known: Sequence[ColumnCondition] | None = None) -> None:
        super().__init__(column)
        self._grows = known is None
        self._size = 0
        self._missing = NOWHERE
        self._numberings = {
            family: Numbering(pa.large_binary() if family in ("text", "date") else pa.int64())
            for family in ("int", "wide", "float", "text", "date", "bool")
        }
        # The code of each number of a family; the last is for values without a number.
        self._codes = {family: np.full(1, NOWHERE) for family in self._numberings}
        self._blocks: list[tuple[str, int, int]] = []
        for family, run in groupby(known or (), _family):
            self._add(family, list(run))

    def __len__(self) -> int:
        return self._size

    def conditions(self) -> list[ColumnCondition]:
        found: list[ColumnCondition] = []
        values = {family: one.values() for family, one in self._numberings.items()}
        for family, first, count in self._blocks:
            if family == "missing":
                found.append(MISSING)
            else:
                found += _conditions(family, values[family].slice(first, count))
        return found

    def _add(self, family: str, known: Sequence[ColumnCondition]) -> None:
        if family == "missing":
            self._missing = self._block("missing", 0, 1)
            return
        cells = [_cell(own) for own in known]
        self._numbered(family, pa.array(cells, self._numberings[family].values().type), True)

    def _plain(self, array: pa.Array) -> Ints:
        out = np.full(len(array), NOWHERE)
        for family, cells in _families(self.column, array):
            found = self._numbered(family, cells, self._grows)
            out = found if cells.null_count == array.null_count else np.maximum(out, found)
        if array.null_count:
            if self._grows and self._missing == NOWHERE:
                self._missing = self._block("missing", 0, 1)
            out[array.is_null().to_numpy(zero_copy_only=False)] = self._missing
        return out

    def _numbered(self, family: str, cells: pa.Array, grows: bool) -> Ints:
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
        start = self._size
        self._blocks.append((family, first, count))
        self._size += count
        return start


def _families(column: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """The cells of an array as int64 or large_binary, by what they are; null elsewhere."""
    type_ = array.type
    if pa.types.is_null(type_):
        return
    if pa.types.is_date(type_):
        # As text, for Arrow's years are more than Python's.
        coded = array.dictionary_encode()
        yield "date", coded.dictionary.cast(pa.string()).cast(pa.large_binary()).take(coded.indices)
    elif is_text(type_):
        large = pa.types.is_large_string(type_) or pa.types.is_large_binary(type_)
        # Nothing checks the text of a Parquet file; bytes make no promise.
        raw = array.view(pa.large_binary() if large else pa.binary())
        yield "text", raw.cast(pa.large_binary())
    elif pa.types.is_boolean(type_):
        yield "bool", array.cast(pa.int64())
    elif pa.types.is_floating(type_):
        # A signalling NaN is a NaN, and nothing to warn of.
        with np.errstate(invalid="ignore"):
            values = _filled(array).astype(np.float64) + 0.0
        values[np.isnan(values)] = math.nan
        yield "float", _int64(values.view(np.int64), array)
    elif pa.types.is_integer(type_):
        if pa.types.is_uint64(type_):
            values = _filled(array)
            wide = values >= _HALF
            if wide.any():
                cells = _int64(values.view(np.int64), array)
                missing = pa.scalar(None, pa.int64())
                yield "int", pc.if_else(pa.array(wide), missing, cells)
                yield "wide", pc.if_else(pa.array(wide), cells, missing)
                return
        yield "int", array.cast(pa.int64())
    else:
        raise ColumnError(f"column '{column}' is {type_}, {_SLICED_BY}")


def _filled(array: pa.Array) -> Any:
    """The numbers of an array, with something in the place of null."""
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    if array.null_count:
        array = array.fill_null(0)
    return array.to_numpy(zero_copy_only=False)


def _int64(values: Ints, array: pa.Array) -> pa.Array:
    if not array.null_count:
        return pa.array(values)
    return pa.array(values, mask=array.is_null().to_numpy(zero_copy_only=False))


def _family(own: ColumnCondition) -> str:
    """The family of a condition of a value, or `missing`."""
    kind, value = own
    if kind in ("string", "bytes"):
        return "text"
    return "wide" if kind == "int" and int(value or 0) >= _HALF else kind


def _cell(own: ColumnCondition) -> int | bytes:
    """The cell of a condition of a value in its family."""
    kind, value = own
    if kind == "float":
        return int(np.float64(str(value)).view(np.int64))
    if kind == "bytes":
        return bytes.fromhex(str(value))
    if isinstance(value, str):
        return value.encode()
    assert value is not None
    number = int(value)
    return number - 2 * _HALF if number >= _HALF else number


def _conditions(family: str, cells: pa.Array) -> list[ColumnCondition]:
    if family == "float":
        return [value_condition(x) for x in cells.to_numpy().view(np.float64).tolist()]
    values = cells.to_pylist()
    if family == "date":
        return [("date", value.decode()) for value in values]
    if family == "text":
        return [value_condition(_decoded(value)) for value in values]
    if family == "bool":
        return [("bool", bool(value)) for value in values]
    return [("int", value if family == "int" else value + 2 * _HALF) for value in values]


def _decoded(word: bytes) -> str | bytes:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return word


class BucketCodes(Codes):
    """A code for each bucket, ascending; then one for NaN and one for what is missing.

    Edges are rounded as a column of floats has them: in one of float32, the float32 nearest to 0.7
    is in the bucket that begins at 0.7.
    """

    def __init__(self, column: str, edges: Sequence[int | float]) -> None:
        super().__init__(column)
        self._edges = edges

    def __len__(self) -> int:
        return len(self._edges) + 3

    def conditions(self) -> list[ColumnCondition]:
        return [*bucket_conditions(self._edges), NAN, MISSING]

    def _plain(self, array: pa.Array) -> Ints:
        type_ = array.type
        nan = len(self._edges) + 1
        if pa.types.is_null(type_):
            return np.full(len(array), nan + 1)
        values = _filled(array)
        out: Ints
        if pa.types.is_floating(type_):
            out = np.searchsorted(_float_edges(self._edges, type_), values, "right")
            out[np.isnan(values)] = nan
        else:
            # Whole numbers reach an edge where they reach the next whole number.
            whole = [math.ceil(edge) for edge in self._edges]
            info = np.iinfo(values.dtype)
            passed = sum(edge <= info.min for edge in whole)
            inner = [edge for edge in whole if info.min < edge <= info.max]
            out = passed + np.searchsorted(np.array(inner, values.dtype), values, "right")
        if array.null_count:
            out[array.is_null().to_numpy(zero_copy_only=False)] = nan + 1
        return out


def _float_edges(edges: Sequence[int | float], type_: pa.DataType) -> Any:
    dtype = np.dtype(f"f{max(type_.bit_width, 32) // 8}")
    own = np.dtype(f"f{type_.bit_width // 8}")
    with np.errstate(over="ignore"):
        rounded = np.array(edges, np.float64).astype(own).astype(dtype)
    # An edge below all finite numbers is passed by all of them, but not by -inf.
    return np.where(np.isneginf(rounded), np.array(np.finfo(own).min, dtype), rounded)


class ListedCodes(Codes):
    """A code for each listed value, and none for other values.

    A value is written as `where` has it: 1 is 1.0 in a column of floats, and 0.1 the float32
    nearest to it in one of float32. Its condition is what is listed, whatever the files have.
    """

    def __init__(self, column: str, values: Sequence[str | int | float | bool | None]) -> None:
        super().__init__(column)
        self._values = values
        self._by_type: dict[pa.DataType, tuple[ValueCodes, Ints]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def conditions(self) -> list[ColumnCondition]:
        return [value_condition(value) for value in self._values]

    def _plain(self, array: pa.Array) -> Ints:
        if array.type not in self._by_type:
            known: dict[ColumnCondition, int] = {}
            for code, value in enumerate(self._values):
                own = own_form(value, array.type)
                if own is not None and known.setdefault(own, code) != code:
                    first = self._values[known[own]]
                    raise ColumnError(
                        f"the values {first!r} and {value!r} are the same number in column"
                        f" '{self.column}', which is {array.type}; list one of them"
                    )
            target = np.array([*known.values(), NOWHERE])
            self._by_type[array.type] = ValueCodes(self.column, list(known)), target
        codes, target = self._by_type[array.type]
        out: Ints = target[codes.codes(array)]
        return out


def own_form(value: str | int | float | bool | None, type_: pa.DataType) -> ColumnCondition | None:
    """The condition that a listed value has in a column of a type; None if it cannot be there."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return ("bool", value) if pa.types.is_boolean(type_) else None
    if isinstance(value, str):
        return ("string", value) if is_text(type_) else None
    if pa.types.is_floating(type_):
        held = as_held(value, type_)
        return None if math.isnan(held) else value_condition(held)
    if pa.types.is_integer(type_) and value == int(value):
        return "int", int(value)
    return None


def make_codes(part: SliceColumn, known: Sequence[ColumnCondition] | None = None) -> Codes:
    """The codes of a column of a spec; `known` as for `ValueCodes`."""
    if part.edges is not None:
        return BucketCodes(part.column, part.edges)
    if part.values is not None:
        return ListedCodes(part.column, part.values)
    return ValueCodes(part.column, known)


_SLICED_BY = "and rows are sliced by text, numbers, booleans or dates"


def check_slice_type(part: SliceColumn, type_: pa.DataType) -> None:
    """Checks that rows can be sliced by a column of this type, or of lists of it.

    Raises:
        ColumnError: if they cannot, or not by the edges or the values given.
    """
    own = type_.value_type if is_list(type_) else type_
    if pa.types.is_dictionary(own):
        own = own.value_type
    nothing = pa.types.is_null(own)
    if not (is_number(own) or is_text(own) or pa.types.is_date(own) or nothing):
        raise ColumnError(f"column '{part.column}' is {own}, {_SLICED_BY}")
    numbers = is_number(own) and not pa.types.is_boolean(own)
    if part.edges is not None and not (numbers or nothing):
        raise ColumnError(
            f"column '{part.column}' is {own}, and 'edges' are for numbers; slice by every value,"
            " or list 'values'"
        )
    if part.values is None or nothing:
        return
    # A number that only rounds away, as 1e300 does in float32, is not a mistake of its kind.
    kinds = {value is None or can_hold(own, value) for value in part.values}
    if True not in kinds:
        sought = ", ".join(map(repr, part.values))
        raise ColumnError(
            f"column '{part.column}' is {own}, and 'slices' lists {sought} for it; write the"
            " values as the column has them (quote text, do not quote numbers)"
        )
