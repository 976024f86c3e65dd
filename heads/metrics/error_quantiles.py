"""Quantiles of the error of a regression head, and of its absolute value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.error_cells import ErrorCells, error_cells
from heads.metrics.core.methods import (
    FEW_BESIDE_QUANTILE,
    FEW_OF_A_SIDE,
    Linearised,
    Method,
    Requirement,
)
from heads.metrics.core.metric import Bounds, Floats, Metric, Values
from heads.metrics.core.number_names import distinct_names
from heads.metrics.core.registry import offers
from heads.metrics.core.support import EveryRow, Support
from heads.statistics import LabelSums, ScoreHistogram, State, Statistic
from heads.statistics.distinct_scores import distinct_scores_of


@dataclass(frozen=True)
class ErrorQuantile(Metric):
    """The error that a share of the weight is not above, the mean of both if two errors are.

    It is the inverse of the distribution function, averaged where that is flat (R. J. Hyndman and
    Y. Fan, "Sample quantiles in statistical packages", 1996, definition 2), as NumPy's method
    `averaged_inverted_cdf`. Errors are read from a histogram; where that rounds them, each is
    taken for the lowest in its cell.

    Attributes:
        coarse_histogram: the same histogram with fewer cells.
        quantile: the share of the weight.
        sums: the statistic that counts the rows by fold.
    """

    coarse_histogram: ScoreHistogram
    quantile: float = field(kw_only=True)
    sums: LabelSums = field(kw_only=True)

    absolute = False
    """Whether the absolute value of the error is meant."""

    @property
    def definition(self) -> str:
        return (
            "The error, prediction - label, that a share of"
            f" {self.name.rpartition('_')[2]} of the weight is not above, as NumPy's"
            " `averaged_inverted_cdf`."
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
    def method(self) -> Method:
        return Linearised()

    @property
    def requirement(self) -> Requirement:
        share = min(self.quantile, 1 - self.quantile)
        return Requirement(self.support, share, FEW_BESIDE_QUANTILE, FEW_OF_A_SIDE)

    def cells(self, state: State) -> ErrorCells:
        """Returns the cells of the errors, in the order of what the quantile is of."""
        return error_cells(state, self.absolute)

    def compute(self, state: State) -> Values:
        cells = self.cells(state)
        value = cells.quantiles(self.quantile, cells.lowest)
        return Values(value, {"the weights sum to zero": cells.total == 0})

    def bounds(self, state: State, value: Floats) -> Bounds:
        cells = self.cells(state)
        return value, np.maximum(cells.quantiles(self.quantile, cells.highest), value)


class MedianError(ErrorQuantile):
    """The median of prediction - label: half of the weight has an error not above it."""

    definition = Metric.definition


class MedianAbsoluteError(ErrorQuantile):
    """The median of |prediction - label|; unweighted, scikit-learn's `median_absolute_error`."""

    definition = Metric.definition
    absolute = True
    higher_is_better = False
    low = 0.0


@offers("regression", "poisson", "logistic_regression", kind="report")
def error_quantiles(context: MetricContext) -> Iterator[Metric]:
    fine, coarse = context.error_histogram, context.coarse_error_histogram
    sums = context.label_sums
    yield MedianError("median_error", fine, coarse, quantile=0.5, sums=sums)
    yield MedianAbsoluteError("median_absolute_error", fine, coarse, quantile=0.5, sums=sums)
    names = distinct_names(context.error_quantiles)
    for quantile, name in zip(context.error_quantiles, names, strict=True):
        yield ErrorQuantile(f"error_quantile_{name}", fine, coarse, quantile=quantile, sums=sums)
