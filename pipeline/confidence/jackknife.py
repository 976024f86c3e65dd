"""Computes standard errors by the jackknife that deletes one fold at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

LEAST_FOLDS = 10
"""The least number of folds with data for which there is a standard error."""

FEW_FOLDS = f"data in fewer than {LEAST_FOLDS} folds"
UNDEFINED = "undefined without one of the folds"
AGREE = "the same without any one of the folds"
TOO_LARGE = "the standard error is too large for float64"

# Replicates count as equal if they differ by at most so many roundings of the largest.
_ROUNDINGS = 8


@dataclass(frozen=True, eq=False)
class FoldErrors:
    """The standard errors of a metric in all segments.

    Attributes:
        standard_error: float64 `[s]`, in the unit of the metric; NaN where there is none.
        reasons: for every reason why there is no standard error the segments where it applies, bool
            `[s]`. A segment has at most one reason.
    """

    standard_error: Floats
    reasons: Mapping[str, Mask]

    def reason(self, segment: int) -> str | None:
        """Returns why a segment has no standard error; None if it has a standard error."""
        for text, mask in self.reasons.items():
            if mask[segment]:
                return text
        return None


def jackknife(replicates: Floats, present: Mask, defined: Mask) -> FoldErrors:
    """Returns the standard error of a metric, by the jackknife that deletes one fold at a time.

    With t(-f) the metric without fold f, and K folds that have data,
    SE^2 = (K - 1) / K * sum over f of (t(-f) - mean of t)^2 (Efron and Tibshirani, "An Introduction
    to the Bootstrap", 1993, eq. 11.5). There is no standard error if fewer than `LEAST_FOLDS` folds
    have data, if a replicate is undefined or not finite, if all replicates are equal up to
    rounding, because the sample then says nothing about how the metric varies, or if float64 cannot
    hold the error.

    Args:
        replicates: float64 `[s, f]`, the metric over all folds but fold f.
        present: bool `[s, f]`, which folds have data; other replicates are ignored.
        defined: bool `[s, f]`, where the replicates are defined.

    The mean of ten numbers, one in each fold, has the textbook error:

    >>> x = np.arange(10.0)
    >>> all_folds = np.ones((1, 10), bool)
    >>> errors = jackknife((x.sum() - x[None]) / 9, all_folds, all_folds)
    >>> errors.standard_error.round(8)
    array([0.95742711])
    >>> float((x.std(ddof=1) / 10**0.5).round(8))
    0.95742711
    """
    return _jackknife_errors(replicates, np.abs(replicates), present, defined)


def paired_jackknife(
    candidate: Floats, baseline: Floats, present: Mask, defined: Mask
) -> FoldErrors:
    """Returns the standard error of candidate minus baseline, whose folds have the same rows.

    This is what `jackknife` gives for the differences of the replicates. Differences count as equal
    up to the rounding of the numbers that are subtracted, so that two equal models have no standard
    error instead of one of rounding noise.

    Args:
        candidate: float64 `[s, f]`, the metric of the candidate over all folds but fold f.
        baseline: float64 `[s, f]`, the metric of the baseline over all folds but fold f.
        present: bool `[s, f]`, which folds have data.
        defined: bool `[s, f]`, where both replicates are defined.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        difference = candidate - baseline
    size = np.maximum(np.abs(candidate), np.abs(baseline))
    return _jackknife_errors(difference, size, present, defined)


def _jackknife_errors(replicates: Floats, size: Floats, present: Mask, defined: Mask) -> FoldErrors:
    """Returns the standard errors; `size` `[s, f]` is the size of the numbers that were rounded."""
    usable = present & defined & np.isfinite(replicates)
    folds = present.sum(axis=1)
    few = folds < LEAST_FOLDS
    undefined = (present & ~usable).any(axis=1) & ~few
    # Dividing by a power of two is exact; the squares can then neither overflow nor vanish.
    largest = np.where(usable, size, 0.0).max(axis=1)
    scale = np.frexp(largest)[1][:, None]
    scaled = np.ldexp(np.where(usable, replicates, 0.0), -scale)
    # The first usable replicate is subtracted, so that equal replicates have exactly their mean.
    first = np.take_along_axis(scaled, usable.argmax(axis=1)[:, None], axis=1)
    shifted = np.where(usable, scaled - first, 0.0)
    spread = np.abs(shifted).max(axis=1)
    rounding = _ROUNDINGS * np.finfo(np.float64).eps * np.ldexp(largest, -scale[:, 0])
    agree = (spread <= rounding) & ~few & ~undefined
    # Sums run along rows of a C-contiguous array: the digits do not depend on other segments.
    count = np.maximum(folds, 1)
    mean = _row_sums(shifted) / count
    squares = _row_sums(np.where(usable, shifted - mean[:, None], 0.0) ** 2)
    with np.errstate(over="ignore"):
        error = np.ldexp(np.sqrt((count - 1) / count * squares), scale[:, 0])
    error[few | undefined | agree] = np.nan
    too_large = np.isinf(error)
    error[too_large] = np.nan
    reasons = {FEW_FOLDS: few, UNDEFINED: undefined, AGREE: agree, TOO_LARGE: too_large}
    return FoldErrors(error, reasons)


def _row_sums(values: Floats) -> Floats:
    """Returns the sums over the last axis, each over contiguous memory."""
    sums: Floats = np.ascontiguousarray(values).sum(axis=1)
    return sums
