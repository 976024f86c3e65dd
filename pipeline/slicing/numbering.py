"""Gives distinct values numbers, without a step of Python for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]

# Arrow hashes all known values anew at every look-up; for more values, a dict costs less.
MANY = 1 << 16


class Numbering:
    """A numbering of distinct values, from 0 on, in the order in which they are added.

    Args:
        type_: the type of the values, int64 or large_binary.

    Attributes:
        bytes: about how many bytes the values take.
    """

    def __init__(self, type_: pa.DataType) -> None:
        self._chunks = [pa.array([], type_)]
        self._number: dict[Any, int] | None = None
        self._size = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self._size

    def values(self) -> pa.Array:
        """Returns the values; the position of a value is its number."""
        if len(self._chunks) > 1:
            self._chunks = [pa.concat_arrays(self._chunks)]
        return self._chunks[0]

    def find(self, array: pa.Array) -> Ints:
        """Returns the number of every value, int64 `[n]`; -1 for null and for unknown values."""
        if self._size <= MANY:
            indices = pc.index_in(array, value_set=self.values())
            if indices.null_count:
                indices = indices.fill_null(-1)
            return _int64(indices.to_numpy(zero_copy_only=False))
        if self._number is None:
            self._number = {value: i for i, value in enumerate(self.values().to_pylist())}
        coded = array.dictionary_encode()
        numbers = [self._number.get(value, -1) for value in coded.dictionary.to_pylist()]
        indices = coded.indices.fill_null(len(numbers)).to_numpy(zero_copy_only=False)
        return _int64(np.array([*numbers, -1])[indices])

    def add(self, array: pa.Array) -> Ints:
        """Numbers the values that are new, and returns all numbers, int64 `[n]`; -1 for null."""
        numbers = self.find(array)
        unknown = np.flatnonzero(numbers < 0)
        if len(unknown) <= array.null_count:
            return numbers
        unknown_values = array.take(pa.array(unknown))
        new = unknown_values.unique().drop_null()
        if self._number is not None:
            self._number.update(zip(new.to_pylist(), range(self._size, 1 << 62), strict=False))
        self._chunks.append(new)
        self._size += len(new)
        self.bytes += new.nbytes
        numbers[unknown] = self.find(unknown_values)
        return numbers


def distinct(numbers: Ints, below: int) -> Ints:
    """Returns the distinct numbers, ascending; all must be at least 0 and less than `below`."""
    # Marks are faster than a sort if there are not too many of them.
    if below > 64 * len(numbers):
        return np.unique(numbers)
    marks = np.zeros(below, np.bool_)
    marks[numbers] = True
    return np.flatnonzero(marks)


def _int64(numbers: npt.NDArray[Any]) -> Ints:
    return numbers.astype(np.int64, copy=False)
