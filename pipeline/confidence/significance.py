"""Tests whether a candidate is worse than a baseline, and whether two figures differ."""

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
    """Returns the standard error of the difference of two independent numbers.

    It is the root of the sum of the squares of the errors a and b. Its degrees of freedom are those
    of Satterthwaite (1946) and Welch (1947):
    (a^2 + b^2)^2 / (a^4 / degrees of a + b^4 / degrees of b).

    Args:
        first: float64 `[s]`, the standard error of the first number.
        first_degrees: `[s]`, the degrees of freedom of `first`.
        second: float64 `[s]`, the standard error of the second number.
        second_degrees: `[s]`, the degrees of freedom of `second`.

    Returns:
        The standard error and its degrees of freedom, float64 `[s]`; NaN where an error is NaN.

    >>> welch(np.array([3.0]), np.array([19]), np.array([4.0]), np.array([19]))
    (array([5.]), array([35.23738872]))
    """
    error = np.hypot(first, second)
    with np.errstate(all="ignore"):
        first_share, second_share = (first / error) ** 2, (second / error) ** 2
        degrees = 1 / (first_share**2 / first_degrees + second_share**2 / second_degrees)
    return error, degrees


def p_worse(
    difference: Floats,
    standard_error: Floats,
    degrees: Floats | Integers,
    higher_is_better: bool,
) -> Floats:
    """Returns the one-sided p-value for the candidate being worse than the baseline.

    It is the probability that a candidate which is not worse looks at least as bad, by Student's
    distribution of difference / SE.

    Args:
        difference: float64 `[s]`, the candidate minus the baseline.
        standard_error: float64 `[s]`, the standard error of the difference.
        degrees: `[s]`, the degrees of freedom of the standard error.
        higher_is_better: whether a higher value of the metric is better.

    Returns:
        The p-values, float64 `[s]`; NaN where there is no standard error.

    >>> p_worse(np.array([-0.02]), np.array([0.01]), np.array([19]), True).round(4)
    array([0.03])
    """
    from scipy.special import stdtr  # its import takes long, and most commands do without

    gain = difference if higher_is_better else -difference
    with np.errstate(all="ignore"):
        p: Floats = stdtr(degrees, gain / standard_error)
    return np.where(standard_error > 0, p, np.nan)


def p_differs(difference: Floats, standard_error: Floats, degrees: Floats | Integers) -> Floats:
    """Returns the two-sided p-value for there being a difference.

    It is the probability that a difference which is 0 looks at least as large, by Student's
    distribution of difference / SE.

    Args:
        difference: float64 `[s]`, the differences.
        standard_error: float64 `[s]`, their standard errors.
        degrees: `[s]`, the degrees of freedom of the standard errors.

    Returns:
        The p-values, float64 `[s]`; NaN where there is no standard error.

    >>> p_differs(np.array([-0.02]), np.array([0.01]), np.array([19])).round(4)
    array([0.06])
    """
    from scipy.special import stdtr  # its import takes long, and most commands do without

    with np.errstate(all="ignore"):
        p: Floats = 2 * stdtr(degrees, -np.abs(difference) / standard_error)
    return np.where(standard_error > 0, p, np.nan)


def benjamini_hochberg(p: Floats) -> Floats:
    """Returns adjusted p-values, which control the false discovery rate.

    The i-th smallest of m p-values becomes the least of p(j) * m / j over j >= i (Benjamini and
    Hochberg 1995). Among the discoveries whose adjusted p-value is at most q, the expected share of
    false ones is at most q. The result is that of `scipy.stats.false_discovery_control`.

    Args:
        p: float64 `[m]`, the p-values of one family of tests; NaN is not a member of the family.

    Returns:
        The adjusted p-values, float64 `[m]`, at least `p` and at most 1; NaN where `p` is NaN.

    >>> benjamini_hochberg(np.array([0.01, 0.5, np.nan, 0.02]))
    array([0.03, 0.5 ,  nan, 0.03])
    """
    adjusted = np.full(len(p), np.nan)
    family = np.flatnonzero(~np.isnan(p))
    order = family[np.argsort(p[family], kind="stable")][::-1]
    # From the largest p-value to the smallest; the factor of the largest, m / m, is exactly 1.
    ranks = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum.accumulate(p[order] * (len(order) / ranks))
    return adjusted
