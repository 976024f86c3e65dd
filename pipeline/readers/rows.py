"""Columns of a batch: from the file or from its directories, as Arrow arrays and as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors.faults import ColumnError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


# So many characters of a cell are shown.
_SHOWN = 200


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of one shard.

    Attributes:
        batch: the columns that are in the file.
        numbers: int64 `[n]`, row numbers within the file.
        path: the file.
        directory: columns stated by its directories.
    """

    batch: pa.RecordBatch
    numbers: npt.NDArray[np.int64]
    path: str
    directory: dict[str, str | None]

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, keep: Mask) -> Rows:
        """The rows to keep."""
        if keep.all():
            return self
        return Rows(
            self.batch.filter(pa.array(keep)), self.numbers[keep], self.path, self.directory
        )

    def column(self, name: str) -> pa.Array:
        """A column `[n]`; a column of the file goes before one of its directories."""
        if name in self.batch.schema.names:
            return self.batch.column(name)
        value = self.directory[name]
        # The name of a directory need not be UTF-8.
        raw = None if value is None else value.encode("utf-8", "surrogateescape")
        indices = pa.array(np.zeros(len(self), np.int32))
        return pa.DictionaryArray.from_arrays(indices, pa.array([raw], pa.binary()))

    def scalars(self, name: str) -> tuple[pa.Array, Mask | None]:
        """A column of single values `[n]`.

        A list of one value, which is how tf.train.Example stores it, is that value; an empty list
        is null.

        Returns:
            The values, and in which rows a list had several and the value is null; None if in none.
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
    """A cell in words for people, at most 200 characters."""
    try:
        text = repr(cell.as_py())
    except UnicodeDecodeError:
        # Nothing checks the text of a Parquet file.
        text = "text that is not UTF-8"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def is_list(type_: pa.DataType) -> bool:
    """Whether a type is a list of any kind."""
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def list_lengths(array: pa.Array) -> npt.NDArray[np.int64]:
    """The length of each list `[n]`, 0 for null."""
    if pa.types.is_fixed_size_list(array.type):
        present = array.is_valid().to_numpy(zero_copy_only=False)
        return np.where(present, array.type.list_size, 0)
    lengths = array.value_lengths()
    if lengths.null_count:
        lengths = lengths.fill_null(0)
    out: npt.NDArray[np.int64] = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    return out


def flat_values(array: pa.Array) -> pa.Array:
    """The values of all lists, one after another; null lists have none."""
    return array.flatten()


def is_number(type_: pa.DataType) -> bool:
    """Whether a type holds real numbers or booleans."""
    return bool(
        pa.types.is_floating(type_) or pa.types.is_integer(type_) or pa.types.is_boolean(type_)
    )


def is_text(type_: pa.DataType) -> bool:
    """Whether a type holds text: strings, or the bytes of a tf.train.Example; coded or not."""
    if pa.types.is_dictionary(type_):
        return is_text(type_.value_type)
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
    )


def can_hold(type_: pa.DataType, value: str | float | bool) -> bool:
    """Whether a column of a type could have a value of a configuration."""
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(type_))
    if isinstance(value, str):
        return is_text(type_)
    return is_number(type_) and not pa.types.is_boolean(type_)


def as_held(value: float, type_: pa.DataType) -> float:
    """A number as a column of floats has it: float32 has 0.1 as the float32 nearest to it.

    NaN, which nothing equals, if it cannot have it.
    """
    with np.errstate(over="ignore"):
        rounded = float(np.asarray(value).astype(f"f{type_.bit_width // 8}"))
    return rounded if math.isfinite(rounded) else math.nan


def numbers(array: pa.Array) -> tuple[Floats, Mask | None]:
    """Numbers as float64 `[n]`, NaN for null, and where they are null; None if nowhere."""
    if pa.types.is_null(array.type):
        return np.full(len(array), np.nan), np.ones(len(array), bool)
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    null = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    values = array.to_numpy(zero_copy_only=False)
    return values.astype(np.float64), null


def words(array: pa.Array, vocabulary: tuple[str, ...]) -> tuple[Floats, Mask | None, Mask | None]:
    """Words as positions in a vocabulary.

    Returns:
        float64 `[n]`, NaN where there is none; where the word is null, None if nowhere; and where
        it is not in the vocabulary, None if nowhere.
    """
    indices, values = coded(array)
    known: dict[Any, float] = {word: float(at) for at, word in enumerate(vocabulary)}
    position = np.array([known.get(word, np.nan) for word in values], float).take(indices)
    null = np.array([word is None for word in values], bool).take(indices)
    unknown = np.isnan(position) & ~null
    return position, null if null.any() else None, unknown if unknown.any() else None


def coded(array: pa.Array) -> tuple[npt.NDArray[np.integer[Any]], list[Any]]:
    """A column as positions `[n]` in a list of values, as Python has them; None for null.

    The list may have values that no row has. Text that is not UTF-8 is bytes.

    Raises:
        ColumnError: if the values are of a type that cannot be told apart.
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
        # One entry more for rows that have no place in the dictionary.
        indices = indices.cast(pa.int64()).fill_null(len(values))
        values = [*values, None]
    return indices.to_numpy(zero_copy_only=False), values


def python_values(array: pa.Array) -> list[Any]:
    """The values as Python has them; text that is not UTF-8 as bytes, wherever it comes from."""
    if not is_text(array.type):
        values: list[Any] = array.to_pylist()
        return values
    # Nothing checks the text of a Parquet file; bytes make no promise.
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    raw = array.view(pa.large_binary() if large else pa.binary()).to_pylist()
    return [None if word is None else _decoded(word) for word in raw]


def _decoded(word: bytes) -> str | bytes:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return word
