"""Slices: which segments a row belongs to.

Rows are measured in the cross of all slice columns, and the states of the cross are rolled up into
the slices afterwards: states are exact, so that costs no digit, and one pass over the rows serves
every slice. Where the cross has too many cells, each column is measured on its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heads.statistics import OVERALL, Condition, Key, Segments
from pipeline.columns import ColumnError, coded, is_number, is_text

Ints = npt.NDArray[np.int64]

# Beyond this many cells the cross costs more than it saves.
MAX_CROSS = 4096
# Combinations are numbered through before it is known which occur; these still fit an int64.
MAX_MIXED = 1 << 40


class Slicer:
    """Gives the rows of batches their segments; the numbering is its own and grows with the data.

    Args:
        columns: the columns to slice by.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = {column: _Values(column) for column in columns}
        self._crosses = [_Cross(columns)]

    def segments(self, column: Callable[[str], pa.Array], rows: int) -> list[Segments] | None:
        """The segments of a batch, once for each pass over its rows that is needed.

        Args:
            column: gives a column of the batch by name, `[rows]`.
            rows: rows of the batch.

        Returns:
            Segments by cross; None if the crosses have just been taken apart, after which what
            was accumulated must be put away and the batch be given again.
        """
        codes = {name: values.codes(column(name)) for name, values in self._columns.items()}
        counts = {name: len(values.conditions) for name, values in self._columns.items()}
        if len(self._crosses) < len(self._columns) and self._too_wide(counts):
            self._crosses = [_Cross([name]) for name in self._columns]
            return None
        segments = [cross.segments(codes, counts, rows) for cross in self._crosses]
        return [
            Segments(index, cross.keys(self._columns))
            for index, cross in zip(segments, self._crosses, strict=True)
        ]

    def _too_wide(self, counts: dict[str, int]) -> bool:
        return len(self._crosses[0]) > MAX_CROSS or math.prod(counts.values()) > MAX_MIXED

    def slices_of(self, key: Key, cross: int) -> list[Key]:
        """The slices that a segment of a cross is part of: its conditions one by one, and overall.

        Overall is rolled up from the first cross alone.
        """
        single: list[Key] = [(condition,) for condition in key]
        return [*single, OVERALL] if cross == 0 else single


class _Values:
    """The distinct values of a column as they arrive."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._code: dict[Condition, int] = {}
        self.conditions: list[Condition] = []

    def codes(self, array: pa.Array) -> Ints:
        """The number of each row's value `[n]`.

        Raises:
            ColumnError: if the column holds what rows cannot be sliced by.
        """
        check_slice_type(self._column, array.type)
        dates = _is_date(array.type)
        # As text, for Arrow's years are more than Python's.
        indices, values = coded(array.cast(pa.string()) if dates else array)
        numbers = []
        for value in values:
            kind, own = _condition(value)
            kind = "date" if dates and own is not None else kind
            numbers.append(self._number((self._column, kind, own)))
        out: Ints = np.array(numbers, np.int64).take(indices)
        return out

    def _number(self, condition: Condition) -> int:
        if condition not in self._code:
            self._code[condition] = len(self.conditions)
            self.conditions.append(condition)
        return self._code[condition]


def check_slice_type(column: str, type_: pa.DataType) -> None:
    """Raises ColumnError if rows cannot be sliced by a column of this type."""
    own = type_.value_type if pa.types.is_dictionary(type_) else type_
    if not (is_number(own) or is_text(own) or _is_date(own) or pa.types.is_null(own)):
        raise ColumnError(
            f"column '{column}' is {own}, and rows are sliced by text, numbers, booleans or dates"
        )


def _is_date(type_: pa.DataType) -> bool:
    own = type_.value_type if pa.types.is_dictionary(type_) else type_
    return bool(pa.types.is_date(own))


def _condition(value: object) -> tuple[str, str | int | bool | None]:
    if value is None:
        return "missing", None
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return "int", value
    if isinstance(value, float):
        # Text, so that NaN and the infinities are values like any other; -0.0 is 0.0.
        return "float", repr(value + 0.0)
    if isinstance(value, str):
        return "string", value
    assert isinstance(value, bytes)
    return "bytes", value.hex()


class _Cross:
    """The combinations of values of some columns as they arrive."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._names = list(columns)
        self._combinations: list[tuple[int, ...]] = []
        self._number: dict[tuple[int, ...], int] = {}
        self._keys: list[Key] = []
        self._table = np.full(1, -1)
        self._shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._combinations)

    def segments(self, codes: dict[str, Ints], counts: dict[str, int], rows: int) -> Ints:
        """The number of each row's combination `[rows]`."""
        if not self._names:
            self._take(())
            return np.zeros(rows, np.int64)
        shape = tuple(counts[name] for name in self._names)
        mixed = codes[self._names[0]]
        for name, count in zip(self._names[1:], shape[1:], strict=True):
            mixed = mixed * count + codes[name]
        if len(self._names) == 1:
            for code in range(len(self), shape[0]):
                self._take((code,))
            return mixed
        if np.prod(shape, dtype=np.float64) > 1 << 20:
            used, index = np.unique(mixed, return_inverse=True)
            return self._numbers(used, shape).take(index)
        if shape != self._shape:
            self._shape = shape
            self._table = np.full(int(np.prod(shape)), -1)
            if self._combinations:
                self._table[np.ravel_multi_index(np.array(self._combinations).T, shape)] = (
                    np.arange(len(self))
                )
        found: Ints = self._table.take(mixed)
        if rows and found.min() < 0:
            new = np.unique(mixed[found < 0])
            self._table[new] = self._numbers(new, shape)
            found = self._table.take(mixed)
        return found

    def _numbers(self, mixed: Ints, shape: tuple[int, ...]) -> Ints:
        combinations = zip(*(part.tolist() for part in np.unravel_index(mixed, shape)), strict=True)
        return np.array([self._take(one) for one in combinations], np.int64)

    def _take(self, combination: tuple[int, ...]) -> int:
        if combination not in self._number:
            self._number[combination] = len(self._combinations)
            self._combinations.append(combination)
        return self._number[combination]

    def keys(self, columns: dict[str, _Values]) -> list[Key]:
        """The key of each number; the list is the same object as long as nothing was added."""
        if len(self._keys) < len(self._combinations):
            self._keys = self._keys + [
                tuple(
                    columns[name].conditions[code]
                    for name, code in zip(self._names, combination, strict=True)
                )
                for combination in self._combinations[len(self._keys) :]
            ]
        return self._keys
