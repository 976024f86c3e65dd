"""Provides the columns of a batch, from the file or its directories, as arrays and as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors.faults import ColumnError
from pipeline.readers.arrow_types import (
    bytes_type,
    is_list,
    is_number,
    is_text,
    is_whole,
    plain_batch,
)

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# The largest number of characters that `shown` returns.
_MAX_SHOWN = 200


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a shard.

    Attributes:
        batch: the columns that are in the file, in the few types of `arrow_types`, whatever types
            they are given in.
        numbers: int64 `[n]`, the numbers of the rows within the file.
        path: the path of the file; empty for rows that have no place, whose numbers mean nothing.
        directory: the columns in the names of its directories: name and value; None for null.
    """

    batch: pa.RecordBatch
    numbers: npt.NDArray[np.int64]
    path: str
    directory: dict[str, str | None]

    def __post_init__(self) -> None:
        object.__setattr__(self, "batch", plain_batch(self.batch))

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, keep: Mask) -> Rows:
        """Returns the rows for which the mask `keep`, `[n]`, is true."""
        if keep.all():
            return self
        return Rows(
            self.batch.filter(pa.array(keep)), self.numbers[keep], self.path, self.directory
        )

    def has(self, name: str) -> bool:
        """Returns whether a column is in the file, and not in its directories alone."""
        # `schema.names` makes a list of all columns, of which there may be thousands, every time.
        return bool(self.batch.schema.get_field_index(name) >= 0)

    def column(self, name: str) -> pa.Array:
        """Returns a column `[n]`; a column of the file has priority over one of its directories."""
        if self.has(name):
            return self.batch.column(name)
        value = self.directory[name]
        # The name of a directory need not be UTF-8.
        raw = None if value is None else value.encode("utf-8", "surrogateescape")
        indices = pa.array(np.zeros(len(self), np.int32))
        return pa.DictionaryArray.from_arrays(indices, pa.array([raw], pa.binary()))

    def scalars(self, name: str) -> tuple[pa.Array, Mask | None]:
        """Returns a column as single values `[n]`.

        A list of a single value, as tf.train.Example stores it, becomes that value. An empty list
        becomes null.

        Returns:
            The values; and a mask `[n]` of the rows whose list has several values, which become
            null, or None if there are no such rows.
        """
        array = self.column(name)
        if not is_list(array.type):
            return array, None
        lengths = list_lengths(array)
        values = flat_values(array)
        if len(values) == len(array) and (lengths == 1).all():
            return values, None
        starts = np.cumsum(lengths) - lengths
        taken = pa.array(starts, mask=lengths != 1)
        several = lengths > 1
        return values.take(taken), several if several.any() else None


def shown(cell: pa.Scalar) -> str:
    """Returns a cell as text for users, in at most 200 characters."""
    try:
        text = repr(cell.as_py())
    except UnicodeDecodeError:
        # The text of a Parquet file is not checked.
        text = "text that is not UTF-8"
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def list_lengths(array: pa.Array) -> npt.NDArray[np.int64]:
    """Returns the length of each list, int64 `[n]`; 0 for a null list."""
    if pa.types.is_fixed_size_list(array.type):
        present = array.is_valid().to_numpy(zero_copy_only=False)
        return np.where(present, array.type.list_size, 0)
    lengths = array.value_lengths()
    if lengths.null_count:
        lengths = lengths.fill_null(0)
    int_lengths: npt.NDArray[np.int64] = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    return int_lengths


def flat_values(array: pa.Array) -> pa.Array:
    """Returns the values of all lists in order, as a single array; null lists have no values."""
    return array.flatten()


def can_hold(type_: pa.DataType, value: str | float | bool) -> bool:
    """Returns whether a column of a type could hold a value of a configuration."""
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(type_))
    if isinstance(value, str):
        return is_text(type_)
    return is_number(type_) and not pa.types.is_boolean(type_)


