"""Sums in limbs rounded once to the nearest float64."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Above this exponent limbs may overflow, and below its negative they may be subnormal.
_SAFE_EXPONENT = 960


def round_sums(limbs: Ints, radix: int, lowest: int) -> Floats:
    """The sums `[m]` of balanced digits, each rounded once.

    Args:
        limbs: int64 `[m, limbs]`, digits in `[-2**(radix - 1), 2**(radix - 1))`, lowest first.
        radix: bits of a limb.
        lowest: the power of two that one unit of the lowest limb stands for.
    """
    out = np.zeros(len(limbs))
    width = limbs.shape[1]
    if not width:
        return out
    if lowest + radix * (width - 1) > _SAFE_EXPONENT or lowest < -_SAFE_EXPONENT:
        return np.array([_round_one(row, radix, lowest) for row in limbs.tolist()])
    if width <= 2:
        # A balanced digit is an exact float, so the sum of two of them rounds once.
        for limb in range(width):
            out += np.ldexp(limbs[:, limb].astype(np.float64), lowest + radix * limb)
        return out
    # The first of a row's digits and the two below it hold all that rounding looks at, but for the
    # sign of what is left: a quarter of a unit stands for that.
    padded = np.pad(limbs, ((0, 0), (3, 0)))
    first = padded.shape[1] - 1 - (padded[:, ::-1] != 0).argmax(axis=1)
    rows = np.arange(len(limbs))
    high, middle, lower = (padded[rows, first - step].astype(np.float64) for step in range(3))
    lower += 0.25 * _sign_below(padded, first - 3)
    out = _add_three(high * 2.0 ** (2 * radix), middle * 2.0**radix, lower)
    exponent = lowest + radix * (first - 5)
    rounded: Floats = np.ldexp(out, exponent)
    return rounded


def _sign_below(limbs: Ints, last: npt.NDArray[np.intp]) -> Floats:
    """The sign of what the digits up to a last one make up `[m]`: that of the highest of them."""
    own = np.where(np.arange(limbs.shape[1]) <= last[:, np.newaxis], limbs, 0)[:, ::-1]
    highest = (own != 0).argmax(axis=1)
    signs: Floats = np.sign(own[np.arange(len(limbs)), highest]).astype(np.float64)
    return signs


def _add_three(high: Floats, middle: Floats, low: Floats) -> Floats:
    """The sum of three floats rounded once.

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
    """The rounded sum, and what rounding left out; D. Knuth, TAOCP 2, 4.2.2."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _round_one(digits: list[int], radix: int, exponent: int) -> float:
    total = 0
    for j, digit in enumerate(digits):
        total += digit << (radix * j)
    try:
        # Division of integers rounds correctly, into the subnormal range too.
        return total / (1 << -exponent) if exponent < 0 else float(total << exponent)
    except OverflowError:
        return math.inf if total > 0 else -math.inf
