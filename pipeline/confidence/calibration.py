"""The interval of the debiased calibration error."""

from __future__ import annotations

import math

import numpy as np

from heads.metrics.core.bin_errors import Bins, bin_errors
from heads.metrics.core.metric import Floats


def calibration_ends(
    bins: Bins, quantile: float, level: float, *, clustered: bool
) -> tuple[float, float] | None:
    """Returns the interval of the root of the debiased squared calibration error.

    The sum of squares Q of the errors of the bins is taken for a multiple c of a noncentral
    chi-square of h degrees, which has the variance of Q (P. B. Patnaik, "The non-central chi-square
    and F-distributions", 1949); the ends are the noncentralities for which it is at a quantile.
    With clusters, c and h are also those of the variance between folds, if that is more, and chance
    adds at each end what is worse of the binomial variance and that between folds. The sum of the
    squared covariances of the bins is estimated without bias (M. S. Srivastava, "Some tests
    concerning the covariance matrix in high dimensional data", 2005).

    Args:
        bins: the sums by fold and bin, `[f, b]`.
        quantile: the quantile of Student's distribution for the level.
        level: the confidence level, in (0, 1).
        clustered: whether rows of one key may depend on each other.

    Returns:
        The lower and the upper end; None if chance adds nothing, for then nothing tells how much
        the errors vary.
    """
    from scipy.special import chdtr, chndtrinc, ndtri  # its import takes long

    fields = (bins.rows, bins.weight, bins.weight_squared, bins.probability, bins.label)
    whole = bin_errors(Bins(*(_over_folds(values) for values in fields)))
    squared, chance = float(whole.squared), float(whole.by_chance)
    cross = float((whole.share**2 * whole.error**2 * whole.variance).sum())
    spread = float((whole.share**2 * whole.variance**2).sum())
    chances = (chance, chance)
    if clustered:
        folds = np.flatnonzero(bins.weight.sum(axis=1))
        count = len(folds)
        weight, total = bins.weight[folds], bins.weight.sum()
        apart = bins.probability[folds] - bins.label[folds] - whole.error * weight
        scale = np.sqrt(_over_folds(bins.weight) * total)
        parts = apart / np.where(scale > 0, scale, 1.0)
        # Not BLAS, whose sums have an order of their own.
        between = np.einsum("fi,fj->ij", parts, parts, optimize=False) * count / (count - 1)
        trace = float(np.trace(between))
        excess = (between**2).sum() - trace**2 / (count - 1)
        squares = float(excess) * (count - 1) ** 2 / ((count + 1) * (count - 2))
        squares = min(max(squares, trace**2 / len(whole.share)), trace**2)
        along = np.ascontiguousarray(parts * np.sqrt(whole.share) * whole.error).sum(axis=1)
        # Student's quantile in place of the normal one, for a variance from so few folds.
        wider = (quantile / float(ndtri((1 + level) / 2))) ** 2
        cross = max(wider * float((along**2).sum()) * count / (count - 1), cross)
        spread = max(wider * squares, spread)
        chances = (max(trace, chance), min(trace, chance))
    if squared == 0 or cross == 0:
        return None
    factor = cross / squared
    degrees = spread / factor**2
    ends = []
    for added, tail in zip(chances, ((1 + level) / 2, (1 - level) / 2), strict=True):
        found = (squared - added) / factor + degrees
        # Where the quantile is beyond even without noncentrality, the end is 0.
        beyond = found > 0 and chdtr(degrees, found) > tail
        ends.append(math.sqrt(factor * chndtrinc(found, degrees, tail)) if beyond else 0.0)
    return ends[0], min(ends[1], 1.0)


def _over_folds(values: Floats) -> Floats:
    """Returns the sums `[b]` over the folds of `[f, b]`, each over contiguous memory."""
    total: Floats = np.ascontiguousarray(values.T).sum(axis=1)
    return total
