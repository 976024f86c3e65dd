"""Adding batches in place, before a state is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import (
    MAX_ADDS,
    MAX_ROWS,
    Columns,
    ExactColumn,
    Ints,
    add_columns,
    sorting_order,
)
from heads.statistics.scored import Key, Scored, Segments
from heads.statistics.state import State, build_state, merge

if TYPE_CHECKING:
    from heads.statistics.base import Elements, Statistic

# Tables of up to this many cells are kept dense: an index into them costs less than sorting a
# batch.
DENSE_CELLS = 1 << 21
# Beyond so many codes a table of the sums of each batch would cost more than adding in place.
_IN_PLACE = 1 << 15
# From so many rows, limbs and passes on they are added together.
_MANY_ROWS, _MANY_PARTS, _MANY_PASSES = 1 << 15, 4, 3
# Elements are added up by sorting when they exceed this and what is added up already.
PENDING_ROWS = 1 << 20


class Accumulator:
    """The sums of the batches added so far, for one statistic.

    Dense arrays over (segment, fold, code) while those are few, sorted tables beyond.
    """

    def __init__(self, statistic: Statistic) -> None:
        self._statistic = statistic
        self._fold_size = statistic.groups * statistic.cells
        self._size = statistic.folds * self._fold_size
        self._position: dict[Key, int] = {}
        self._last_keys: Sequence[Key] | None = None
        self._last_length = 0
        self._target: Ints | None = None
        self._table: _DenseTable | _SparseTable = _DenseTable(statistic.sums)
        self._frozen: list[State] = []

    def add(self, scored: Scored, segments: Segments) -> None:
        """Adds a batch of any number of rows."""
        elements = self._elements(scored)
        repeat = elements.repeat
        code, columns = elements.code, self._statistic.columns(scored, repeat)
        index = self._segment_index(segments)
        fold = segments.fold if self._statistic.folds > 1 else None
        if fold is not None:
            index = index * self._statistic.folds + fold
        step = max(1, MAX_ROWS // repeat)
        for first in range(0, len(index), step):
            part = slice(first * repeat, (first + step) * repeat)
            segment = index[first : first + step]
            if repeat > 1:
                segment = np.repeat(segment, repeat)
            self._add(
                segment,
                self._size if fold is None else self._fold_size,
                None if code is None else code[part],
                columns[part],
            )

    def sibling(self) -> Accumulator:
        """Another accumulator of the same rows in other segments; it shares what costs most."""
        return Accumulator(self._statistic)

    def _elements(self, scored: Scored) -> Elements:
        return scored.elements_of(self._statistic)

    def freeze(self) -> State:
        """The state of everything added; the accumulator may be added to afterwards."""
        self._flush()
        self._frozen = [merge(self._frozen)] if self._frozen else [self._statistic.zero()]
        return self._frozen[0]

    def _flush(self) -> None:
        """Freezes what the table holds and empties it."""
        self._frozen.append(self._from_table(self._table.table()))
        self._table = type(self._table)(self._statistic.sums)

    def _segment_index(self, segments: Segments) -> Ints:
        keys = segments.keys
        if keys is not self._last_keys or len(keys) != self._last_length:
            position = self._position
            target = np.array([position.setdefault(key, len(position)) for key in keys], np.int64)
            identity = np.array_equal(target, np.arange(len(keys)))
            self._last_keys, self._last_length = keys, len(keys)
            self._target = None if identity else target
        return segments.index if self._target is None else self._target[segments.index]

    def _add(self, segment: Ints, stride: int, code: Ints | None, columns: Columns) -> None:
        """Adds elements whose segment, or segment and fold, begin a stride of codes apart."""
        cells = len(self._position) * self._size
        if isinstance(self._table, _DenseTable) and cells > DENSE_CELLS:
            self._flush()
            self._table = _SparseTable(self._statistic.sums)
        if code is None or cells > self._fold_size:
            first = segment if stride == 1 else segment * stride
            code = first if code is None else first + code
        self._table.add(code, columns, cells)

    def _from_table(self, table: Table) -> State:
        segment, inner = np.divmod(table.code, self._size)
        group, cell = np.divmod(inner, self._statistic.cells)
        return self._build(list(self._position), segment, group, cell, table)

    def _build(
        self, keys: list[Key], segment: Ints, group: Ints, cell: Ints, table: Table
    ) -> State:
        """A state from table rows that stand for the groups and cells given."""
        words = cell.astype(np.uint64)
        return build_state(
            self._statistic, keys, segment, group, words, {"rows": table.rows}, table.sums
        )


@dataclass(frozen=True, eq=False)
class Table:
    """Rows and exact sums of the codes that occur, all `[m]`, codes ascending."""

    code: Ints
    rows: Ints
    sums: dict[str, ExactColumn]


class _DenseTable:
    """Counts and limbs of every code, whether or not a row fell there."""

    def __init__(self, sums: Sequence[str]) -> None:
        self._sums = sums
        self._codes = 0
        self._adds = 0
        self._rows = np.zeros(0, np.int64)
        self._limbs: dict[str, dict[int, Ints]] = {name: {} for name in sums}
        self._specials: dict[str, Ints] = {}

    def add(self, code: Ints, columns: Columns, codes: int) -> None:
        self._grow(codes)
        codes = self._codes
        for name, summand in columns.summands.items():
            if summand.specials is not None:
                before = self._specials.get(name, np.zeros((codes, 3), np.int64))
                self._specials[name] = before + _count_specials(summand.specials, code, codes)
        matrix = len(columns.parts) >= _MANY_PARTS and columns.passes >= _MANY_PASSES
        if matrix and codes <= _IN_PLACE and len(code) >= _MANY_ROWS:
            self._add_matrix(code, columns)
        elif codes <= _IN_PLACE:
            self._rows += np.bincount(code, minlength=codes)
            for name, part in columns.parts:
                self._limb(name, part.limb)[:] += part.add_up(code, codes)
        else:
            np.add.at(self._rows, code, 1)
            for name, part in columns.parts:
                part.add_to(self._limb(name, part.limb), code)
        self._adds += 1
        if self._adds % MAX_ADDS == 0:
            self._carry()

    def _add_matrix(self, code: Ints, columns: Columns) -> None:
        """Adds all common limbs of an element at a time, which lie together in memory.

        It is a product of matrices in form only: one of them has a 1 in each column, and sums of
        whole numbers below 2**53 have no order.
        """
        from scipy.sparse import csc_array  # its import takes long, and small data does without

        rows = len(code)
        ones, ends = _one_each(rows)
        chosen = csc_array((ones, code.astype(np.int32), ends), shape=(self._codes, rows))
        sums = chosen @ columns.matrix
        self._rows += sums[:, 0].astype(np.int64)
        at = 0
        for name, part in columns.parts:
            limb = self._limb(name, part.limb)
            if part.rows is not None:
                part.add_to(limb, code)
            else:
                at += 1
                limb += part.units(sums[:, at])

    def _limb(self, name: str, number: int) -> Ints:
        limbs = self._limbs[name]
        if number not in limbs:
            limbs[number] = np.zeros(self._codes, np.int64)
        return limbs[number]

    def _grow(self, codes: int) -> None:
        if codes <= self._codes:
            return
        more = codes - self._codes
        self._rows = np.pad(self._rows, (0, more))
        for limbs in self._limbs.values():
            for limb in limbs:
                limbs[limb] = np.pad(limbs[limb], (0, more))
        for name, column in self._specials.items():
            self._specials[name] = np.pad(column, ((0, more), (0, 0)))
        self._codes = codes

    def _carry(self) -> None:
        """Brings every limb back below 2**35, before int64 would overflow."""
        for name in self._sums:
            column = self._column(name, slice(None))
            self._limbs[name] = {
                column.low + j: np.ascontiguousarray(column.limbs[:, j])
                for j in range(column.limbs.shape[1])
            }

    def _column(self, name: str, rows: npt.NDArray[np.intp] | slice) -> ExactColumn:
        limbs = self._limbs[name]
        low, high = min(limbs, default=0), max(limbs, default=-1)
        zero = np.zeros(self._codes, np.int64)
        digits = [limbs.get(limb, zero)[rows] for limb in range(low, high + 1)]
        count = len(zero[rows])
        table = np.stack(digits, axis=1) if digits else np.zeros((count, 0), np.int64)
        specials = self._specials.get(name)
        return ExactColumn.carried(
            low, table, np.zeros((count, 0), np.int64) if specials is None else specials[rows]
        )

    def table(self) -> Table:
        used = np.flatnonzero(self._rows)
        sums = {name: self._column(name, used) for name in self._sums}
        return Table(used, self._rows[used], sums)


@lru_cache(maxsize=2)
def _one_each(rows: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """The values of a sparse matrix with a 1 in each column, and where columns begin."""
    return np.ones(rows), np.arange(rows + 1, dtype=np.int32)


class _SparseTable:
    """Counts and limbs of the codes that occur, which are too many to index.

    Elements are put away as they come, and added up by sorting when many are.
    """

    def __init__(self, sums: Sequence[str]) -> None:
        self._sums = sums
        self._parts = [_empty_table(sums)]
        self._pending = 0

    def add(self, code: Ints, columns: Columns, _: int) -> None:
        own = {name: columns.summands[name].column() for name in self._sums}
        self._parts.append(Table(code, np.ones(len(code), np.int64), own))
        self._pending += len(code)
        if self._pending > max(PENDING_ROWS, len(self._parts[0].code)):
            self._add_up()

    def table(self) -> Table:
        self._add_up()
        return self._parts[0]

    def _add_up(self) -> None:
        """Adds all parts up to one."""
        code = np.concatenate([part.code for part in self._parts])
        order = sorting_order(code)
        code = code.take(order)
        starts = np.flatnonzero(np.diff(code, prepend=-1))
        rows = np.concatenate([part.rows for part in self._parts]).take(order)
        sums = {}
        for name in self._sums:
            added = add_columns([part.sums[name] for part in self._parts], starts, order)
            # Values that nothing was added to have not been carried.
            sums[name] = ExactColumn.carried(added.low, added.limbs, added.specials)
        if len(starts):
            rows = np.add.reduceat(rows, starts)
        self._parts = [Table(code[starts], rows, sums)]
        self._pending = 0


def _empty_table(sums: Sequence[str]) -> Table:
    nothing = np.zeros(0, np.int64)
    return Table(nothing, nothing, {name: ExactColumn.zeros(0) for name in sums})


def _count_specials(specials: Ints, code: Ints, codes: int) -> Ints:
    """How often each code has NaN, +inf and -inf `[codes, 3]`."""
    where = np.flatnonzero(specials)
    place = code[where] * 3 + specials[where] - 1
    return np.bincount(place, minlength=codes * 3).reshape(codes, 3)
