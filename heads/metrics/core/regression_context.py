"""The types of heads, and the statistics of those that predict a number."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Literal, get_args

from heads.statistics import LabelSums, RowSums, ScoreHistogram
from heads.statistics.regression_values import EXACT_FACTORS
from heads.statistics.statistic import Coverage

RegressionType = Literal["regression", "poisson", "logistic_regression"]
HeadType = Literal["binary", "multi_class", "multi_label", "contrib_binary", RegressionType]

COARSE_CELLS = 512
"""The number of cells of a histogram that is kept by fold, or of a small slice."""


class RegressionContext:
    """The base class of `MetricContext` with what heads need that predict a number."""

    head: HeadType
    weighted: bool
    report: bool
    folds: int
    pinball: tuple[float, ...]
    interval: bool

    @property
    def regression(self) -> bool:
        """Whether the head predicts a number, and no class."""
        return self.head in get_args(RegressionType)

    @cached_property
    def label_sums(self) -> LabelSums:
        """The sums that the weighted means of a regression head are computed from."""
        report_values: tuple[str, ...] = ()
        if self.report:
            report_values = ("error", "absolute_error", "relative_error", "squared_error")
            report_values += tuple(f"pinball_{quantile!r}" for quantile in self.pinball)
            report_values += ("covered", "interval_width") if self.interval else ()
            report_values += ("poisson_deviance",) if self.head == "poisson" else ()
        return LabelSums(
            values=("loss", "prediction", "label", *report_values),
            weighted=self.weighted,
            keep_unweighted=self.report,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def moment_sums(self) -> RowSums:
        """The exact sums of predictions, labels and their products, for a regression head."""
        return RowSums(
            values=(*EXACT_FACTORS, "squared_error"),
            weighted=self.weighted,
            keep_unweighted=True,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def error_histogram(self) -> ScoreHistogram:
        """The histogram of errors that quantiles are read from."""
        return ScoreHistogram(of="error", weighted=self.weighted, coverage="largest_only")

    @cached_property
    def coarse_error_histogram(self) -> ScoreHistogram:
        """The histogram of errors with fewer cells, as `coarse_histogram`."""
        return self.coarse(self.error_histogram)

    @cached_property
    def prediction_histogram(self) -> ScoreHistogram:
        """The histogram of predictions, with the sums of what they are compared with."""
        return ScoreHistogram(
            of="prediction",
            values=("error", "prediction", "label"),
            weighted=self.weighted,
            keep_unweighted=True,
            coverage="largest_only",
        )

    @cached_property
    def coarse_prediction_histogram(self) -> ScoreHistogram:
        """The histogram of predictions with fewer cells, as `coarse_histogram`."""
        return self.coarse(self.prediction_histogram)

    def coarse(self, fine: ScoreHistogram, cells: int = COARSE_CELLS) -> ScoreHistogram:
        """Returns a histogram with fewer cells, kept by fold in the largest slices."""
        coverage: Coverage = "largest" if self.folds > 1 else "small_only"
        return replace(fine, max_cells=cells, folds=self.folds, coverage=coverage)
