"""Tables of sums by code: dense arrays for few codes, sorted tables for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import (
    MAX_ADDS,
    ExactColumn,
    Ints,
    add_columns,
    sorting_order,
)
from heads.statistics.summands import Columns

# With more codes than this, a table of the sums of a batch costs more than adding in place.
_IN_PLACE = 1 << 15
# From this many rows, limbs and passes on, the limbs are added together.
_MANY_ROWS, _MANY_PARTS, _MANY_PASSES = 1 << 15, 4, 3
# Elements are added up by sorting when they are more than this, and more than the codes so far.
PENDING_ROWS = 1 << 20


@dataclass(frozen=True, eq=False)
class Table:
    """The codes that occur, ascending, with their rows and exact sums; all `[m]`."""

    code: Ints
    rows: Ints
    sums: dict[str, ExactColumn]


class DenseTable:
    """A table of the counts and limbs of all codes, even of codes without rows."""

    def __init__(self, sums: Sequence[str]) -> None:
        self._sums = sums
        self._codes = 0
        self._adds = 0
        self._rows = np.zeros(0, np.int64)
        self._limbs: dict[str, dict[int, Ints]] = {name: {} for name in sums}
        self._specials: dict[str, Ints] = {}

    def add(self, code: Ints, columns: Columns, codes: int) -> None:
        """Adds elements whose codes are below `codes`."""
        if not len(code):
            return
        self._grow(codes)
        for name, summand in columns.summands.items():
            if summand.specials is not None:
                if name not in self._specials:
                    self._specials[name] = np.zeros((len(self._rows), 3), np.int64)
                _count_specials(self._specials[name], summand.specials, code)
        # The codes of a batch mostly lie close together.
        low = int(code.min())
        span = int(code.max()) + 1 - low
        matrix = len(columns.parts) >= _MANY_PARTS and columns.passes >= _MANY_PASSES
        if span > _IN_PLACE:
            np.add.at(self._rows, code, 1)
            for name, part in columns.parts:
                part.add_to(self._limb(name, part.limb), code)
        elif matrix and len(code) >= _MANY_ROWS:
            self._add_matrix(code - low if low else code, columns, low, span)
        else:
            local_code = code - low if low else code
            self._rows[low : low + span] += np.bincount(local_code, minlength=span)
            for name, part in columns.parts:
                self._limb(name, part.limb)[low : low + span] += part.add_up(local_code, span)
        self._adds += 1
        if self._adds % MAX_ADDS == 0:
            self._carry()

    def _add_matrix(self, local_code: Ints, columns: Columns, low: int, span: int) -> None:
        """Adds all common limbs of an element together, as they lie together in memory.

        The product of matrices is exact: the left matrix has a single 1 in each column, and sums of
        whole numbers below 2**53 are not rounded.
        """
        from scipy.sparse import csc_array  # its import takes long, and small data does without

        rows = len(local_code)
        ones, ends = _selection(rows)
        selection = csc_array((ones, local_code.astype(np.int32), ends), shape=(span, rows))
        sums = selection @ columns.matrix
        self._rows[low : low + span] += sums[:, 0].astype(np.int64)
        column = 0
        for name, part in columns.parts:
            limb = self._limb(name, part.limb)[low : low + span]
            if part.rows is not None:
                part.add_to(limb, local_code)
            else:
                column += 1
                limb += part.units(sums[:, column])

    def _limb(self, name: str, number: int) -> Ints:
        limbs = self._limbs[name]
        if number not in limbs:
            limbs[number] = np.zeros(len(self._rows), np.int64)
        return limbs[number]

    def _grow(self, codes: int) -> None:
        used, self._codes = self._codes, max(self._codes, codes)
        if codes <= len(self._rows):
            return
        # Memory that is never written to costs nothing, but copying it each time does.
        size = max(codes, 2 * len(self._rows))
        self._rows = _longer(self._rows[:used], size)
        for limbs in self._limbs.values():
            for limb in limbs:
                limbs[limb] = _longer(limbs[limb][:used], size)
        for name, column in self._specials.items():
            self._specials[name] = _longer(column[:used], size)

    def renumber(self, number: Callable[[Ints], Ints]) -> None:
        """Gives the codes new numbers; codes that get the same number are added up."""
        before = self.table()
        code, size = number(before.code), len(self._rows)
        self._rows = _moved(before.rows, code, size)
        for name, column in before.sums.items():
            self._limbs[name] = {
                column.low + j: _moved(column.limbs[:, j], code, size)
                for j in range(column.limbs.shape[1])
            }
            if column.specials.shape[1]:
                self._specials[name] = _moved(column.specials, code, size)

    def _carry(self) -> None:
        """Brings all limbs back below 2**35, before int64 would overflow."""
        for name in self._sums:
            column = self._column(name, np.arange(self._codes))
            self._limbs[name] = {
                column.low + j: _longer(column.limbs[:, j], len(self._rows))
                for j in range(column.limbs.shape[1])
            }

    def _column(self, name: str, rows: npt.NDArray[np.intp]) -> ExactColumn:
        limbs = self._limbs[name]
        low, high = min(limbs, default=0), max(limbs, default=-1)
        table = np.zeros((len(rows), high + 1 - low), np.int64)
        for limb, column in limbs.items():
            table[:, limb - low] = column[rows]
        specials = self._specials.get(name)
        nothing = np.zeros((len(rows), 0), np.int64)
        return ExactColumn.carried(low, table, nothing if specials is None else specials[rows])

    def table(self) -> Table:
        """Returns the rows and sums of the codes that occur."""
        used = np.flatnonzero(self._rows[: self._codes])
        sums = {name: self._column(name, used) for name in self._sums}
        return Table(used, self._rows[used], sums)


def _moved(column: Ints, code: Ints, size: int) -> Ints:
    """Returns a column of `size` rows, with each old row added at its new place in `code`."""
    out = np.zeros((size, *column.shape[1:]), np.int64)
    np.add.at(out, code, column)
    return out


def _longer(column: Ints, rows: int) -> Ints:
    """Returns a copy of a column, lengthened with zeros to `rows` rows."""
    out = np.zeros((rows, *column.shape[1:]), np.int64)
    out[: len(column)] = column
    return out


@lru_cache(maxsize=2)
def _selection(rows: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Returns the values of a sparse matrix with a 1 in each column, and where columns begin."""
    return np.ones(rows), np.arange(rows + 1, dtype=np.int32)


