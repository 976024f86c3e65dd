"""Computes standard errors from balanced half-samples of the folds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.confidence.jackknife import FEW_FOLDS, LEAST_FOLDS, FoldErrors

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

UNDEFINED_IN_HALVES = "undefined in more than a fifth of the halves of the folds"
HALVES_AGREE = "the same in every half of the folds"
LEAST_DEFINED = 0.8
"""The least share of half-samples in which a metric must be defined."""
BIAS_FACTOR = 1 / (2 ** (2 / 3) - 1)
"""A maximum over thresholds is too high by about c n^(-2/3): in halves 2^(2/3) times as much."""

# Replicates count as equal if they differ by at most so many roundings of the largest.
_ROUNDINGS = 8


@lru_cache(maxsize=16)
def half_samples(folds: int) -> Mask:
    """Returns which folds each of some balanced half-samples has, bool `[r, folds]`.

    They are the rows of a Hadamard matrix but its first, which is made +1, and as many of its
    columns as there are folds: so any two folds are together in as many half-samples as they are
    apart (P. J. McCarthy, "Pseudo-replication: half samples", 1969; R. L. Plackett and J. P.
    Burman, "The design of optimum multifactorial experiments", 1946).

    Args:
        folds: the number of folds, at least 1.
    """
    matrix = _hadamard(folds)
    signs = matrix * matrix[0]
    chosen: Mask = signs[1:, :folds] > 0
    chosen.setflags(write=False)
    return chosen


def _hadamard(least: int) -> Integers:
    """Returns the smallest Hadamard matrix of at least some order that this construction has.

    It is one of Paley's of order q + 1, for a prime q with remainder 3 by 4, or doubles one
    (R. E. A. C. Paley, "On orthogonal matrices", 1933; Sylvester 1867).
    """
    order = 4 * -(-max(least, 4) // 4)
    while True:
        doublings = 0
        while True:
            base = order >> doublings
            if base == 2 or (base % 4 == 0 and _is_prime(base - 1)):
                matrix = np.array([[1, 1], [1, -1]]) if base == 2 else _paley(base - 1)
                for _ in range(doublings):
                    matrix = np.block([[matrix, matrix], [matrix, -matrix]])
                return matrix
            if base % 2:
                break
            doublings += 1
        order += 4


def _paley(prime: int) -> Integers:
    """Returns the Hadamard matrix of order `prime` + 1."""
    squares = {i * i % prime for i in range(1, prime)}
    symbol = np.array([0, *(1 if i in squares else -1 for i in range(1, prime))])
    matrix = np.ones((prime + 1, prime + 1), np.int64)
    matrix[1:, 0] = -1
    index = np.arange(prime)
    matrix[1:, 1:] = symbol[(index[np.newaxis] - index[:, np.newaxis]) % prime] + np.eye(
        prime, dtype=np.int64
    )
    return matrix


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % i for i in range(2, int(number**0.5) + 1))


def half_sample_errors(
    whole: Floats, halves: Floats, defined: Mask, folds: Integers, size: Floats, *, both: bool
) -> FoldErrors:
    """Returns standard errors from the values in balanced half-samples.

    A half-sample counts every second fold twice and the others not. With t(r) the value in
    half-sample r of the M - 1 of a Hadamard matrix of order M, t that of all folds and K the number
    of folds, SE^2 = K / (K - 1) / M * sum over r of (t(r) - t)^2. Unlike the jackknife this is
    consistent for quantiles (J. Shao and C. F. J. Wu, "Asymptotic properties of the balanced
    repeated replication method for sample quantiles", 1992). If both halves of each are there, the
    sum is halved. Where a half-sample is undefined, the sum of the others is raised in proportion.
    There is no error if fewer than `LEAST_FOLDS` folds have data, if fewer than `LEAST_DEFINED` of
    the half-samples are defined, or if all are equal up to rounding.

    Args:
        whole: float64 `[s]`, the values over all folds.
        halves: float64 `[s, r]`, the values in the half-samples: of `half_samples`, or of these and
            then of their other halves.
        defined: bool `[s, r]`, where they are defined.
        folds: int64 `[s]`, the number of folds with data.
        size: float64 `[s]`, the size of the numbers that were rounded.
        both: whether both halves of each are there.
    """
    usable = defined & np.isfinite(halves) & np.isfinite(whole)[:, np.newaxis]
    few = folds < LEAST_FOLDS
    number = halves.shape[1]
    count = usable.sum(axis=1)
    undefined = ~few & (count < LEAST_DEFINED * number)
    with np.errstate(invalid="ignore"):
        deviation = np.where(usable, halves - whole[:, np.newaxis], 0.0)
    largest = np.abs(deviation).max(axis=1, initial=0.0)
    agree = (largest <= _ROUNDINGS * np.finfo(np.float64).eps * size) & ~few & ~undefined
    # Dividing by a power of two is exact; the squares can then neither overflow nor vanish.
    scale = np.frexp(largest)[1]
    scaled = np.ascontiguousarray(np.ldexp(deviation, -scale[:, np.newaxis]))
    # One replicate for each row of the matrix but the first.
    replicates = number // 2 if both else number
    squares = (scaled**2).sum(axis=1) / np.maximum(count, 1) * (replicates / (replicates + 1))
    squares = squares * folds / np.maximum(folds - 1, 1)
    error = np.ldexp(np.sqrt(squares), scale)
    error[few | undefined | agree] = np.nan
    reasons = {FEW_FOLDS: few, UNDEFINED_IN_HALVES: undefined, HALVES_AGREE: agree}
    return FoldErrors(error, reasons)
