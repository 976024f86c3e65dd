"""Calibration by decile of the prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import FEW_IN_A_DECILE, FEW_OF_A_DECILE, Requirement
from heads.metrics.core.metric import Floats, Metric, Values, divide, weight_column
from heads.metrics.core.registry import offers
from heads.metrics.core.support import EveryRow, Support
from heads.statistics import LabelSums, ScoreHistogram, State, Statistic
from heads.statistics.distinct_scores import distinct_scores_of
from heads.statistics.kept import kept_with_state

DECILES = 10


@dataclass(frozen=True)
class DecileMean(Metric):
    """A weighted mean over a tenth of the weight, in the order of the prediction.

    Rows in one cell of the histogram of predictions are spread over the tenths evenly, as ties in
    random order are on average.

    Attributes:
        coarse_histogram: the same histogram with fewer cells.
        decile: the number of the tenth, from 1, the lowest predictions, to 10.
        column: the name of the value whose mean it is.
        sums: the statistic that counts the rows by fold.
    """

    coarse_histogram: ScoreHistogram
    decile: int = field(kw_only=True)
    column: str = field(kw_only=True)
    sums: LabelSums = field(kw_only=True)

    @property
    def definition(self) -> str:
        what = {"error": "prediction - label"}.get(self.column, f"the {self.column}")
        return (
            f"The weighted mean of {what} over tenth {self.decile} of the weight, in the order of"
            " the prediction; tenth 1 has the lowest predictions."
        )

    @property
    def support(self) -> Support:
        return EveryRow(self.sums)

    @property
    def coarse(self) -> Statistic | None:
        return self.coarse_histogram

    @property
    def distinct(self) -> Statistic | None:
        return distinct_scores_of(self.coarse_histogram)

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1 / DECILES, FEW_IN_A_DECILE, FEW_OF_A_DECILE)

    def compute(self, state: State) -> Values:
        means, total = decile_means(state, self.column)
        return Values(means[:, self.decile - 1], {"the weights sum to zero": total == 0})


class PositiveDecileMean(DecileMean):
    """A mean over a tenth of the weight of numbers that are not negative."""

    low = 0.0


class DecileShare(PositiveDecileMean):
    """A mean over a tenth of the weight of numbers from 0 to 1."""

    high = 1.0


@kept_with_state(last=6)
def decile_means(state: State, column: str) -> tuple[Floats, Floats]:
    """Returns the means of a column in tenths of the weight `[s, 10]`, and the weights `[s]`.

    Args:
        state: a state of a `ScoreHistogram` of predictions that has the sum of the column.
        column: the name of the column.
    """
    weight, values = state[weight_column(state)], state[column]
    means, total = np.zeros((len(state.keys), DECILES)), np.zeros(len(state.keys))
    bounds = np.searchsorted(state.segment, np.arange(len(state.keys) + 1)).tolist()
    for segment, (first, last) in enumerate(pairwise(bounds)):
        reached = np.cumsum(np.append(0.0, weight[first:last]))
        total[segment] = reached[-1]
        edges = reached[-1] * np.arange(DECILES + 1) / DECILES
        sums = np.interp(edges, reached, np.cumsum(np.append(0.0, values[first:last])))
        means[segment] = divide(np.diff(sums), np.diff(edges))
    return means, total


@offers("regression", "poisson", "logistic_regression", kind="report")
def decile_calibration(context: MetricContext) -> Iterator[Metric]:
    fine, coarse = context.prediction_histogram, context.coarse_prediction_histogram
    names = {"bias": "error", "prediction/mean": "prediction", "label/mean": "label"}
    of_numbers = {"poisson": PositiveDecileMean, "logistic_regression": DecileShare}
    for name, column in names.items():
        kind = DecileMean if column == "error" else of_numbers.get(context.head, DecileMean)
        for decile in range(1, DECILES + 1):
            yield kind(
                f"{name}/decile_{decile}",
                fine,
                coarse,
                decile=decile,
                column=column,
                sums=context.label_sums,
            )
