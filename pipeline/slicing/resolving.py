"""Finds the slices of one spec from the codes of its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from heads.statistics import Key
from pipeline.config.slices import Slice
from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import Rows
from pipeline.slicing.codes import NOWHERE, Codes
from pipeline.slicing.conditions import OTHER, ColumnCondition, other_key
from pipeline.slicing.entries import Entries
from pipeline.slicing.numbering import Ints, Numbering
from pipeline.slicing.table import SpecSlices

# Up to so many possible combinations are looked up in a table of all of them.
DENSE = 1 << 18


class NotCounted(ColumnError):
    """An exception for a row whose slice was not there when slices were counted."""


class SpecResolver:
    """A resolver, which knows the slices of one spec and finds the slice of an entry.

    Args:
        spec: the spec.
        slices: the slices that were decided for the spec.
        column_codes: the encoders of the columns, in the order of `spec.parts`.

    Attributes:
        spec: the spec.
        column_codes: the encoders of the columns, in the order of `spec.parts`.
        keys: the keys of the slices; `other`, if it exists, is last.
        has_other: whether some slices were merged into `other`.
        listed: whether any column lists `values`, so that a row may be in no slice.
    """

    def __init__(self, spec: Slice, slices: SpecSlices, column_codes: Sequence[Codes]) -> None:
        self.spec = spec
        self.column_codes = column_codes
        self.keys = slices.keys
        self.has_other = slices.merged_into_other > 0
        self.listed = any(part.values is not None for part in spec.parts)
        self._other = other_key(spec)
        self._known = frozenset(self.keys)
        code_of = [
            {condition: code for code, condition in enumerate(codes.conditions())}
            for codes in column_codes
        ]
        kept = [key for key in self.keys if key[0][1] != OTHER]
        table = [[codes[key[j][1:]] for key in kept] for j, codes in enumerate(code_of)]
        self._lookup = _Lookup(
            [np.array(codes, np.int64) for codes in table], [*map(len, column_codes)]
        )

    def positions(self, entries: Entries, rows: Rows) -> Ints:
        """Returns the position in `keys` of the slice of every entry, int64 `[m]`.

        It is `NOWHERE` for an entry in no slice, because a column does not list its value.

        Raises:
            NotCounted: if an entry has values that were not there when slices were counted.
        """
        positions = self._lookup.find(entries.codes)
        if len(positions) and positions.min() == NOWHERE:
            not_kept = positions == NOWHERE
            for part, codes in zip(self.spec.parts, entries.codes, strict=True):
                if part.values is not None:
                    not_kept &= codes != NOWHERE
            if self.has_other:
                positions[not_kept] = len(self.keys) - 1
            elif not_kept.any():
                entry = int(np.flatnonzero(not_kept)[0])
                raise self.changed(
                    rows.numbers[entry if entries.rows is None else entries.rows[entry]]
                )
        return positions

    def key_of(self, conditions: Sequence[ColumnCondition | None]) -> Key | None:
        """Returns the key of the slice of an entry; None if it is in no slice.

        Args:
            conditions: the condition of the entry in every column; None for a value without a code.

        Raises:
            KeyError: if the slice was not there when slices were counted.
        """
        pairs = list(zip(self.spec.parts, conditions, strict=True))
        if any(part.values is not None and condition is None for part, condition in pairs):
            return None
        key = tuple((part.column, *condition) for part, condition in pairs if condition is not None)
        if len(key) == len(pairs) and key in self._known:
            return key
        if self.has_other:
            return self._other
        raise KeyError

    def determines(self, other: SpecResolver) -> bool:
        """Returns whether the slices of this spec determine the slice of another.

        They do so if its columns include those of the other, and if every row is in a slice of its
        values, that is, neither in `other` nor in no slice.
        """
        if self.has_other or self.listed:
            return False
        columns = set(map(id, self.column_codes))
        return columns.issuperset(map(id, other.column_codes))

    def changed(self, row: int) -> NotCounted:
        """Returns the error of a row whose slice was not there when slices were counted."""
        return NotCounted(
            f"row {row} has a value of {self.spec.name} that was not there when the slices were"
            " counted: the file changed while it was read; run again when no one writes to it"
        )


class _Lookup:
    """A look-up, which finds the positions of combinations of codes among those that are kept.

    A combination is mixed into one number: `code + 1` of each column is a digit, and the base is
    the number of codes plus 1, so that `NOWHERE` is the digit 0.

    Args:
        kept: for each column int64 `[s]`, the codes of the kept combinations, which are distinct.
        sizes: the number of codes of each column.
    """

    def __init__(self, kept: Sequence[Ints], sizes: Sequence[int]) -> None:
        self._sizes = sizes
        # Before these columns, the mixed numbers are numbered anew, so that they stay small.
        self._numberings: dict[int, Numbering] = {}
        mixed = kept[0] + 1
        size = sizes[0] + 1
        for column in range(1, len(kept)):
            if size * (sizes[column] + 1) > DENSE:
                numbering = self._numberings[column] = Numbering(pa.int64())
                mixed = numbering.add(pa.array(mixed)) + 1
                size = len(numbering) + 1
            mixed = mixed * (sizes[column] + 1) + kept[column] + 1
            size *= sizes[column] + 1
        self._last: Numbering | None = None
        self._table = np.zeros(0, np.int64)
        if size <= DENSE or len(kept) == 1:
            self._table = np.full(size, NOWHERE)
            self._table[mixed] = np.arange(len(mixed))
        else:
            self._last = Numbering(pa.int64())
            self._last.add(pa.array(mixed))

    def find(self, codes: Sequence[Ints]) -> Ints:
        """Returns the position of every combination, int64 `[m]`; `NOWHERE` if it is not kept."""
        mixed = codes[0] + 1
        for column in range(1, len(codes)):
            if column in self._numberings:
                mixed = self._numberings[column].find(pa.array(mixed)) + 1
            mixed = mixed * (self._sizes[column] + 1) + codes[column] + 1
        if self._last is not None:
            return self._last.find(pa.array(mixed))
        out: Ints = self._table.take(mixed)
        return out
