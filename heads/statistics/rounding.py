"""Rounding of sums in limbs, once, to the nearest float64."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Above this exponent limbs may overflow, and below its negative they may be subnormal.
_SAFE_EXPONENT = 960


def round_sums(limbs: Ints, radix: int, lowest: int) -> Floats:
    """Returns sums `[m]` of balanced digits, each sum rounded once.

    Args:
        limbs: int64 `[m, limbs]`, digits in `[-2**(radix - 1), 2**(radix - 1))`, lowest first.
        radix: the number of bits of a limb.
        lowest: the exponent `e` of the lowest limb, which counts units of `2**e`.
    """
    out = np.zeros(len(limbs))
    width = limbs.shape[1]
    if not width:
        return out
    if lowest + radix * (width - 1) > _SAFE_EXPONENT or lowest < -_SAFE_EXPONENT:
        return np.array([_round_row(row, radix, lowest) for row in limbs.tolist()])
    if width <= 2:
        # A balanced digit is an exact float, so the sum of two of them rounds once.
        for limb in range(width):
            out += np.ldexp(limbs[:, limb].astype(np.float64), lowest + radix * limb)
        return out
    rounded: Floats = np.ldexp(*round_wide(limbs, radix, lowest))
    return rounded


def round_wide(limbs: Ints, radix: int, lowest: int) -> tuple[Floats, Ints]:
    """Returns sums `[m]` of balanced digits, each rounded to 53 bits whatever its magnitude.

    Args:
        limbs: int64 `[m, limbs]`, as for `round_sums`.
        radix: the number of bits of a limb.
        lowest: the exponent of the lowest limb.

    Returns:
        Factors and exponents, both `[m]`: the sums are `factor * 2**exponent`, which may be beyond
        the range of float64.
    """
    # Rounding depends on the highest digit of a row, the two digits below it, and the sign of the
    # rest, for which a quarter of a unit is added.
    padded = np.zeros((len(limbs), limbs.shape[1] + 3), np.int64)
    padded[:, 3:] = limbs
    first = padded.shape[1] - 1 - (padded[:, ::-1] != 0).argmax(axis=1)
    rows = np.arange(len(limbs))
    high, middle, lower = (padded[rows, first - step].astype(np.float64) for step in range(3))
    lower += 0.25 * _sign_below(padded, first - 3)
    factor = _add_three(high * 2.0 ** (2 * radix), middle * 2.0**radix, lower)
    return factor, lowest + radix * (first - 5)


def _sign_below(limbs: Ints, last: npt.NDArray[np.intp]) -> Floats:
    """Returns the sign `[m]` of the sum of the limbs up to `last`, that of its highest digit."""
    digits_below = np.where(np.arange(limbs.shape[1]) <= last[:, np.newaxis], limbs, 0)[:, ::-1]
    highest = (digits_below != 0).argmax(axis=1)
    signs: Floats = np.sign(digits_below[np.arange(len(limbs)), highest]).astype(np.float64)
    return signs


def _add_three(high: Floats, middle: Floats, low: Floats) -> Floats:
    """Returns the sum of three floats, rounded once.

    S. Boldo and G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms
    using rounding to odd", 2008, algorithm 5.
    """
    upper, upper_rest = _two_sum(middle, low)
    total, total_rest = _two_sum(high, upper)
    rest, error = _two_sum(total_rest, upper_rest)
    # Rounded to odd: an inexact sum never looks like a tie.
    even = (rest.view(np.int64) & 1) == 0
    toward = np.where(error > 0, np.inf, -np.inf)
    rest = np.where((error != 0) & even, np.nextafter(rest, toward), rest)
    return total + rest


def _two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Returns the rounded sum and the rounding error; D. Knuth, TAOCP 2, 4.2.2."""
    total = a + b
    rounded_b = total - a
    return total, (a - (total - rounded_b)) + (b - rounded_b)


def _round_row(digits: list[int], radix: int, exponent: int) -> float:
    """Returns the sum of the digits of a row, rounded once; infinite beyond the largest float."""
    total = 0
    for j, digit in enumerate(digits):
        total += digit << (radix * j)
    try:
        # Division of integers rounds correctly, into the subnormal range too.
        return total / (1 << -exponent) if exponent < 0 else float(total << exponent)
    except OverflowError:
        return math.inf if total > 0 else -math.inf