def held_value(value: str | float | bool, type_: pa.DataType) -> str | int | float | bool | None:
    """Returns a value of a configuration as the cells of a column that are equal to it hold it.

    In a column of floats a number stands for the float nearest to it. It is None where no cell can
    be equal: for a fraction or a number out of range in a column of integers, for a number too
    large for a column of floats, and for values of another kind than the column's.
    """
    if not can_hold(type_, value):
        return None
    if isinstance(value, str):
        # Half of a pair of surrogates is no text that a column could hold.
        return None if any("\ud800" <= letter <= "\udfff" for letter in value) else value
    if pa.types.is_floating(type_):
        return _nearest_float(value, type_)
    if pa.types.is_decimal(type_):
        if not is_whole(type_):
            return _nearest_float(value, pa.float64())
        return int(value) if math.isfinite(value) and value == int(value) else None
    if pa.types.is_integer(type_):
        half = 1 << (type_.bit_width - 1)
        low, end = (-half, half) if pa.types.is_signed_integer(type_) else (0, 2 * half)
        return int(value) if low <= value < end and value == int(value) else None
    return value


def _nearest_float(value: float, type_: pa.DataType) -> float | None:
    """Returns the float of a type that is nearest to a finite number; None beyond its range."""
    try:
        with np.errstate(over="ignore"):
            rounded = float(np.float64(value).astype(f"f{type_.bit_width // 8}"))
    except OverflowError:
        # Python's whole numbers have no bounds.
        return None
    return rounded if math.isfinite(rounded) else None


def numbers(array: pa.Array) -> tuple[Floats, Mask | None]:
    """Returns numbers as float64 `[n]`, NaN for null; and a mask of nulls, None without nulls."""
    if pa.types.is_null(array.type):
        return np.full(len(array), np.nan), np.ones(len(array), bool)
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    elif pa.types.is_decimal(array.type):
        # Integers beyond 64 bits; the parser rounds to the nearest number.
        array = array.cast(pa.string()).cast(pa.float64())
    null = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    values = array.to_numpy(zero_copy_only=False)
    return values.astype(np.float64), null


def filled(array: pa.Array) -> Any:
    """Returns the numbers of an array, with an arbitrary number in the place of null.

    Decimals are returned as an array of Python's integers.
    """
    if pa.types.is_decimal(array.type):
        integers = [int(value or 0) for value in array.to_pylist()]
        return np.array(integers, object)
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    if array.null_count:
        array = array.fill_null(0)
    return array.to_numpy(zero_copy_only=False)


def words(array: pa.Array, vocabulary: tuple[str, ...]) -> tuple[Floats, Mask | None, Mask | None]:
    """Returns the position of each word in a vocabulary.

    Returns:
        The positions, float64 `[n]`, NaN for a word without a position; a mask `[n]` of the nulls,
        None if there are none; and a mask `[n]` of the words that are not in the vocabulary, None
        if there are none.
    """
    indices, values = coded(array)
    places: dict[Any, float] = {word: float(at) for at, word in enumerate(vocabulary)}
    position = np.array([places.get(word, np.nan) for word in values], float).take(indices)
    null = np.array([word is None for word in values], bool).take(indices)
    unknown = np.isnan(position) & ~null
    return position, null if null.any() else None, unknown if unknown.any() else None


def coded(array: pa.Array) -> tuple[npt.NDArray[np.integer[Any]], list[Any]]:
    """Returns a column as positions `[n]` in a list of Python values; None stands for null.

    The list may hold values that no row has. Text that is not UTF-8 is returned as bytes.

    Raises:
        ColumnError: if Arrow cannot compare values of this type.
    """
    if not pa.types.is_dictionary(array.type):
        if pa.types.is_float16(array.type):
            array = array.cast(pa.float32())
        try:
            array = array.dictionary_encode()
        except pa.ArrowNotImplementedError as error:
            raise ColumnError(f"values of type {array.type} cannot be told apart") from error
    values = python_values(array.dictionary)
    indices = array.indices
    if indices.null_count:
        # A last entry is for the rows that have no place in the dictionary.
        indices = indices.cast(pa.int64()).fill_null(len(values))
        values = [*values, None]
    return indices.to_numpy(zero_copy_only=False), values


def python_values(array: pa.Array) -> list[Any]:
    """Returns the values of an array in Python; text that is not UTF-8 is returned as bytes."""
    if not is_text(array.type):
        values: list[Any] = array.to_pylist()
        return values
    raw = array.view(bytes_type(array.type)).to_pylist()
    return [None if word is None else decoded(word) for word in raw]


def decoded(word: bytes) -> str | bytes:
    """Returns a word as text; as it is, if it is not UTF-8."""
    try:
        return word.decode()
    except UnicodeDecodeError:
        return word
