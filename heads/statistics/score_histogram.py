"""The adaptive score histogram, from which curves and rank metrics come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from heads.statistics.accumulator import Accumulator, Table
from heads.statistics.base import Elements, Statistic
from heads.statistics.exact import Floats, Ints
from heads.statistics.scored import Key, Scored
from heads.statistics.state import State, build_state

Words = npt.NDArray[np.uint64]

MAX_CELLS = 1 << 14
"""Cells that keep the bounds of areas within a thousandth on scores of any scale."""


@dataclass(frozen=True, kw_only=True)
class ScoreHistogram(Statistic):
    """Rows and weights by class, label and cell of the score.

    A cell is the order-preserving bits of the float64 score without their `shift` lowest, and the
    shift is the smallest that leaves at most `max_cells` cells occupied, all segments and classes
    together. Cells only fill as rows come, so the shift does not depend on the order of rows. The
    group is `class * 2 + (label != 0)`. With shift 0 every cell is one score: nothing is lost.

    Attributes:
        classes: columns of the score, 1 for a binary head.
        max_cells: how many cells may be occupied.
        by_class: whether classes are told apart; otherwise all are class 0.
        of: what is divided into cells: the score as stored, or the probability; and for exclusive
            classes the label is a class id.
    """

    classes: int = 1
    max_cells: int = MAX_CELLS
    by_class: bool = True
    of: Literal["score", "class_probability"] = "score"

    def __post_init__(self) -> None:
        if self.max_cells < 2:
            raise ValueError(f"max_cells must be at least 2, got {self.max_cells}.")

    @property
    def groups(self) -> int:
        return 2 * (self.classes if self.by_class else 1)

    @property
    def cells(self) -> int:
        return self.max_cells

    def row_bytes(self) -> int:
        # Most weights have one limb.
        return 6 + 6 * len(self.sums)

    def segment_rows(self) -> int:
        # The shift leaves from half of the cells to all of them occupied.
        return self.folds * self.groups * self.max_cells * 3 // 4

    def elements(self, scored: Scored) -> Elements:
        """The elements without their cells, which depend on the shift of the accumulator."""
        if self.of == "class_probability":
            group = (scored.label == np.arange(self.classes)).astype(np.int64).ravel()
        else:
            group = scored.label_set
        if self.by_class and self.classes > 1:
            group = group + np.tile(np.arange(self.classes) * 2, len(scored))
        return Elements(group * self.cells, self.classes)

    def divided(self, scored: Scored) -> Words:
        """The bits of what is divided into cells, uint64 `[n * classes]`."""
        return scored.score_bits if self.of == "score" else scored.probability_bits

    def accumulator(self) -> Accumulator:
        return _HistogramAccumulator(self)

    def cell_limit(self, shift: int) -> int:
        return 1 << (64 - shift)

    def settle(self, state: State) -> State:
        cells = _distinct(state.cell)
        if len(cells) <= self.max_cells:
            return state
        return state.coarsened(_fitting_shift(cells, state.shift, self.max_cells))


def cell_floors(cells: Words, shift: int) -> Floats:
    """The lowest score of each cell: the score that stands for all in it."""
    bits = cells << np.uint64(shift)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, bits ^ sign, ~bits).view(np.float64)


def _ordered(raw: Words, shift: int) -> Words:
    """Cells of plain float bits as cells of order-preserving bits."""
    sign = np.uint64(1 << (63 - shift))
    mask = np.uint64((1 << (64 - shift)) - 1)
    return np.where(raw & sign, ~raw & mask, raw | sign)


def _distinct(cells: Words) -> Words:
    """The distinct cells, sorted; sorting is several times as fast as the hashing of np.unique."""
    cells = np.sort(cells)
    keep = np.ones(len(cells), bool)
    keep[1:] = cells[1:] != cells[:-1]
    return cells[keep]


def _fitting_shift(cells: Words, shift: int, max_cells: int) -> int:
    """The smallest shift, from one at hand on, that leaves at most `max_cells` of sorted cells."""
    low, high = shift, 63
    while low < high:
        middle = (low + high) // 2
        coarse = cells >> np.uint64(middle - shift)
        if 1 + np.count_nonzero(coarse[1:] != coarse[:-1]) <= max_cells:
            high = middle
        else:
            low = middle + 1
    return low


class _HistogramAccumulator(Accumulator):
    """Adds batches at the shift that all scores so far ask for."""

    def __init__(self, statistic: ScoreHistogram) -> None:
        super().__init__(statistic)
        self._index = _CellIndex(statistic, self._coarsen)

    def _coarsen(self, slots: Ints) -> None:
        """Moves what was added to the slots given for each of the old ones."""
        cells = self._statistic.cells
        self._table.renumber(lambda code: code - code % cells + slots[code % cells])

    def _elements(self, scored: Scored) -> Elements:
        return self._index.elements(scored)

    def _build(
        self, keys: list[Key], segment: Ints, group: Ints, cell: Ints, table: Table
    ) -> State:
        shift = self._index.shift
        words = _ordered(self._index.cells[cell], shift)
        counts = {"rows": table.rows}
        return build_state(self._statistic, keys, segment, group, words, counts, table.sums, shift)


# Up to this many leading bits of a float index a table; more are looked up by hash.
_DIRECT_BITS = 21
_HASH_BITS = 16
# An odd multiplier with well mixed bits: 2**64 divided by the golden ratio.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class _CellIndex:
    """The cells occupied so far, and the slot of each: its position in the order of arrival.

    Args:
        statistic: the histogram.
        coarsened: called when cells fall together, with the new slot of each old one.
    """

    def __init__(self, statistic: ScoreHistogram, coarsened: Callable[[Ints], None]) -> None:
        self._statistic = statistic
        self._max_cells = statistic.max_cells
        self._coarsened = coarsened
        self.cells: Words = np.zeros(0, np.uint64)
        self.shift = 0
        self._last: tuple[Scored, Elements] | None = None
        self._use(self.cells, self.shift)

    def elements(self, scored: Scored) -> Elements:
        """The elements of a batch; those of the last one are kept, for it may come again."""
        if self._last is None or self._last[0] is not scored:
            self._last = scored, self._find_elements(scored)
        return self._last[1]

    def _find_elements(self, scored: Scored) -> Elements:
        # Cells of plain bits are the cells of order-preserving bits under other names, so the order
        # waits until a state is frozen.
        raw = self._statistic.divided(scored)
        slot = self.find(raw)
        if slot.size and slot.min() < 0:
            missing = raw[slot < 0]
            if not self.extend(missing):
                self.coarsen(missing)
            slot = self.find(raw)
        elements = self._statistic.elements(scored)
        assert elements.code is not None
        return replace(elements, code=elements.code + slot)

    def find(self, raw: Words) -> npt.NDArray[np.integer[Any]]:
        """The slots of scores given as plain float bits; -1 where the cell is new."""
        cell = raw >> np.uint64(self.shift)
        if self._direct is not None:
            found: npt.NDArray[np.integer[Any]] = self._direct.take(cell.view(np.int64))
            return found
        place = ((cell * _MULTIPLIER) >> np.uint64(64 - _HASH_BITS)).view(np.int64)
        slot = self._slots.take(place)
        other = np.flatnonzero(self._names.take(place) != cell)
        if len(other):
            # Cells whose place another one took, and new ones.
            wanted = cell[other]
            at = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
            known = self._sorted[at] == wanted
            slot[other] = np.where(known, self._order[at], -1)
        return slot

    def extend(self, raw: Words) -> bool:
        """Takes in new cells at the present shift; False, and no change, if they are too many."""
        new = _distinct(raw >> np.uint64(self.shift))
        if len(self.cells) + len(new) > self._max_cells:
            return False
        first = len(self.cells)
        self.cells = np.concatenate([self.cells, new])
        self._place(first)
        return True

    def coarsen(self, raw: Words) -> None:
        """Raises the shift until the new cells fit as well."""
        new = raw >> np.uint64(self.shift)
        cells = _distinct(np.concatenate([self.cells, new]))
        shift = _fitting_shift(cells, self.shift, self._max_cells)
        coarse, by = (
            _distinct(cells >> np.uint64(shift - self.shift)),
            np.uint64(shift - self.shift),
        )
        slots = np.searchsorted(coarse, self.cells >> by)
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
        """Makes the cells from one slot on known."""
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
