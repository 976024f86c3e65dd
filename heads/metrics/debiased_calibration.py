"""The calibration error without what chance adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from heads.metrics.calibration import bins
from heads.metrics.core.bin_errors import bin_errors
from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import (
    FEW_FOR_BINS,
    FEW_OF_A_CLASS_FOR_BINS,
    CalibrationTest,
    Method,
    Requirement,
)
from heads.metrics.core.metric import Metric, Values
from heads.metrics.core.registry import offers
from heads.metrics.core.support import BothLabels, EveryRow, Support
from heads.statistics import State, Statistic
from heads.statistics.units import exponents_of_largest


@dataclass(frozen=True)
class DebiasedCalibrationError(Metric):
    """The root of the mean of (mean probability - mean label)^2 of ten bins, less what chance adds.

    Chance adds y (1 - y) / (n - 1) to the square of a bin of n rows with the mean label y; it is
    taken off, and 0 is shown where less than nothing is left (A. Kumar, P. Liang and T. Ma,
    "Verified uncertainty calibration", 2019). Bins are [0, 0.1), ..., [0.9, 1], and weigh what
    their rows weigh.

    Attributes:
        cuts: the cuts between the bins, which are among those of its `ThresholdCounts`.
        labels: the statistic that counts the rows by fold.
        clustered: whether rows of one key may depend on each other.
    """

    cuts: tuple[float, ...]
    labels: Statistic = field(kw_only=True)
    clustered: bool = field(kw_only=True)

    higher_is_better = False
    low, high = 0.0, 1.0

    @property
    def support(self) -> Support:
        return EveryRow(self.labels)

    @property
    def requirement(self) -> Requirement:
        # Bins that expect less than a label or two mostly have none, and seem to be sure of that.
        return Requirement(BothLabels(self.labels), 1.0, FEW_FOR_BINS, FEW_OF_A_CLASS_FOR_BINS)

    @property
    def method(self) -> Method:
        return CalibrationTest(self.cuts, self.clustered)

    def compute(self, state: State) -> Values:
        if state.exponents is not None:
            # In the unit of the smallest weight, squares of the largest may be infinite.
            state = replace(state, exponents=exponents_of_largest(state))
        sums = bins(state, self.cuts)
        errors = bin_errors(sums)
        value = np.sqrt(np.maximum(errors.squared - errors.by_chance, 0.0))
        return Values(value, {"the weights sum to zero": sums.weight.sum(axis=1) == 0})


@offers("binary", "contrib_binary", kind="report")
def debiased_calibration(context: MetricContext) -> Iterator[Metric]:
    yield DebiasedCalibrationError(
        "debiased_calibration_error",
        context.calibration_counts,
        context.calibration_cuts,
        labels=context.label_counts,
        clustered=context.clustered,
    )
