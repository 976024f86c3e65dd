"""The rows by class of the label, and their distribution as numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heads.statistics import State
from heads.statistics.exact import add_columns
from pipeline.results.feature_statistics import Buckets, NumericFeature
from pipeline.results.score_buckets import MOST_BUCKETS, moments

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassRows:
    """The number of rows by class of the label.

    Attributes:
        ids: int64 `[c]`, the ids of the classes that occur, in ascending order.
        rows: int64 `[c]`, the number of rows of each class.
        weights: float64 `[c]`, the sum of the weights of these rows, in the unit `2**exponent`;
            None without weights.
        exponent: the exponent of the unit.
    """

    ids: Ints
    rows: Ints
    weights: Floats | None
    exponent: int = 0

    def shown(self, weights: Floats) -> tuple[float, ...]:
        """Returns weights as numbers; they are infinite where they are too large for float64."""
        with np.errstate(over="ignore"):
            return tuple(np.ldexp(weights, self.exponent).tolist())


def rows_by_class(
    state: State, ids: Ints, chosen: npt.NDArray[np.bool_] | None = None
) -> ClassRows:
    """Adds up the table rows of each class.

    Args:
        state: the state of one slice.
        ids: int64 `[m]`, the class id of each table row.
        chosen: bool `[m]`, which table rows to add; None for all.
    """
    rows = np.arange(len(state)) if chosen is None else np.flatnonzero(chosen)
    order = rows[np.argsort(ids[rows], kind="stable")]
    distinct, starts = np.unique(ids[order], return_index=True)
    if not len(distinct):
        return ClassRows(distinct, distinct, np.zeros(0) if "weight" in state.sums else None)
    weights, exponent = None, 0
    if "weight" in state.sums:
        sums = add_columns([state.sums["weight"]], starts, order)
        weights = state.floats("weight", sums, np.zeros(len(starts), np.int64))
        exponent = 0 if state.exponents is None else int(state.exponents[0])
    rows_in_class = np.add.reduceat(state.counts["rows"][order], starts)
    return ClassRows(distinct, rows_in_class, weights, exponent)


def describe_class_ids(plain: NumericFeature, by_class: ClassRows, classes: int) -> NumericFeature:
    """Returns the distribution of class ids, taken as numbers.

    Args:
        plain: the distribution without what is known of the ids.
        by_class: the rows by class of the label.
        classes: the number of classes of the head.
    """
    if not len(by_class.ids):
        return plain
    values = by_class.ids.astype(np.float64)
    mean, std_dev = moments(values, by_class.rows.astype(np.float64))
    weighted_mean = weighted_std_dev = weights = None
    width = -(-classes // MOST_BUCKETS)
    edges = (*range(0, classes, width), classes)
    bucket = by_class.ids // width
    rows = np.zeros(len(edges) - 1, np.int64)
    np.add.at(rows, bucket, by_class.rows)
    if by_class.weights is not None:
        in_buckets = np.bincount(bucket, by_class.weights, len(rows))
        weights = by_class.shown(in_buckets.astype(np.float64, copy=False))
        if by_class.weights.any():
            weighted_mean, weighted_std_dev = moments(values, by_class.weights)
    return replace(
        plain,
        mean=mean,
        std_dev=std_dev,
        low=float(values[0]),
        high=float(values[-1]),
        zeros=int(by_class.rows[0]) if by_class.ids[0] == 0 else 0,
        buckets=Buckets(tuple(map(float, edges)), tuple(rows.tolist()), weights),
        weighted_mean=weighted_mean,
        weighted_std_dev=weighted_std_dev,
    )
