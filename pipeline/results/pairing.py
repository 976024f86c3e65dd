"""Tells whether the rows of two runs can be paired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heads.statistics import Key, State, same
from pipeline.evaluation.head_plan import CANDIDATE, ModelStatistic, identity_statistic
from pipeline.results.run_states import RunStates
from pipeline.slicing.conditions import OTHER
from pipeline.slicing.table import SliceTable


def unpaired_because(head: str, baseline: RunStates, candidate: RunStates) -> str | None:
    """Returns why the rows of two runs are not paired; None if they are.

    Args:
        head: the name of a head that both runs have.
        baseline: the run to compare with.
        candidate: the run that is looked at.
    """
    folds = [run.plan.folds for run in (baseline, candidate)]
    if 1 in folds:
        return "a run was made without folds"
    if folds[0] != folds[1]:
        return f"the runs have {folds[0]} and {folds[1]} folds"
    keys = [run.plan.config.confidence.key for run in (baseline, candidate)]
    if keys[0] != keys[1]:
        return "the runs have different keys ('confidence.key')"
    identity = ModelStatistic(CANDIDATE, identity_statistic(folds[0]))
    old, new = (run.states[head].get(identity) for run in (baseline, candidate))
    if old is None or new is None:
        return "a run of another release does not say which rows it saw"
    if not same(old, new):
        return "the runs saw different rows, or rows in other files, labels or weights"
    return None


def paired_slices(
    head: str, baseline: RunStates, candidate: RunStates, keys: Sequence[Key]
) -> npt.NDArray[np.bool_]:
    """Returns which slices have the same rows, fold by fold, in two runs whose rows are paired.

    Args:
        head: the name of a head that both runs have.
        baseline: the run to compare with.
        candidate: the run that is looked at.
        keys: the slices, `s` in number, of which both runs have rows.

    Returns:
        bool `[s]`.
    """
    new, old = (run.row_counts(head) for run in (candidate, baseline))
    matching = (np.array_equal(_rows_by_fold(new, key), _rows_by_fold(old, key)) for key in keys)
    return np.fromiter(matching, bool, len(keys))


def same_slices(baseline: RunStates, candidate: RunStates, keys: Sequence[Key]) -> list[Key]:
    """Returns those of some slices that are slices of the same meaning in two runs.

    Where two runs keep different slices, their slices `other` are of different rows.
    """
    new, old = (_beside_other(run.table) for run in (candidate, baseline))
    return [key for key in keys if new.get(key) == old.get(key)]


def _beside_other(table: SliceTable) -> dict[Key, frozenset[Key]]:
    """Returns the slices that a run keeps beside each slice `other`, by the key of `other`."""
    return {
        key: frozenset(spec.keys) for spec in table.specs for key in spec.keys if key[0][1] == OTHER
    }


def _rows_by_fold(state: State, key: Key) -> npt.NDArray[np.int64]:
    """Returns the number of rows of a slice in each fold, int64 `[f]`."""
    slice_state = state.take([state.places[key]])
    fold = slice_state.group // slice_state.statistic.groups
    rows: npt.NDArray[np.int64] = np.zeros(slice_state.statistic.folds, np.int64)
    np.add.at(rows, fold, slice_state.counts["rows"])
    return rows
