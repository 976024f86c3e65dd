"""Estimates: values of a metric in some slices, with their errors and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.results.readings import Floats, Ints, Reasons

TOO_LARGE = "the sum of the weights is too large for float64"
END_TOO_LARGE = "an end of the interval is too large for float64"


@dataclass(frozen=True, eq=False)
class Estimates:
    """The estimates of one metric in some slices; all arrays are `[s]`.

    Attributes:
        value: float64, the values; NaN where undefined.
        reasons: texts, why a value is undefined; None where it is defined.
        standard_error: float64, the standard errors in the unit of the metric; NaN where there is
            none.
        degrees_of_freedom: float64, those of the standard errors; NaN where there is none.
        lower: float64, the lower ends of the intervals; NaN where there is none, and -inf where
            the interval is open below.
        upper: float64, the upper ends; NaN where there is none, inf where it is open above.
        no_interval_reason: texts, why there is no interval; None where there is one.
        p_worse: float64, for a difference the one-sided p-value that the candidate is worse; NaN
            where there is none.
        lowest: float64, what the values are not below, however scores were rounded; NaN where the
            value is exact or undefined.
        highest: float64, what the values are not above.
        p_value: float64, for a difference from overall the two-sided p-value that there is none;
            NaN where there is none, and for everything else.
    """

    value: Floats
    reasons: Reasons
    standard_error: Floats
    degrees_of_freedom: Floats
    lower: Floats
    upper: Floats
    no_interval_reason: Reasons
    p_worse: Floats
    lowest: Floats
    highest: Floats
    p_value: Floats


def without_units(estimates: Estimates, exponent: Ints) -> Estimates:
    """Returns estimates as numbers, where float64 can hold them.

    Args:
        estimates: the estimates in units.
        exponent: int64 `[s]`, the exponents of the units.
    """
    value, error, lower, upper = (
        np.ldexp(column, exponent)
        for column in (
            estimates.value,
            estimates.standard_error,
            estimates.lower,
            estimates.upper,
        )
    )
    too_large = np.isinf(value)
    # Ends that are infinite without a unit are open.
    end_too_large = np.isinf(lower) & np.isfinite(estimates.lower)
    end_too_large |= np.isinf(upper) & np.isfinite(estimates.upper)
    no_interval = too_large | end_too_large
    reason = np.where(end_too_large, END_TOO_LARGE, estimates.no_interval_reason)
    no_error = too_large | np.isinf(error)
    return Estimates(
        np.where(too_large, np.nan, value),
        np.where(too_large, TOO_LARGE, estimates.reasons),
        np.where(no_error, np.nan, error),
        np.where(no_error, np.nan, estimates.degrees_of_freedom),
        np.where(no_interval, np.nan, lower),
        np.where(no_interval, np.nan, upper),
        np.where(too_large, TOO_LARGE, reason),
        np.where(too_large, np.nan, estimates.p_worse),
        estimates.lowest,
        estimates.highest,
        np.where(too_large, np.nan, estimates.p_value),
    )
