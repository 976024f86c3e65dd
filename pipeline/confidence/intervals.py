"""Confidence intervals: Student's t carried to the scale of a metric, and exact binomial ones."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

FEW = 10
"""A proportion of fewer effective successes or failures has the exact binomial interval."""

AT_BOUND = "the value is at the bound of its scale, or too near to it for its error"


def interval(
    value: Floats,
    standard_error: Floats,
    degrees: Floats | Integers,
    level: float,
    low: float = -math.inf,
    high: float = math.inf,
) -> tuple[Floats, Floats]:
    """The t interval of a metric on the scale that its bounds ask for.

    By the delta method: g(v) +- t * SE * g'(v), brought back by the inverse of g; t is the
    quantile (1 + level) / 2 of Student's distribution. With two bounds g is the logit of
    (v - low) / (high - low), with one it is log(v - low) or -log(high - v), with none g(v) = v. So
    an interval never leaves the scale.

    Args:
        value: float64 `[s]`, the metric.
        standard_error: float64 `[s]`, its standard error on its own scale.
        degrees: `[s]`, degrees of freedom of the standard error.
        level: the confidence level, in (0, 1).
        low: the least value that the metric can have.
        high: the greatest.

    Returns:
        The lower and the upper end, float64 `[s]`. Both are NaN without a standard error; and for
        a value at a bound, or so near to it that an end is not finite, which is for the reason
        `AT_BOUND`.

    >>> lower, upper = interval(np.array([0.9]), np.array([0.05]), np.array([19]), 0.95, 0.0, 1.0)
    >>> lower.round(4), upper.round(4)
    (array([0.7378]), array([0.9664]))
    """
    from scipy.special import stdtrit  # its import takes long, and most commands do without

    with np.errstate(all="ignore"):
        half = -stdtrit(degrees, (1 - level) / 2) * standard_error
        below, above = value - low, high - value
        if math.isinf(low) and math.isinf(high):
            lower, upper = value - half, value + half
        elif math.isinf(high):
            half = half / below
            lower, upper = low + below * np.exp(-half), low + below * np.exp(half)
        elif math.isinf(low):
            half = half / above
            lower, upper = high - above * np.exp(half), high - above * np.exp(-half)
        else:
            width = high - low
            factor = np.exp(-half * width / (below * above))
            lower = low + width * (below * factor / (below * factor + above))
            upper = high - width * (above * factor / (above * factor + below))
    known = (below > 0) & (above > 0) & np.isfinite(lower) & np.isfinite(upper)
    # Rounding may not put the value outside.
    return (
        np.where(known, np.minimum(lower, value), np.nan),
        np.where(known, np.maximum(upper, value), np.nan),
    )


def binomial_interval(share: Floats, size: Floats, level: float) -> tuple[Floats, Floats]:
    """The exact binomial interval of a proportion (Clopper and Pearson 1934).

    With x = share * size successes and alpha = 1 - level, the ends are the quantiles alpha / 2 of
    Beta(x, size - x + 1) and 1 - alpha / 2 of Beta(x + 1, size - x); these are defined for sizes
    that are not integers as well. The lower end of share 0 is 0 and the upper of share 1 is 1.

    Args:
        share: float64 `[s]`, the proportion.
        size: float64 `[s]`, the effective number of rows that it is a proportion of.
        level: the confidence level, in (0, 1).

    Returns:
        The lower and the upper end, float64 `[s]`; NaN for a share outside of [0, 1] and for a
        size that is not positive.

    >>> lower, upper = binomial_interval(np.array([0.0]), np.array([100.0]), 0.95)
    >>> lower, upper.round(4)
    (array([0.]), array([0.0362]))
    """
    from scipy.special import betaincinv  # its import takes long, and most commands do without

    tail = (1 - level) / 2
    with np.errstate(all="ignore"):
        known = (share >= 0) & (share <= 1) & (size > 0) & np.isfinite(size)
        successes = share * size
        failures = size - successes
        # At 0 successes or failures the quantile is of no distribution; the end is the bound.
        lower = np.where(share == 0, 0.0, betaincinv(successes, failures + 1, tail))
        upper = np.where(share == 1, 1.0, betaincinv(successes + 1, failures, 1 - tail))
    return np.where(known, lower, np.nan), np.where(known, upper, np.nan)


def is_rare(share: Floats, size: Floats) -> Mask:
    """Where a proportion has fewer than `FEW` effective successes or failures.

    There the t interval is poor, and `binomial_interval` is to be used.

    Args:
        share: float64 `[s]`, the proportion.
        size: float64 `[s]`, the effective number of rows.

    Returns:
        bool `[s]`, False where either is NaN.
    """
    # A share times its size is a count up to rounding only.
    rare: Mask = np.minimum(share, 1 - share) * size < FEW - 1e-6
    return rare


def effective_size(
    rows: Integers | Floats, weight: Floats | None = None, weight_squared: Floats | None = None
) -> Floats:
    """The number of unweighted rows that say as much as the weighted ones.

    (sum of w)^2 / sum of w^2 (Kish, "Survey Sampling", 1965, section 11.7): the number of rows if
    all weights are equal, and less otherwise.

    Args:
        rows: `[s]`, the number of rows.
        weight: float64 `[s]`, sum of weights; None for unweighted rows.
        weight_squared: float64 `[s]`, sum of squared weights; None for unweighted rows.

    Returns:
        float64 `[s]`; NaN where all weights are zero.

    >>> effective_size(np.array([3]), np.array([4.0]), np.array([6.0])).round(4)
    array([2.6667])
    """
    if weight is None or weight_squared is None:
        return rows.astype(np.float64)
    with np.errstate(all="ignore"):
        return weight / weight_squared * weight


def correlated_size(size: Floats, share: Floats, standard_error: Floats) -> Floats:
    """The effective size that a standard error leaves of it.

    Kish's size knows of weights, not that rows of one key repeat each other. The folds keep them
    together, so the jackknife error of a proportion p does: p (1 - p) / SE^2 independent rows
    would have that error. This is the effective size of Korn and Graubard, "Confidence intervals
    for proportions with small expected number of positive counts estimated from survey data",
    Survey Methodology 24 (1998), without their correction for degrees of freedom; instead, since
    the error is itself an estimate, it may only make the size smaller. An error that is not there
    (a share of 0 or 1 is the same without any fold) changes nothing.

    Args:
        size: float64 `[s]`, the effective size by the weights.
        share: float64 `[s]`, the proportion.
        standard_error: float64 `[s]`, its standard error, NaN where there is none.

    Returns:
        float64 `[s]`, at most `size`.
    """
    variance = share * (1 - share)
    with np.errstate(all="ignore"):
        found = variance / standard_error**2
    return np.where(variance > 0, np.fmin(size, found), size)
