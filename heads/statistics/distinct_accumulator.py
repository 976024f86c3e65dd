"""The accumulator of distinct scores, which skips the rows of closed segments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heads.statistics.accumulator import Accumulator
from heads.statistics.closed_segments import Rows, crowded_segments, with_closed
from heads.statistics.distinct_scores import DistinctScores
from heads.statistics.exact import ExactColumn, Ints
from heads.statistics.keys import Key
from heads.statistics.score_cells import ordered
from heads.statistics.scored import Scored
from heads.statistics.segments import Segments
from heads.statistics.state import State, build_state, merge, zero_state

# Elements are added up when they are more than this, and more than the rows of the state so far.
# A large batch is added in parts, so that segments of many scores are closed by the first of them.
PENDING_ELEMENTS = 1 << 16


class DistinctAccumulator(Accumulator):
    """An accumulator of `DistinctScores`.

    A code is `segment * groups + group` here, with the fold in the group; the words of the scores
    are kept beside it.
    """

    def __init__(self, statistic: DistinctScores) -> None:
        super().__init__(statistic)
        self._scores = statistic
        self._state = zero_state(statistic)
        self._pending: list[tuple[Ints, npt.NDArray[np.uint64], dict[str, ExactColumn]]] = []
        self._elements_pending = 0
        # By segment, in the order of their codes.
        self._closed = np.zeros(0, np.bool_)

    def add(self, scored: Scored, segments: Segments) -> None:
        """Adds a batch of any number of rows."""
        step = max(1, PENDING_ELEMENTS // self._scores.classes)
        for first in range(0, len(segments), step):
            closed = self._closed_keys(segments)
            if closed.all():
                return
            index = segments.index[first : first + step]
            part = first + np.flatnonzero(~closed[index])
            if len(part):
                self._add_rows(*_taken(scored, segments, part))

    def _closed_keys(self, segments: Segments) -> npt.NDArray[np.bool_]:
        """Returns which keys are those of closed segments, bool."""
        if not self._closed.any():
            return np.zeros(len(segments.keys), np.bool_)
        starts = self._key_codes(segments).starts
        segment = np.searchsorted(self._starts, starts, "right") - 1
        known = (starts >= 0) & (segment < len(self._closed))
        return known & self._closed[np.where(known, segment, 0)]

    def _add_rows(self, scored: Scored, segments: Segments) -> None:
        elements = self._scores.elements(scored)
        columns = self._scores.columns(scored, elements.repeat)
        values = {name: columns.summands[name].column() for name in self._scores.sums}
        sums = {
            name: ExactColumn.carried(column.low, column.limbs, column.specials)
            for name, column in values.items()
        }
        words = ordered(self._scores.divided(scored))
        self._pending.append((self._codes(elements, segments), words, sums))
        self._elements_pending += len(words)
        if self._elements_pending > max(PENDING_ELEMENTS // 2, len(self._state)):
            self._add_up()

    def freeze(self) -> State:
        """Returns the state of all batches so far; more batches may be added afterwards."""
        self._add_up()
        return self._state

    def _add_up(self) -> None:
        """Adds what is pending to the state."""
        if not self._pending:
            return
        starts, keys = np.array(self._starts), list(self._position)
        segments = [np.searchsorted(starts, code, "right") - 1 for code, _, _ in self._pending]
        words = np.concatenate([words for _, words, _ in self._pending])
        most = self._scores.max_cells
        crowded = crowded_segments(np.concatenate(segments), words, len(starts), most)
        states = [self._state]
        for segment, (code, words, sums) in zip(segments, self._pending, strict=True):
            counts = {"rows": np.ones(len(code), np.int64)}
            rows = Rows(segment, code - starts[segment], words, counts, sums)
            states.append(_build(self._scores, keys, with_closed(rows, crowded)))
        self._state = merge(states)
        self._pending, self._elements_pending = [], 0
        self._closed = np.zeros(len(self._position), np.bool_)
        closed = np.flatnonzero(self._state.closed)
        self._closed[[self._position[self._state.keys[place]] for place in closed]] = True


def _build(statistic: DistinctScores, keys: list[Key], rows: Rows) -> State:
    return build_state(statistic, keys, rows.segment, rows.group, rows.cell, rows.counts, rows.sums)


def _taken(scored: Scored, segments: Segments, rows: Ints) -> tuple[Scored, Segments]:
    """Returns some rows of a batch, and their segments."""
    if len(rows) == len(segments):
        return scored, segments
    fold = None if segments.fold is None else segments.fold[rows]
    taken = Segments(segments.index[rows], segments.keys, fold=fold, by_fold=segments.by_fold)
    return scored.take(rows), taken