class SparseTable:
    """A table of the counts and limbs of the codes that occur, for too many codes to index.

    Elements are collected first, and are added up by sorting when they are many.
    """

    def __init__(self, sums: Sequence[str], begun: Table) -> None:
        self._sums = sums
        self._parts = [begun]
        self._pending = 0

    def add(self, code: Ints, columns: Columns, _: int) -> None:
        """Adds elements; they are added up later."""
        element_sums = {name: columns.summands[name].column() for name in self._sums}
        self._parts.append(Table(code, np.ones(len(code), np.int64), element_sums))
        self._pending += len(code)
        if self._pending > max(PENDING_ROWS, len(self._parts[0].code)):
            self._add_up()

    def table(self) -> Table:
        """Returns the rows and sums of the codes that occur."""
        self._add_up()
        return self._parts[0]

    def renumber(self, number: Callable[[Ints], Ints]) -> None:
        """Gives the codes new numbers; codes that get the same number are added up."""
        self._parts = [replace(part, code=number(part.code)) for part in self._parts]
        self._add_up()

    def _add_up(self) -> None:
        """Adds all parts up to a single part."""
        code = np.concatenate([part.code for part in self._parts])
        order = sorting_order(code)
        code = code.take(order)
        starts = np.flatnonzero(np.diff(code, prepend=-1))
        rows = np.concatenate([part.rows for part in self._parts]).take(order)
        sums = {}
        for name in self._sums:
            added = add_columns([part.sums[name] for part in self._parts], starts, order)
            # If all codes differ, `add_columns` carries nothing, and elements are not carried yet.
            sums[name] = ExactColumn.carried(added.low, added.limbs, added.specials)
        if len(starts):
            rows = np.add.reduceat(rows, starts)
        self._parts = [Table(code[starts], rows, sums)]
        self._pending = 0


def _count_specials(counts: Ints, specials: Ints, code: Ints) -> None:
    """Counts the NaN, +inf and -inf of each code into `[codes, 3]`."""
    where = np.flatnonzero(specials)
    np.add.at(counts, (code[where], specials[where] - 1), 1)
