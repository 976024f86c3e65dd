"""Accumulators: they add batches to sums in place, and freeze the sums into a state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heads.statistics.cell_index import CellIndex
from heads.statistics.exact import MAX_ROWS, Ints
from heads.statistics.keys import Key
from heads.statistics.score_cells import ordered
from heads.statistics.score_histogram import ScoreHistogram
from heads.statistics.scored import Scored
from heads.statistics.segments import Segments
from heads.statistics.state import State, build_state, zero_state
from heads.statistics.statistic import Elements, Statistic
from heads.statistics.tables import DenseTable, SparseTable, Table

# The table of all codes is a dense array up to about this many bytes: an index into it costs less
# than sorting a batch.
DENSE_BYTES = 320 << 20
# How many lists of keys have their codes remembered: a batch has a list for each of its passes.
_LISTS = 64


class Accumulator:
    """The sums of the batches added so far, for one statistic.

    Every segment has a run of codes: one for each cell, and where its rows are told apart by fold,
    for each cell of each fold. The sums are kept in dense arrays over the codes while the codes are
    few, and in sorted tables when they are many.
    """

    def __init__(self, statistic: Statistic) -> None:
        self._statistic = statistic
        self._fold_size = statistic.groups * statistic.cells
        self._position: dict[Key, int] = {}
        # The first code of each segment, and at the end the number of all codes.
        self._starts = [0]
        self._lists: OrderedDict[int, _KeyCodes] = OrderedDict()
        self._fold_codes: tuple[Ints | None, Ints, Ints] | None = None
        self._table: DenseTable | SparseTable = DenseTable(statistic.sums)

    def add(self, scored: Scored, segments: Segments) -> None:
        """Adds a batch of any number of rows."""
        elements = self._elements(scored)
        repeat = elements.repeat
        columns = self._statistic.columns(scored, repeat)
        code = self._codes(elements, segments)
        step = max(1, MAX_ROWS // repeat) * repeat
        codes = self._starts[-1]
        if isinstance(self._table, DenseTable) and codes * self._code_bytes > DENSE_BYTES:
            self._table = SparseTable(self._statistic.sums, self._table.table())
        for first in range(0, len(code), step):
            part = slice(first, first + step)
            self._table.add(code[part], columns[part], codes)

    @property
    def _code_bytes(self) -> int:
        """The bytes that a code takes in a dense table: most sums have two limbs."""
        return 8 + 16 * len(self._statistic.sums)

    def _elements(self, scored: Scored) -> Elements:
        statistic = self._statistic
        return scored.memo(statistic, lambda: statistic.elements(scored))

    def freeze(self) -> State:
        """Returns the state of all batches so far; more batches may be added afterwards."""
        return self._from_table(self._table.table())

    def _codes(self, elements: Elements, segments: Segments) -> Ints:
        """Returns the code of each element, int64 `[m * repeat]`."""
        by_fold = segments.by_fold
        key_codes = self._key_codes(segments)
        first = key_codes.starts.take(segments.index)
        if len(first) and first.min() < 0:
            self._extend(key_codes, segments.index[first < 0])
            first = key_codes.starts.take(segments.index)
        inner_code = elements.code
        fold = segments.fold if self._statistic.folds > 1 else None
        if fold is not None:
            inner_code = self._with_folds(elements, fold)
            if by_fold is not None:
                split = by_fold.take(segments.index)
                if elements.repeat > 1:
                    split = np.repeat(split, elements.repeat)
                without_fold = 0 if elements.code is None else elements.code
                inner_code = np.where(split, inner_code, without_fold)
        if elements.repeat > 1:
            first = np.repeat(first, elements.repeat)
        return first if inner_code is None else first + inner_code

    def _with_folds(self, elements: Elements, fold: Ints) -> Ints:
        """Returns the codes of elements within their segments, the fold included.

        The codes of the last elements are remembered, as a batch comes again in every pass.
        """
        last = self._fold_codes
        if last is not None and last[0] is elements.code and last[1] is fold:
            return last[2]
        inner_code = fold * self._fold_size
        if elements.repeat > 1:
            inner_code = np.repeat(inner_code, elements.repeat)
        if elements.code is not None:
            inner_code += elements.code
        self._fold_codes = elements.code, fold, inner_code
        return inner_code

    def _key_codes(self, segments: Segments) -> _KeyCodes:
        """Returns the first code of each key; it is -1 for keys that no row had yet."""
        keys = segments.keys
        key_codes = self._lists.get(id(keys))
        if key_codes is None or key_codes.keys is not keys or len(key_codes.starts) != len(keys):
            position = self._position
            known = [position.get(key, -1) for key in keys]
            starts = np.array(
                [-1 if segment < 0 else self._starts[segment] for segment in known], np.int64
            )
            key_codes = self._lists[id(keys)] = _KeyCodes(keys, segments.by_fold, starts)
            while len(self._lists) > _LISTS:
                self._lists.popitem(last=False)
        return key_codes

    def _extend(self, key_codes: _KeyCodes, index: Ints) -> None:
        """Gives codes to the keys that rows have for the first time."""
        by_fold = (
            np.ones(len(key_codes.keys), np.bool_)
            if key_codes.by_fold is None
            else key_codes.by_fold
        )
        new = np.zeros(len(key_codes.keys), np.bool_)
        new[index] = True
        for place in np.flatnonzero(new).tolist():
            key = key_codes.keys[place]
            segment = self._position.setdefault(key, len(self._position))
            if segment + 1 == len(self._starts):
                folds = self._statistic.folds if by_fold[place] else 1
                self._starts.append(self._starts[-1] + folds * self._fold_size)
            key_codes.starts[place] = self._starts[segment]

    def _from_table(self, table: Table) -> State:
        if not len(table.code):
            return zero_state(self._statistic)
        starts = np.array(self._starts)
        segment = np.searchsorted(starts, table.code, "right") - 1
        group, cell = np.divmod(table.code - starts[segment], self._statistic.cells)
        return self._build(list(self._position), segment, group, cell, table)

    def _build(
        self, keys: list[Key], segment: Ints, group: Ints, cell: Ints, table: Table
    ) -> State:
        """Builds a state from table rows and the segment, group and cell of each of them."""
        words = cell.astype(np.uint64)
        return build_state(
            self._statistic, keys, segment, group, words, {"rows": table.rows}, table.sums
        )


@dataclass(frozen=True, eq=False)
class _KeyCodes:
    """The first codes of a list of keys.

    Attributes:
        keys: the keys; holding the list keeps its `id` from being used for another list.
        by_fold: bool, which of the keys keep their folds separate; None for all keys.
        starts: int64, the first code of each key; -1 if it has no codes yet.
    """

    keys: Sequence[Key]
    by_fold: npt.NDArray[np.bool_] | None
    starts: Ints


class HistogramAccumulator(Accumulator):
    """An accumulator of a score histogram, at the shift that all scores so far ask for."""

    def __init__(self, histogram: ScoreHistogram) -> None:
        super().__init__(histogram)
        self._histogram = histogram
        self._index = CellIndex(histogram.max_cells, self._coarsen)
        self._last: tuple[Scored, Elements] | None = None

    def _coarsen(self, slots: Ints) -> None:
        """Moves the sums to new slots; `slots` gives the new slot of each old slot."""
        cells = self._histogram.cells
        self._table.renumber(lambda code: code - code % cells + slots[code % cells])

    def _elements(self, scored: Scored) -> Elements:
        """Returns the elements of a batch, and keeps them, as the batch may come again."""
        if self._last is None or self._last[0] is not scored:
            self._last = scored, self._find_elements(scored)
        return self._last[1]

    def _find_elements(self, scored: Scored) -> Elements:
        slot = self._index.slots(self._histogram.divided(scored))
        elements = self._histogram.elements(scored)
        assert elements.code is not None
        return replace(elements, code=elements.code + slot)

    def _build(
        self, keys: list[Key], segment: Ints, group: Ints, cell: Ints, table: Table
    ) -> State:
        shift = self._index.shift
        words = ordered(self._index.cells[cell], shift)
        counts = {"rows": table.rows}
        return build_state(self._histogram, keys, segment, group, words, counts, table.sums, shift)
