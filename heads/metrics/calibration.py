"""Metrics of how far probabilities are from the labels, over all rows and in bins."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.bin_errors import Bins
from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import BIASED, Method, NoInterval
from heads.metrics.core.metric import Floats, Metric, Values, divide, ratio, weight_column
from heads.metrics.core.registry import offers
from heads.metrics.core.support import BothLabels, Positives, Support
from heads.metrics.weighted_means import WeightedMean, class_sum, label_sum, label_sums
from heads.statistics import State, ThresholdCounts
from heads.statistics.exact import add_columns
from heads.statistics.kept import kept_with_state
from heads.statistics.threshold_counts import LABEL_KINDS, ONE


class NormalisedEntropy(WeightedMean):
    """The mean loss over the entropy of the mean label.

    Below 1 the model predicts better than the base rate alone does (He et al., "Practical lessons
    from predicting clicks on ads at Facebook", 2014). Both are in nats.
    """

    higher_is_better = False
    low = 0.0

    @property
    def definition(self) -> str:
        return (
            "The mean loss over the entropy of the mean label m,"
            " `average_loss / -(m * ln(m) + (1 - m) * ln(1 - m))`; below 1 is better than the base"
            " rate."
        )

    @property
    def support(self) -> Support:
        return BothLabels(self.statistic, self.group)

    def compute(self, state: State) -> Values:
        loss, weight = self.mean(state)
        # The entropy of the labels that are not 1 is the same, and their mean may be tiny.
        sums = label_sums(state)
        ones, others = (divide(part, weight) for part in sums)
        label = np.where(ones < 1, ones, others)
        mixed = (sums[0] > 0) & (sums[1] > 0)
        # Where float64 cannot hold the mean label, the entropy is 0.
        log = np.log(np.where(label > 0, label, 1.0))
        entropy = -(label * log + (1 - label) * np.log1p(-label))
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(mixed, loss / entropy, 0.0)
        return Values(
            value, {"the weights sum to zero": weight == 0, "all labels are the same": ~mixed}
        )


class CalibrationRatio(WeightedMean):
    """The sum of probabilities over the sum of labels.

    Above 1 the model predicts too many positives, below 1 too few. It equals `Calibration` of
    TensorFlow Model Analysis.
    """

    low = 0.0

    @property
    def definition(self) -> str:
        return "The sum of probabilities over the sum of labels, `sum(w * p) / sum(w * y)`."

    @property
    def support(self) -> Support:
        return Positives(self.statistic, self.group)

    def compute(self, state: State) -> Values:
        predicted = class_sum(state, self.column, self.group)
        return ratio(predicted, label_sum(state, self.group), "the labels sum to zero")


@dataclass(frozen=True)
class BinnedError(Metric):
    """An error of the mean probability in ten bins of equal width.

    Attributes:
        cuts: the cuts between the bins, which are among those of its `ThresholdCounts`.
    """

    cuts: tuple[float, ...]

    higher_is_better = False
    low, high = 0.0, 1.0

    @property
    def method(self) -> Method:
        return NoInterval(BIASED)

    @abstractmethod
    def of_bins(self, sums: Bins) -> Floats:
        """Returns the error `[s]`."""

    def compute(self, state: State) -> Values:
        sums = bins(state, self.cuts)
        weightless = sums.weight.sum(axis=1) == 0
        return Values(self.of_bins(sums), {"the weights sum to zero": weightless})


class ExpectedCalibrationError(BinnedError):
    """The mean over ten bins of |mean probability - mean label|, weighted by what the bins weigh.

    Bins are [0, 0.1), ..., [0.9, 1] (Naeini, Cooper and Hauskrecht, "Obtaining well calibrated
    probabilities using Bayesian binning", 2015). By chance alone even a calibrated model has an
    error above 0, which is larger where there are fewer rows.
    """

    def of_bins(self, sums: Bins) -> Floats:
        distance = np.abs(sums.probability - sums.label)
        return divide(distance.sum(axis=1), sums.weight.sum(axis=1))


class MaxCalibrationError(BinnedError):
    """The largest |mean probability - mean label| of the ten bins [0, 0.1), ..., [0.9, 1].

    Bins without weight are left out (Naeini, Cooper and Hauskrecht, 2015). A bin of few rows
    may have the largest.
    """

    def of_bins(self, sums: Bins) -> Floats:
        distance = divide(np.abs(sums.probability - sums.label), sums.weight)
        largest: Floats = distance.max(axis=1)
        return largest


@kept_with_state(last=2)
def bins(state: State, cuts: tuple[float, ...]) -> Bins:
    """Returns the sums in each bin, by segment; rows whose score is NaN are in no bin.

    Args:
        state: a state of `ThresholdCounts` with the sums of the probability and of soft labels.
        cuts: the cuts between the bins.
    """
    counts = state.statistic
    assert isinstance(counts, ThresholdCounts)
    edges = np.array([1, *(counts.cuts.index(cut) + 2 for cut in cuts)], np.uint64)
    # Bin 0 is the cell of NaN.
    place = np.searchsorted(edges, state.cell, side="right")
    size = len(edges) + 1
    code = (state.segment * counts.groups + state.group) * size + place
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    shape = (len(state.keys), counts.groups // LABEL_KINDS, LABEL_KINDS, size)

    def table(column: str) -> Floats:
        """Returns a column by class, kind of label and bin `[s, classes, 3, 10]`, rounded once."""
        out = np.zeros(shape)
        if len(starts):
            out.flat[code[starts]] = (
                np.add.reduceat(state.counts[column], starts)
                if column in state.counts
                else state.floats(
                    column,
                    add_columns([state.sums[column]], starts, None),
                    state.segment[starts],
                )
            )
        return out[..., 1:]

    rows = table("rows")
    total = table(weight_column(state))
    probability, soft = (table(column).sum(axis=(1, 2)) for column in ("probability", "soft_label"))
    label = total[:, :, ONE].sum(axis=1) + soft
    squared = total
    if "weight_squared" in state.sums:
        # Of weights that are far apart squares may be beyond float64.
        with np.errstate(over="ignore"):
            squared = table("weight_squared")
    rows, weight, squared = (column.sum(axis=(1, 2)) for column in (rows, total, squared))
    return Bins(rows, weight, squared, probability, label)


@offers("binary", "contrib_binary", kind="report")
def calibration(context: MetricContext) -> Iterator[Metric]:
    yield NormalisedEntropy("normalised_entropy", context.threshold_counts, "loss")
    yield CalibrationRatio("calibration_ratio", context.threshold_counts, "probability")
    counts, cuts = context.calibration_counts, context.calibration_cuts
    yield ExpectedCalibrationError("expected_calibration_error", counts, cuts)
    yield MaxCalibrationError("max_calibration_error", counts, cuts)
