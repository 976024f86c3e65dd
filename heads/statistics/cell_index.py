"""The occupied cells of a score histogram, and how they become coarser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import Ints

Words = npt.NDArray[np.uint64]


# Up to so many places for each cell, a table of all places costs less than sorting the cells.
_SPAN_PER_CELL = 64


def distinct_cells(cells: Words) -> Words:
    """Returns the distinct cells, sorted; sorting is several times as fast as np.unique."""
    cells = np.sort(cells)
    keep = np.ones(len(cells), bool)
    keep[1:] = cells[1:] != cells[:-1]
    return cells[keep]


def ranked_cells(cells: Words) -> tuple[Words, Ints]:
    """Returns the distinct cells, sorted, and the position of each cell among them."""
    lowest = cells.min(initial=~np.uint64(0))
    span = int(cells.max(initial=lowest)) - int(lowest) + 1
    if span > _SPAN_PER_CELL * len(cells):
        return np.unique(cells, return_inverse=True)
    code = (cells - lowest).view(np.int64)
    there = np.zeros(span, bool)
    there[code] = True
    distinct = np.flatnonzero(there)
    rank = np.empty(span, np.int64)
    rank[distinct] = np.arange(len(distinct))
    return distinct.view(np.uint64) + lowest, rank[code]


def fitting_shift(cells: Words, shift: int, max_cells: int) -> int:
    """Returns the smallest shift that leaves at most `max_cells` of sorted cells.

    Args:
        cells: uint64 `[m]`, sorted cells at the shift `shift`.
        shift: the present shift; the result is not below it.
        max_cells: how many cells may be left.
    """
    low, high = shift, 63
    while low < high:
        middle = (low + high) // 2
        coarse = cells >> np.uint64(middle - shift)
        if 1 + np.count_nonzero(coarse[1:] != coarse[:-1]) <= max_cells:
            high = middle
        else:
            low = middle + 1
    return low


# With at most this many leading bits, cells index a table; with more, they are looked up by hash.
_DIRECT_BITS = 21
_HASH_BITS = 16
# An odd multiplier with well mixed bits: 2**64 divided by the golden ratio.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class CellIndex:
    """The cells occupied so far, and the slot of each: its position in the order of arrival.

    The index works on plain float bits. They divide scores into the same cells as order-preserving
    bits, only in another order, so cells are put in order when a state is frozen.

    Args:
        max_cells: how many cells may be occupied.
        coarsened: called when cells are joined, with the new slot of each old slot.
    """

    def __init__(self, max_cells: int, coarsened: Callable[[Ints], None]) -> None:
        self._max_cells = max_cells
        self._coarsened = coarsened
        self.cells: Words = np.zeros(0, np.uint64)
        self.shift = 0
        self._use(self.cells, self.shift)

    def slots(self, raw: Words) -> npt.NDArray[np.integer[Any]]:
        """Returns the slots of scores given as plain float bits; it adds new cells."""
        slot = self.find(raw)
        if slot.size and slot.min() < 0:
            missing = raw[slot < 0]
            if not self.extend(missing):
                self.coarsen(missing)
            slot = self.find(raw)
        return slot

    def find(self, raw: Words) -> npt.NDArray[np.integer[Any]]:
        """Returns the slots of scores given as plain float bits; -1 where the cell is new."""
        cell = raw >> np.uint64(self.shift)
        if self._direct is not None:
            slots: npt.NDArray[np.integer[Any]] = self._direct.take(cell.view(np.int64))
            return slots
        place = ((cell * _MULTIPLIER) >> np.uint64(64 - _HASH_BITS)).view(np.int64)
        slot = self._slots.take(place)
        unmatched = np.flatnonzero(self._names.take(place) != cell)
        if len(unmatched):
            # Cells whose place in the hash table another cell took, and new cells.
            wanted = cell[unmatched]
            position = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
            known = self._sorted[position] == wanted
            slot[unmatched] = np.where(known, self._order[position], -1)
        return slot

    def extend(self, raw: Words) -> bool:
        """Adds new cells at the present shift; returns False and adds none if they are too many."""
        new = distinct_cells(raw >> np.uint64(self.shift))
        if len(self.cells) + len(new) > self._max_cells:
            return False
        first = len(self.cells)
        self.cells = np.concatenate([self.cells, new])
        self._place(first)
        return True

    def coarsen(self, raw: Words) -> None:
        """Raises the shift until the old and the new cells fit, and adds the new ones."""
        new = raw >> np.uint64(self.shift)
        cells = distinct_cells(np.concatenate([self.cells, new]))
        shift = fitting_shift(cells, self.shift, self._max_cells)
        coarse, dropped_bits = (
            distinct_cells(cells >> np.uint64(shift - self.shift)),
            np.uint64(shift - self.shift),
        )
        slots = np.searchsorted(coarse, self.cells >> dropped_bits)
        self._use(coarse, shift)
        self._coarsened(slots)

    def _use(self, cells: Words, shift: int) -> None:
        self.cells, self.shift = cells, shift
        bits = 64 - shift
        self._direct = np.full(1 << bits, -1, np.int32) if bits <= _DIRECT_BITS else None
        if self._direct is None:
            # No cell of a score has all 64 bits set: those are a NaN.
            self._names = np.full(1 << _HASH_BITS, ~np.uint64(0))
            self._slots = np.full(1 << _HASH_BITS, -1)
        self._place(0)

    def _place(self, first: int) -> None:
        """Enters the cells from slot `first` on into the table that `find` reads."""
        cells, slots = self.cells[first:], np.arange(first, len(self.cells))
        if self._direct is not None:
            self._direct[cells.view(np.int64)] = slots
            return
        place = ((cells * _MULTIPLIER) >> np.uint64(64 - _HASH_BITS)).view(np.int64)
        self._names[place] = cells
        self._slots[place] = slots
        # A sentinel keeps the look-up of an empty index whole.
        filled = np.append(self.cells, ~np.uint64(0))
        self._order = np.append(np.arange(len(self.cells)), -1)[np.argsort(filled)]
        self._sorted = np.sort(filled)
