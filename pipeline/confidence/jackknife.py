"""Standard errors by the delete-one-fold jackknife."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LEAST_FOLDS = 10
"""Folds with data that a standard error needs."""

FEW_FOLDS = f"data in fewer than {LEAST_FOLDS} folds"
UNDEFINED = "undefined without one of the folds"
AGREE = "the same without any one of the folds"

# Replicates that differ by no more than so many roundings of the largest are the same.
_ROUNDINGS = 8


@dataclass(frozen=True, eq=False)
class JackknifeErrors:
    """A standard error in every segment.

    Attributes:
        standard_error: float64 `[s]`, in the unit of the metric; NaN where there is none.
        degrees: int64 `[s]`, degrees of freedom: folds with data less one, at least 0.
        reasons: why there is none, by text, and in which segments: bool `[s]`. A segment has at
            most one reason.
    """

    standard_error: Floats
    degrees: Integers
    reasons: Mapping[str, Mask]

    def reason(self, segment: int) -> str | None:
        """Why there is no standard error in a segment; None where there is one."""
        for text, where in self.reasons.items():
            if where[segment]:
                return text
        return None


def jackknife(replicates: Floats, present: Mask, defined: Mask) -> JackknifeErrors:
    """The standard error of a metric by the delete-one-fold jackknife, on the metric's own scale.

    With t(-f) the metric without fold f, and K folds that have data,
    SE^2 = (K - 1) / K * sum over f of (t(-f) - mean of t)^2, with K - 1 degrees of freedom
    (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, eq. 11.5). There is none with
    data in fewer than `LEAST_FOLDS` folds, where a replicate is undefined or not finite, and where
    all are the same up to rounding: the sample then says nothing about how the metric varies.

    Args:
        replicates: float64 `[s, f]`, the metric without each fold.
        present: bool `[s, f]`, which folds have data; the replicates of others are not looked at.
        defined: bool `[s, f]`, where the replicates are defined.

    The mean of ten numbers, one a fold, has the textbook error:

    >>> x = np.arange(10.0)
    >>> every = np.ones((1, 10), bool)
    >>> errors = jackknife((x.sum() - x[None]) / 9, every, every)
    >>> errors.standard_error.round(8), errors.degrees
    (array([0.95742711]), array([9]))
    >>> float((x.std(ddof=1) / 10**0.5).round(8))
    0.95742711
    """
    return _errors(replicates, np.abs(replicates), present, defined)


def paired_jackknife(
    candidate: Floats, baseline: Floats, present: Mask, defined: Mask
) -> JackknifeErrors:
    """The standard error of candidate minus baseline over the same folds.

    It is that of `jackknife` for the differences of the replicates, which are the same if they are
    up to the rounding of what is subtracted: two equal models differ by nothing, not by noise.

    Args:
        candidate: float64 `[s, f]`, the metric of the candidate without each fold.
        baseline: float64 `[s, f]`, that of the baseline.
        present: bool `[s, f]`, which folds have data.
        defined: bool `[s, f]`, where both replicates are defined.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        difference = candidate - baseline
    return _errors(difference, np.maximum(np.abs(candidate), np.abs(baseline)), present, defined)


def _errors(replicates: Floats, size: Floats, present: Mask, defined: Mask) -> JackknifeErrors:
    usable = present & defined & np.isfinite(replicates)
    folds = present.sum(axis=1)
    few = folds < LEAST_FOLDS
    undefined = (present & ~usable).any(axis=1) & ~few
    # By a power of two, which is exact, for squares that neither overflow nor vanish.
    largest = np.where(usable, size, 0.0).max(axis=1)
    scale = np.frexp(largest)[1][:, None]
    scaled = np.ldexp(np.where(usable, replicates, 0.0), -scale)
    # From the first of them, so that equal replicates have a mean that is exactly theirs.
    first = np.take_along_axis(scaled, usable.argmax(axis=1)[:, None], axis=1)
    shifted = np.where(usable, scaled - first, 0.0)
    spread = np.abs(shifted).max(axis=1)
    rounding = _ROUNDINGS * np.finfo(np.float64).eps * np.ldexp(largest, -scale[:, 0])
    agree = (spread <= rounding) & ~few & ~undefined
    # Each sum runs along a row of a C-contiguous array: its digits do not depend on the others.
    count = np.maximum(folds, 1)
    mean = _row_sums(shifted) / count
    squares = _row_sums(np.where(usable, shifted - mean[:, None], 0.0) ** 2)
    error = np.ldexp(np.sqrt((count - 1) / count * squares), scale[:, 0])
    error[few | undefined | agree] = np.nan
    reasons = {FEW_FOLDS: few, UNDEFINED: undefined, AGREE: agree}
    return JackknifeErrors(error, np.maximum(folds - 1, 0), reasons)


def _row_sums(values: Floats) -> Floats:
    sums: Floats = np.ascontiguousarray(values).sum(axis=1)
    return sums
