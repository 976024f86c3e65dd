"""Adding batches in place, before a state is frozen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heads.statistics.cell_index import (
    CellIndex,
    ordered_cells,
)
from heads.statistics.exact import (
    MAX_ROWS,
    Ints,
)
from heads.statistics.keys import Key
from heads.statistics.score_histogram import ScoreHistogram
from heads.statistics.scored import Scored
from heads.statistics.segments import Segments
from heads.statistics.state import State, build_state, zero_state
from heads.statistics.statistic import Elements, Statistic
from heads.statistics.tables import (
    DenseTable,
    SparseTable,
    Table,
)

# A table of every code is kept dense up to about so many bytes: an index into it costs less than
# sorting a batch.
DENSE_BYTES = 320 << 20
# Lists of keys whose codes are remembered: a batch has one for each of its passes.
_LISTS = 64


class Accumulator:
    """The sums of the batches added so far, for one statistic.

    Every segment has a run of codes: one for each cell, and where its rows are told apart by fold,
    for each cell of each fold. Dense arrays over the codes while those are few, sorted tables
    beyond.
    """

    def __init__(self, statistic: Statistic) -> None:
        self._statistic = statistic
        self._fold_size = statistic.groups * statistic.cells
        self._position: dict[Key, int] = {}
        # Where the codes of each segment begin, and where the last ones end.
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
        """What a code takes in a dense table: most sums have two limbs."""
        return 8 + 16 * len(self._statistic.sums)

    def _elements(self, scored: Scored) -> Elements:
        statistic = self._statistic
        return scored.memo(statistic, lambda: statistic.elements(scored))

    def freeze(self) -> State:
        """The state of everything added; the accumulator may be added to afterwards."""
        return self._from_table(self._table.table())

    def _codes(self, elements: Elements, segments: Segments) -> Ints:
        """The code of each element."""
        by_fold = segments.by_fold
        own = self._key_codes(segments)
        first = own.starts.take(segments.index)
        if len(first) and first.min() < 0:
            self._extend(own, segments.index[first < 0])
            first = own.starts.take(segments.index)
        inner = elements.code
        fold = segments.fold if self._statistic.folds > 1 else None
        if fold is not None:
            inner = self._with_folds(elements, fold)
            if by_fold is not None:
                apart = by_fold.take(segments.index)
                if elements.repeat > 1:
                    apart = np.repeat(apart, elements.repeat)
                plain = 0 if elements.code is None else elements.code
                inner = np.where(apart, inner, plain)
        if elements.repeat > 1:
            first = np.repeat(first, elements.repeat)
        return first if inner is None else first + inner

    def _with_folds(self, elements: Elements, fold: Ints) -> Ints:
        """The codes of elements within their segments; those of the last ones are kept.

        A batch comes again in every pass.
        """
        last = self._fold_codes
        if last is not None and last[0] is elements.code and last[1] is fold:
            return last[2]
        inner = fold * self._fold_size
        if elements.repeat > 1:
            inner = np.repeat(inner, elements.repeat)
        if elements.code is not None:
            inner += elements.code
        self._fold_codes = elements.code, fold, inner
        return inner

    def _key_codes(self, segments: Segments) -> _KeyCodes:
        """Where the codes of the keys begin; -1 for keys that no row had yet."""
        keys = segments.keys
        own = self._lists.get(id(keys))
        if own is None or own.keys is not keys or len(own.starts) != len(keys):
            position = self._position
            known = [position.get(key, -1) for key in keys]
            starts = np.array([-1 if at < 0 else self._starts[at] for at in known], np.int64)
            own = self._lists[id(keys)] = _KeyCodes(keys, segments.by_fold, starts)
            while len(self._lists) > _LISTS:
                self._lists.popitem(last=False)
        return own

    def _extend(self, own: _KeyCodes, index: Ints) -> None:
        """Gives keys that rows have for the first time their codes."""
        by_fold = np.ones(len(own.keys), np.bool_) if own.by_fold is None else own.by_fold
        new = np.zeros(len(own.keys), np.bool_)
        new[index] = True
        for place in np.flatnonzero(new).tolist():
            key = own.keys[place]
            at = self._position.setdefault(key, len(self._position))
            if at + 1 == len(self._starts):
                folds = self._statistic.folds if by_fold[place] else 1
                self._starts.append(self._starts[-1] + folds * self._fold_size)
            own.starts[place] = self._starts[at]

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
        """A state from table rows that stand for the groups and cells given."""
        words = cell.astype(np.uint64)
        return build_state(
            self._statistic, keys, segment, group, words, {"rows": table.rows}, table.sums
        )


@dataclass(frozen=True, eq=False)
class _KeyCodes:
    """Where the codes of a list of keys begin.

    Attributes:
        keys: the keys; the list is held, so that none takes its place.
        by_fold: bool, which of them are told apart by fold; None for all.
        starts: int64, the first code of each; -1 if it has none yet.
    """

    keys: Sequence[Key]
    by_fold: npt.NDArray[np.bool_] | None
    starts: Ints


class HistogramAccumulator(Accumulator):
    """Adds batches of a score histogram at the shift that all scores so far ask for."""

    def __init__(self, histogram: ScoreHistogram) -> None:
        super().__init__(histogram)
        self._histogram = histogram
        self._index = CellIndex(histogram.max_cells, self._coarsen)
        self._last: tuple[Scored, Elements] | None = None

    def _coarsen(self, slots: Ints) -> None:
        """Moves what was added to the slots given for each of the old ones."""
        cells = self._histogram.cells
        self._table.renumber(lambda code: code - code % cells + slots[code % cells])

    def _elements(self, scored: Scored) -> Elements:
        """The elements of a batch; those of the last one are kept, for it may come again."""
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
        words = ordered_cells(self._index.cells[cell], shift)
        counts = {"rows": table.rows}
        return build_state(self._histogram, keys, segment, group, words, counts, table.sums, shift)
