"""Divides the values of a column into families, in which values can be numbered exactly.

A cell is what stands for a value in its family: an int64 or some bytes. Integers are of three
families, by whether they fit into int64, into uint64, or into neither.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors.faults import ColumnError
from pipeline.readers.arrow_types import bytes_type, is_text, is_whole
from pipeline.readers.rows import decoded, filled
from pipeline.slicing.conditions import ColumnCondition, value_condition
from pipeline.slicing.numbering import Ints

# Integers from here on fit into uint64, but not into int64.
_HALF = 1 << 63

FAMILIES: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "wide": pa.int64(),
    "huge": pa.large_binary(),
    "float": pa.int64(),
    "text": pa.large_binary(),
    "date": pa.large_binary(),
    "bool": pa.int64(),
}
"""The families of values, and the types of their cells."""

SLICED_BY = "and rows are sliced by text, numbers, booleans or dates"


def families(column: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Yields families of values and their cells as int64 or large_binary; other cells are null."""
    type_ = array.type
    if pa.types.is_null(type_):
        return
    if pa.types.is_date(type_):
        # As text, because Arrow has years that Python's dates do not have.
        coded = array.dictionary_encode()
        yield "date", coded.dictionary.cast(pa.string()).cast(pa.large_binary()).take(coded.indices)
    elif is_text(type_):
        yield "text", array.view(bytes_type(type_)).cast(pa.large_binary())
    elif pa.types.is_boolean(type_):
        yield "bool", array.cast(pa.int64())
    elif pa.types.is_floating(type_):
        # A signalling NaN is a NaN like all others, and needs no warning.
        with np.errstate(invalid="ignore"):
            values = filled(array).astype(np.float64) + 0.0
        values[np.isnan(values)] = math.nan
        yield "float", _int64(values.view(np.int64), array)
    elif pa.types.is_integer(type_):
        if pa.types.is_uint64(type_):
            values = filled(array)
            wide = values >= _HALF
            if wide.any():
                cells = _int64(values.view(np.int64), array)
                missing = pa.scalar(None, pa.int64())
                yield "int", pc.if_else(pa.array(wide), missing, cells)
                yield "wide", pc.if_else(pa.array(wide), cells, missing)
                return
        yield "int", array.cast(pa.int64())
    elif is_whole(type_):
        yield from _decimal_families(array)
    else:
        raise ColumnError(f"column '{column}' is {type_}, {SLICED_BY}")


def _decimal_families(array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Yields the families of decimals that are integers, and their cells."""
    low, middle, high = (pa.scalar(Decimal(x), array.type) for x in (-_HALF, _HALF, 2 * _HALF))
    missing = pa.scalar(None, array.type)
    in_int = pc.and_(pc.greater_equal(array, low), pc.less(array, middle))
    in_wide = pc.and_(pc.greater_equal(array, middle), pc.less(array, high))
    yield "int", pc.if_else(in_int, array, missing).cast(pa.int64())
    wide = pc.if_else(in_wide, array, missing).cast(pa.uint64())
    yield "wide", _int64(filled(wide).view(np.int64), wide)
    huge = pc.if_else(pc.or_(in_int, in_wide), missing, array)
    yield "huge", huge.cast(pa.string()).cast(pa.large_binary())


def _int64(values: Ints, array: pa.Array) -> pa.Array:
    """Returns the values as an Arrow array that is null where `array` is null."""
    if not array.null_count:
        return pa.array(values)
    return pa.array(values, mask=array.is_null().to_numpy(zero_copy_only=False))


def family_of(condition: ColumnCondition) -> str:
    """Returns the family of the value of a condition, or `missing`."""
    kind, value = condition
    if kind in ("string", "bytes"):
        return "text"
    if kind != "int" or -_HALF <= (number := int(value or 0)) < _HALF:
        return kind
    return "wide" if _HALF <= number < 2 * _HALF else "huge"


def cell_of(condition: ColumnCondition) -> int | bytes:
    """Returns the value of a condition as `families` represents it."""
    kind, value = condition
    if kind == "float":
        return int(np.float64(str(value)).view(np.int64))
    if kind == "bytes":
        return bytes.fromhex(str(value))
    if isinstance(value, str):
        return value.encode()
    assert value is not None
    number = int(value)
    family = family_of(condition)
    if family == "huge":
        return str(number).encode()
    return number - 2 * _HALF if family == "wide" else number


def conditions_of(family: str, cells: pa.Array) -> list[ColumnCondition]:
    """Returns the conditions of cells of a family; the inverse of `cell_of`."""
    if family == "float":
        return [value_condition(x) for x in cells.to_numpy().view(np.float64).tolist()]
    values = cells.to_pylist()
    if family == "date":
        return [("date", value.decode()) for value in values]
    if family == "text":
        return [value_condition(decoded(value)) for value in values]
    if family == "bool":
        return [("bool", bool(value)) for value in values]
    if family == "huge":
        return [("int", int(value)) for value in values]
    return [("int", value if family == "int" else value + 2 * _HALF) for value in values]
