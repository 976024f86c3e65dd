"""Adding batches in place, before a state is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import (
    MAX_ADDS,
    MAX_ROWS,
    ExactColumn,
    Ints,
    Summand,
)
from heads.statistics.scored import Key, Scored, Segments
from heads.statistics.state import State, build_state, merge

if TYPE_CHECKING:
    from heads.statistics.base import Elements, Statistic

# Tables of up to this many cells are kept dense: an index into them costs less than sorting a
# batch.
DENSE_CELLS = 1 << 21
# Frozen parts are merged when their rows exceed this and what is merged already.
PENDING_ROWS = 1 << 20


class Accumulator:
    """The sums of the batches added so far, for one statistic.

    Dense arrays over (segment, code) while those are few, frozen tables of single batches beyond.
    """

    def __init__(self, statistic: Statistic) -> None:
        self._statistic = statistic
        self._size = statistic.groups * statistic.cells
        self._position: dict[Key, int] = {}
        self._last_keys: Sequence[Key] | None = None
        self._last_length = 0
        self._target: Ints | None = None
        self._dense: _DenseTable | None = _DenseTable(statistic.sums)
        self._frozen: list[State] = []

    def add(self, scored: Scored, segments: Segments) -> None:
        """Adds a batch of any number of rows."""
        self._add_elements(self._statistic.elements(scored), segments)

    def _add_elements(self, elements: Elements, segments: Segments) -> None:
        step = max(1, MAX_ROWS // elements.repeat)
        index = self._segment_index(segments)
        for first in range(0, len(index), step):
            part = slice(first * elements.repeat, (first + step) * elements.repeat)
            segment = index[first : first + step]
            if elements.repeat > 1:
                segment = np.repeat(segment, elements.repeat)
            self._add(
                segment,
                None if elements.code is None else elements.code[part],
                {name: summand[part] for name, summand in elements.values.items()},
            )

    def freeze(self) -> State:
        """The state of everything added; the accumulator may be added to afterwards."""
        self._flush()
        self._frozen = [merge(self._frozen)] if self._frozen else [self._statistic.zero()]
        return self._frozen[0]

    def _flush(self) -> None:
        """Freezes what the dense arrays hold and empties them."""
        if self._dense is not None:
            self._frozen.append(self._from_table(self._dense.table()))
            self._dense = _DenseTable(self._statistic.sums)

    def _segment_index(self, segments: Segments) -> Ints:
        keys = segments.keys
        if keys is not self._last_keys or len(keys) != self._last_length:
            position = self._position
            target = np.array([position.setdefault(key, len(position)) for key in keys], np.int64)
            identity = np.array_equal(target, np.arange(len(keys)))
            self._last_keys, self._last_length = keys, len(keys)
            self._target = None if identity else target
        return segments.index if self._target is None else self._target[segments.index]

    def _add(self, segment: Ints, code: Ints | None, values: dict[str, Summand]) -> None:
        cells = len(self._position) * self._size
        if self._dense is not None and cells > DENSE_CELLS:
            self._flush()
            self._dense = None
        if code is None or len(self._position) > 1:
            first = segment if self._size == 1 else segment * self._size
            code = first if code is None else first + code
        if self._dense is not None:
            self._dense.add(code, values, cells)
            return
        self._frozen.append(self._from_table(_sorted_table(code, values)))
        merged = len(self._frozen[0])
        if sum(map(len, self._frozen)) - merged > max(PENDING_ROWS, merged):
            self._frozen = [merge(self._frozen)]

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

    def add(self, code: Ints, values: dict[str, Summand], codes: int) -> None:
        self._grow(codes)
        self._rows += np.bincount(code, minlength=self._codes)
        for name, summand in values.items():
            if summand.specials is not None:
                before = self._specials.get(name, np.zeros((self._codes, 3), np.int64))
                self._specials[name] = before + _count_specials(summand.specials, code, self._codes)
            limbs = self._limbs[name]
            for part in summand.parts:
                added = part.add_up(code, self._codes)
                if part.limb in limbs:
                    limbs[part.limb] += added
                else:
                    limbs[part.limb] = added
        self._adds += 1
        if self._adds % MAX_ADDS == 0:
            self._carry()

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


def _sorted_table(code: Ints, values: dict[str, Summand]) -> Table:
    """The table of one batch whose codes are too many to index: sorted, and added run by run."""
    used, code = np.unique(code, return_inverse=True)
    dense = _DenseTable(tuple(values))
    dense.add(code, values, len(used))
    return replace(dense.table(), code=used)


def _count_specials(specials: Ints, code: Ints, codes: int) -> Ints:
    """How often each code has NaN, +inf and -inf `[codes, 3]`."""
    where = np.flatnonzero(specials)
    place = code[where] * 3 + specials[where] - 1
    return np.bincount(place, minlength=codes * 3).reshape(codes, 3)
