"""States: the sums of a statistic, which engines merge across a shuffle.

A state is a sparse table. Its rows are the cells `(segment, group, cell)` that contain at least one
example, and its columns are integer counts and exact sums. Every merge rule follows from that:
align the segments, put the rows below each other, and add the rows of equal cells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics.closed_segments import CLOSED, Rows, close_segments
from heads.statistics.exact import ExactColumn, add_columns
from heads.statistics.keys import Key, key_text
from heads.statistics.runs import add_runs, order_of, run_starts, segment_starts
from heads.statistics.statistic import Statistic

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class State:
    """A table of counts and exact sums by segment, group and cell, in canonical form.

    Attributes:
        statistic: the statistic that was measured; only states of equal statistics merge.
        keys: the segments that have rows, sorted by their text.
        segment: int64 `[m]`, positions in `keys`; the table is sorted by segment, group, cell.
        group: int64 `[m]`, the fold together with what the statistic divides rows by, such as the
            class: `fold * statistic.groups + group in the fold`.
        cell: uint64 `[m]`, the place in the group, such as an interval of the score.
        counts: int64 `[m]` by column name; `rows`, at least 1, is always there.
        sums: exact sums `[m]` by column name.
        shift: how many low bits of `cell` an adaptive histogram has removed, else 0.
        exponents: int64 `[s]`, by segment the exponent `e` of the unit `2**e` in which weights are
            read; None for 0. Sums are read in this unit to the power of the weights in them. Only
            states that are read alone have units (`heads.statistics.units`).
    """

    statistic: Statistic
    keys: tuple[Key, ...]
    segment: Ints
    group: Ints
    cell: npt.NDArray[np.uint64]
    counts: Mapping[str, Ints]
    sums: Mapping[str, ExactColumn]
    shift: int = 0
    exponents: Ints | None = None

    def __len__(self) -> int:
        return len(self.segment)

    def __getitem__(self, column: str) -> npt.NDArray[np.float64]:
        """Returns a column as float64 `[m]`."""
        if column in self.counts:
            return self.counts[column].astype(np.float64)
        return self.floats(column, self.sums[column], self.segment)

    def floats(self, name: str, sums: ExactColumn, segment: Ints) -> npt.NDArray[np.float64]:
        """Returns sums of rows of a column as float64 `[n]`, each rounded once.

        Args:
            name: the name of the column.
            sums: the sums, `n` in number.
            segment: int64 `[n]`, the segment that each sum is of, whose unit it is read in.
        """
        power = self.statistic.weight_power(name)
        if self.exponents is None or not power:
            return sums.to_float()
        factor, exponent = sums.to_wide()
        out: npt.NDArray[np.float64] = np.ldexp(factor, exponent - power * self.exponents[segment])
        return out

    def by_segment(
        self, column: str, rows: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.float64]:
        """Returns the sums of a column by segment `[s]`, each sum rounded once.

        Args:
            column: the name of the column.
            rows: bool `[m]`, a mask of the table rows to add; None for all.
        """
        if rows is None:
            if column not in self._by_segment:
                self._by_segment[column] = self._summed(column, None)
            return self._by_segment[column]
        return self._summed(column, rows)

    @cached_property
    def kept(self) -> dict[str, OrderedDict[Hashable, Any]]:
        """The results that functions of the state keep with it, see `kept_with_state`."""
        return {}

    @cached_property
    def _by_segment(self) -> dict[str, npt.NDArray[np.float64]]:
        """The sums of whole segments that were computed; many metrics need the same sums."""
        return {}

    def wide_by_segment(
        self, column: str, rows: npt.NDArray[np.bool_] | None = None
    ) -> tuple[npt.NDArray[np.float64], Ints]:
        """Returns the sums of a column by segment, in no unit, whatever their magnitude.

        Args:
            column: the name of the column.
            rows: bool `[m]`, a mask of the table rows to add; None for all.

        Returns:
            Factors and exponents, both `[s]`: the sums are `factor * 2**exponent`.
        """
        factor, exponent = np.zeros(len(self.keys)), np.zeros(len(self.keys), np.int64)
        if column in self.counts:
            return self.by_segment(column, rows), exponent
        segment, sums = self._runs(column, rows)
        factor[segment], exponent[segment] = sums.to_wide()
        return factor, exponent

    def _summed(self, column: str, rows: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.float64]:
        out = np.zeros(len(self.keys))
        if column in self.counts:
            chosen = np.arange(len(self)) if rows is None else np.flatnonzero(rows)
            segment = self.segment[chosen]
            starts = segment_starts(segment)
            out[segment[starts]] = add_runs(self.counts[column][chosen], starts)
            return out
        used, sums = self._runs(column, rows)
        out[used] = self.floats(column, sums, used)
        return out

    def _runs(self, column: str, rows: npt.NDArray[np.bool_] | None) -> tuple[Ints, ExactColumn]:
        """Returns the segments that have any of the rows, and the sums of a column over these."""
        order = None if rows is None else np.flatnonzero(rows)
        segment = self.segment if order is None else self.segment[order]
        starts = segment_starts(segment)
        if not len(starts):
            return segment, ExactColumn.zeros(0)
        return segment[starts], add_columns([self.sums[column]], starts, order)

    def dense(self, column: str, groups: int, cells: int = 1) -> npt.NDArray[np.float64]:
        """Returns a column as float64 `[segments, groups, cells]`, 0 in cells without rows."""
        out = np.zeros((len(self.keys), groups, cells))
        out[self.segment, self.group, self.cell.astype(np.int64)] = self[column]
        return out

    def regroup(self, keys: Sequence[Sequence[Key]]) -> State:
        """Returns the state of coarser segments, which are sums of segments of this state.

        Args:
            keys: for each segment of this state, the coarser segments that contain it.
        """
        sources: dict[Key, list[int]] = {}
        for index, coarser in enumerate(keys):
            for key in coarser:
                sources.setdefault(key, []).append(index)
        if not sources:
            return zero_state(self.statistic)
        if all(len(parts) == 1 for parts in sources.values()):
            return self._renamed({key: parts[0] for key, parts in sources.items()})
        single = {key: parts[0] for key, parts in sources.items() if len(parts) == 1}
        several = {key: parts for key, parts in sources.items() if len(parts) > 1}
        added = self._added(several)
        return _joined(added, self._renamed(single)) if single else added

    def _renamed(self, source: Mapping[Key, int]) -> State:
        """Returns the state of new keys, each of which stands for a single segment."""
        names = sorted(source, key=key_text)
        segments = [source[key] for key in names]
        rows = self._rows_of(segments)
        # They have no more cells than all segments, so that these are not too many.
        return State(
            self.statistic,
            tuple(names),
            np.repeat(np.arange(len(segments)), np.diff(self._bounds)[segments]),
            self.group[rows],
            self.cell[rows],
            {name: column[rows] for name, column in self.counts.items()},
            {name: column.take(rows) for name, column in self.sums.items()},
            self.shift,
        )

    def _added(self, sources: Mapping[Key, Sequence[int]]) -> State:
        """Returns the state of new keys, each of which stands for the sum of some segments."""
        order = np.concatenate([self._rows_of(parts) for parts in sources.values()])
        lengths = [int(np.diff(self._bounds)[parts].sum()) for parts in sources.values()]
        return _assemble(
            self.statistic,
            list(sources),
            np.repeat(np.arange(len(lengths)), lengths),
            self.group[order],
            self.cell[order],
            {name: column[order] for name, column in self.counts.items()},
            {name: [column.take(order)] for name, column in self.sums.items()},
            self.shift,
        )

    def take(self, segments: Sequence[int]) -> State:
        """Returns the state of some segments, given by position, without the rest."""
        if not segments:
            return zero_state(self.statistic)
        return self._renamed({self.keys[position]: position for position in segments})

    @cached_property
    def places(self) -> Mapping[Key, int]:
        """The position of each segment, by its key."""
        return {key: position for position, key in enumerate(self.keys)}

    @cached_property
    def closed(self) -> npt.NDArray[np.bool_]:
        """Which segments are closed, bool `[s]`: they had too many cells for their statistic."""
        closed = np.zeros(len(self.keys), np.bool_)
        closed[self.segment[self.cell == CLOSED]] = True
        return closed

    @cached_property
    def _bounds(self) -> npt.NDArray[np.intp]:
        """The first table row of each segment, and at the end the number of rows, `[s + 1]`."""
        return np.searchsorted(self.segment, np.arange(len(self.keys) + 1))

    def _rows_of(self, segments: Sequence[int]) -> npt.NDArray[np.intp]:
        """Returns the positions of the table rows of some segments."""
        bounds = self._bounds
        ranges = [np.arange(bounds[position], bounds[position + 1]) for position in segments]
        return np.concatenate(ranges)

    def coarsened(self, shift: int) -> State:
        """Returns the same state with at least `shift` low bits of `cell` removed."""
        if shift <= self.shift:
            return self
        return _assemble(
            self.statistic,
            self.keys,
            self.segment,
            self.group,
            _shifted(self, shift),
            self.counts,
            {name: [column] for name, column in self.sums.items()},
            shift,
        )


def zero_state(statistic: Statistic) -> State:
    """Returns the state of no rows, the identity of `merge`."""
    empty = np.zeros(0, np.int64)
    return State(
        statistic,
        (),
        empty,
        empty,
        empty.astype(np.uint64),
        {"rows": empty},
        {name: ExactColumn.zeros(0) for name in statistic.sums},
    )


def limit_cells(state: State) -> State:
    """Returns the state with no more cells than its statistic allows.

    As many low bits of `cell` are removed as it demands, or the segments with too many are closed.
    """
    most = state.statistic.most_distinct
    if most is None:
        return state.coarsened(state.statistic.fitting_shift(state.cell, state.shift))
    rows = Rows(state.segment, state.group, state.cell, state.counts, state.sums)
    limited = close_segments(rows, len(state.keys), most)
    return state if limited is rows else replace(state, **vars(limited))


def _joined(first: State, second: State) -> State:
    """Joins two states that have no segment in common, and have the same shift."""
    both = (first, second)
    names = [(key_text(key), part, i) for part in (0, 1) for i, key in enumerate(both[part].keys)]
    order = [(part, i) for _, part, i in sorted(names)]
    bounds = [first._bounds, second._bounds + len(first)]
    rows = np.concatenate([np.arange(bounds[p][i], bounds[p][i + 1]) for p, i in order])
    lengths = [int(bounds[p][i + 1] - bounds[p][i]) for p, i in order]
    starts = np.arange(len(rows))

    def column(upper: npt.NDArray[Any], lower: npt.NDArray[Any]) -> npt.NDArray[Any]:
        out: npt.NDArray[Any] = np.concatenate([upper, lower])[rows]
        return out

    return State(
        first.statistic,
        tuple(both[part].keys[i] for part, i in order),
        np.repeat(np.arange(len(order)), lengths),
        column(first.group, second.group),
        column(first.cell, second.cell),
        {name: column(first.counts[name], second.counts[name]) for name in first.counts},
        {
            name: add_columns([first.sums[name], second.sums[name]], starts, rows)
            for name in first.sums
        },
        first.shift,
    )


def merge(states: Sequence[State]) -> State:
    """Adds states of the same statistic; the result does not depend on their order or grouping.

    Raises:
        ValueError: if there is no state, or if they were measured by different statistics.
    """
    if not states:
        raise ValueError("merge needs at least one state; start from zero_state(statistic).")
    statistic = states[0].statistic
    for state in states[1:]:
        if state.statistic != statistic:
            raise ValueError(
                f"States of different statistics cannot be merged: {statistic} and"
                f" {state.statistic}. Merge only states measured with one configuration."
            )
    filled = [state for state in states if len(state)]
    if not filled:
        return states[0]
    if len(filled) == 1:
        return filled[0]
    shift = max(state.shift for state in filled)
    position: dict[Key, int] = {}
    segments = []
    for state in filled:
        target = [position.setdefault(key, len(position)) for key in state.keys]
        segments.append(np.array(target, np.int64)[state.segment])
    return _assemble(
        statistic,
        list(position),
        np.concatenate(segments),
        np.concatenate([state.group for state in filled]),
        np.concatenate([_shifted(state, shift) for state in filled]),
        {name: np.concatenate([s.counts[name] for s in filled]) for name in filled[0].counts},
        {name: [s.sums[name] for s in filled] for name in filled[0].sums},
        shift,
    )


def build_state(
    statistic: Statistic,
    keys: Sequence[Key],
    segment: Ints,
    group: Ints,
    cell: npt.NDArray[np.uint64],
    counts: Mapping[str, Ints],
    sums: Mapping[str, ExactColumn],
    shift: int = 0,
) -> State:
    """Builds a state from table rows in any order, in which cells may repeat."""
    return _assemble(
        statistic,
        keys,
        segment,
        group,
        cell,
        counts,
        {name: [column] for name, column in sums.items()},
        shift,
    )


def _shifted(state: State, shift: int) -> npt.NDArray[np.uint64]:
    return state.cell >> np.uint64(shift - state.shift)


def _assemble(
    statistic: Statistic,
    keys: Sequence[Key],
    segment: Ints,
    group: Ints,
    cell: npt.NDArray[np.uint64],
    counts: Mapping[str, Ints],
    sums: Mapping[str, list[ExactColumn]],
    shift: int,
) -> State:
    """Builds a state: sorts the segments and the rows, and adds rows of equal cells."""
    used = np.flatnonzero(np.bincount(segment, minlength=len(keys)))
    names = sorted((key_text(keys[i]), i) for i in used.tolist())
    rank = np.zeros(len(keys), np.int64)
    rank[[i for _, i in names]] = np.arange(len(names))
    segment = rank[segment]
    order = order_of(segment, group, cell)
    segment, group, cell = segment[order], group[order], cell[order]
    starts = run_starts(segment, group, cell)
    state = State(
        statistic,
        tuple(keys[i] for _, i in names),
        segment[starts],
        group[starts],
        cell[starts],
        {name: add_runs(column[order], starts) for name, column in counts.items()},
        {name: add_columns(columns, starts, order) for name, columns in sums.items()},
        shift,
    )
    return limit_cells(state)
