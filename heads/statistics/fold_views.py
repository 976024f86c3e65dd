"""Views of a merged state: over all folds, over all folds but one, and without weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import ExactColumn, Ints, add_columns
from heads.statistics.runs import add_runs, order_of, run_starts
from heads.statistics.state import State
from heads.statistics.statistic import UNWEIGHTED


@dataclass(frozen=True, eq=False)
class FoldViews:
    """The sums of a state over all folds, and over all folds but one, for every fold left out.

    Attributes:
        whole: the state over all `f` folds, with `s` segments.
        without: a state in which segment `i * f + j` holds segment `i` of `whole` without fold `j`.
            All `f` copies of a segment have the same table rows, even those without examples.
        present: bool `[s, f]`, whether segment `i` has rows in fold `j`.
    """

    whole: State
    without: State
    present: npt.NDArray[np.bool_]


def over_all_folds(state: State) -> State:
    """Returns the state over all folds; its sums are exact."""
    if state.statistic.folds == 1:
        return state
    group = state.group % state.statistic.groups
    return _add_up(state, group, order_of(state.segment, group, state.cell))[0]


def each_fold(state: State) -> State:
    """Returns a state in which segment `i * f + j` holds segment `i` in fold `j` of `f` folds."""
    folds, groups = state.statistic.folds, state.statistic.groups
    fold, group = np.divmod(state.group, groups)
    return replace(
        state,
        statistic=state.statistic.without_folds(),
        keys=tuple(key for key in state.keys for _ in range(folds)),
        segment=state.segment * folds + fold,
        group=group,
    )


def fold_views(state: State) -> FoldViews:
    """Returns the views of a state of any number of folds; all sums are exact."""
    folds, groups = state.statistic.folds, state.statistic.groups
    fold, group = np.divmod(state.group, groups)
    order = order_of(state.segment, group, state.cell)
    whole, target = _add_up(state, group, order)
    segments = len(whole.keys)
    present = np.zeros((segments, folds), bool)
    present[state.segment, fold] = True
    # The rows of `without` come by segment, then by fold, then in the order of `whole`.
    begin = np.searchsorted(whole.segment, np.arange(segments + 1))
    length = np.diff(begin)[whole.segment]
    first = begin[whole.segment] * folds + (np.arange(len(whole)) - begin[whole.segment])
    copies = (first[:, np.newaxis] + length[:, np.newaxis] * np.arange(folds)).ravel()
    source = np.empty(len(copies), np.int64)
    source[copies] = np.repeat(np.arange(len(whole)), folds)
    place = first[target] + length[target] * fold
    counts = {}
    for name, column in whole.counts.items():
        counts[name] = column[source]
        counts[name][place] -= state.counts[name]
    without = State(
        whole.statistic,
        tuple(key for key in whole.keys for _ in range(folds)),
        np.repeat(np.arange(segments * folds), np.repeat(np.diff(begin), folds)),
        whole.group[source],
        whole.cell[source],
        counts,
        {
            name: _subtracted(column, state.sums[name], source, place)
            for name, column in whole.sums.items()
        },
        whole.shift,
    )
    return FoldViews(whole, without, present)


def _add_up(
    state: State, group: Ints, order: npt.NDArray[np.intp]
) -> tuple[State, npt.NDArray[np.intp]]:
    """Returns the state over all folds, and for each row of `state` the row it was added to, `[m]`.

    Args:
        state: the state by fold.
        group: `[m]`, the groups of the rows without the fold.
        order: `[m]`, the rows sorted by segment, group without the fold, and cell.
    """
    segment, group, cell = state.segment[order], group[order], state.cell[order]
    starts = run_starts(segment, group, cell)
    target = np.empty(len(order), np.intp)
    target[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    whole = State(
        state.statistic.without_folds(),
        state.keys,
        segment[starts],
        group[starts],
        cell[starts],
        {name: add_runs(column[order], starts) for name, column in state.counts.items()},
        {name: add_columns([column], starts, order) for name, column in state.sums.items()},
        state.shift,
    )
    return whole, target


def _subtracted(whole: ExactColumn, part: ExactColumn, source: Ints, place: Ints) -> ExactColumn:
    """Copies the rows of a column, and subtracts the sums of the folds from their copies.

    Args:
        whole: the sums over all folds.
        part: the sums of the folds, by row of the state.
        source: `[m]`, the row of `whole` that each copy is of.
        place: the copy from which each row of `part` is subtracted.
    """
    columns = (whole, part)
    low = min((column.low for column in columns if column.limbs.shape[1]), default=0)
    high = max((column.low + column.limbs.shape[1] for column in columns), default=0)
    limbs = np.zeros((len(source), max(0, high - low)), np.int64)
    specials = np.zeros((len(source), whole.specials.shape[1]), np.int64)
    first = whole.low - low
    if whole.limbs.shape[1]:
        limbs[:, first : first + whole.limbs.shape[1]] = whole.limbs[source]
    first = part.low - low
    if part.limbs.shape[1]:
        limbs[place, first : first + part.limbs.shape[1]] -= part.limbs
    if specials.shape[1]:
        specials += whole.specials[source]
        if part.specials.shape[1]:
            specials[place] -= part.specials
    return ExactColumn.carried(low, limbs, specials)


def without_weights(state: State) -> State:
    """Returns the state of the same rows as if every row had weight 1.

    Raises:
        ValueError: if the state has no sums of values without weights.
    """
    statistic = state.statistic
    if not statistic.weighted:
        return state
    if statistic.values and not statistic.keep_unweighted:
        raise ValueError(
            "This state has no sums of rows without weights; measure with `keep_unweighted`."
        )
    twin = statistic.without_weights()
    sums = {name: state.sums[f"{UNWEIGHTED}{name}"] for name in twin.sums}
    return replace(state, statistic=twin, sums=sums)
