"""Terms of the squared calibration error in bins, and of what chance adds to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.metrics.core.metric import Floats, divide


@dataclass(frozen=True, eq=False)
class Bins:
    """Sums in bins of the probability, each `[..., b]`.

    Attributes:
        rows: the number of rows.
        weight: the sum of the weights; without weights the number of rows.
        weight_squared: the sum of the squared weights.
        probability: the weighted sum of the probabilities.
        label: the weighted sum of the labels.
    """

    rows: Floats
    weight: Floats
    weight_squared: Floats
    probability: Floats
    label: Floats


@dataclass(frozen=True, eq=False)
class BinErrors:
    """What bins add to the squared calibration error, each `[..., b]`.

    Attributes:
        share: the share of the weight that is in the bin.
        error: the mean probability less the mean label.
        variance: the variance of the error, of independent rows.
    """

    share: Floats
    error: Floats
    variance: Floats

    @property
    def squared(self) -> Floats:
        """The mean of the squared errors `[...]`."""
        return _over_bins(self.share * self.error**2)

    @property
    def by_chance(self) -> Floats:
        """What the variances of the errors add to that mean `[...]`."""
        return _over_bins(self.share * self.variance)


def bin_errors(bins: Bins) -> BinErrors:
    """Returns what bins add to the squared calibration error.

    The variance of a bin is y (1 - y) / (n - 1), with the mean label y and n effective rows. Of a
    single row it is not known, and the squared error stands for it.
    """
    total = _over_bins(bins.weight)[..., np.newaxis]
    error = divide(bins.probability - bins.label, bins.weight)
    label = np.clip(divide(bins.label, bins.weight), 0.0, 1.0)
    others = divide(bins.weight, bins.weight_squared) * bins.weight - 1
    # Of two rows it is no more than 1/2, however much one outweighs the other.
    variance = np.minimum(divide(label * (1 - label), np.maximum(others, 0.0)), 0.5)
    variance = np.where(bins.rows > 1, variance, error**2)
    return BinErrors(divide(bins.weight, total), error, variance)


def _over_bins(values: Floats) -> Floats:
    """Returns sums over the last axis, each over contiguous memory."""
    total: Floats = np.ascontiguousarray(values).sum(axis=-1)
    return total
