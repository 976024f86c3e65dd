"""Whether a candidate is worse than a baseline, in one slice and among many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def welch(
    first: Floats,
    first_degrees: Floats | Integers,
    second: Floats,
    second_degrees: Floats | Integers,
) -> tuple[Floats, Floats]:
    """The standard error of a difference of two independent numbers.

    The root of the sum of squares, with the degrees of freedom of Satterthwaite (1946) and Welch
    (1947): (a^2 + b^2)^2 / (a^4 / degrees of a + b^4 / degrees of b).

    Args:
        first: float64 `[s]`, standard error of the one.
        first_degrees: `[s]`, its degrees of freedom.
        second: float64 `[s]`, standard error of the other.
        second_degrees: `[s]`, its degrees of freedom.

    Returns:
        The standard error and the degrees of freedom, float64 `[s]`; NaN where either error is.

    >>> welch(np.array([3.0]), np.array([19]), np.array([4.0]), np.array([19]))
    (array([5.]), array([35.23738872]))
    """
    error = np.hypot(first, second)
    with np.errstate(all="ignore"):
        part, rest = (first / error) ** 2, (second / error) ** 2
        degrees = 1 / (part**2 / first_degrees + rest**2 / second_degrees)
    return error, degrees


def p_worse(
    difference: Floats,
    standard_error: Floats,
    degrees: Floats | Integers,
    higher_is_better: bool,
) -> Floats:
    """The one-sided p-value that the candidate is worse than the baseline.

    The probability that a candidate which is no worse seems at least as bad, by Student's
    distribution of difference / SE.

    Args:
        difference: float64 `[s]`, candidate minus baseline.
        standard_error: float64 `[s]`, of the difference.
        degrees: `[s]`, degrees of freedom of the standard error.
        higher_is_better: the good direction of the metric.

    Returns:
        float64 `[s]`, NaN where there is no standard error.

    >>> p_worse(np.array([-0.02]), np.array([0.01]), np.array([19]), True).round(4)
    array([0.03])
    """
    from scipy.special import stdtr  # its import takes long, and most commands do without

    gain = difference if higher_is_better else -difference
    with np.errstate(all="ignore"):
        p: Floats = stdtr(degrees, gain / standard_error)
    return np.where(standard_error > 0, p, np.nan)


def benjamini_hochberg(p: Floats) -> Floats:
    """P-values adjusted so that the false discovery rate is controlled.

    The i-th smallest of m becomes the least of p(j) * m / j over j >= i (Benjamini and Hochberg
    1995): a list of those at most q has an expected share of false ones of at most q. It coincides
    with `scipy.stats.false_discovery_control`.

    Args:
        p: float64 `[m]`, the p-values of one family; NaN is no part of it.

    Returns:
        float64 `[m]`, at least `p` and at most 1, NaN where `p` is.

    >>> benjamini_hochberg(np.array([0.01, 0.5, np.nan, 0.02]))
    array([0.03, 0.5 ,  nan, 0.03])
    """
    adjusted = np.full(len(p), np.nan)
    family = np.flatnonzero(~np.isnan(p))
    order = family[np.argsort(p[family], kind="stable")][::-1]
    # From the largest down; m / m is exactly 1.
    ranks = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum.accumulate(p[order] * (len(order) / ranks))
    return adjusted
