"""Exact arithmetic of floats with whole numbers: the oracle of the tests in this folder."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise

import numpy as np


def nearest_double(value: Fraction) -> float:
    """Returns the nearest float64, half to even; infinity beyond the largest float."""
    return _nearest(value, 53, -1074, Fraction(2) ** 1024)


def nearest_single(value: Fraction) -> float:
    """Returns the nearest float32, half to even; infinity beyond the largest float."""
    return _nearest(value, 24, -149, Fraction(2) ** 128)


def _nearest(value: Fraction, digits: int, lowest: int, end: Fraction) -> float:
    if value == 0:
        return 0.0
    exponent = _floor_log2(abs(value))
    unit = Fraction(2) ** max(exponent - digits + 1, lowest)
    rounded = round(value / unit) * unit
    if abs(rounded) >= end:
        return math.inf if rounded > 0 else -math.inf
    return float(rounded)


def rounded(value: Fraction, digits: int = 53) -> Fraction:
    """Returns the nearest number of so many binary digits, half to even, whatever its magnitude."""
    if value == 0:
        return value
    unit = Fraction(2) ** (_floor_log2(abs(value)) - digits + 1)
    return round(value / unit) * unit


def weighted(weight: float, value: float) -> Fraction:
    """Returns the product of two finite floats, rounded as sums take it."""
    return rounded(Fraction(weight) * Fraction(value))


def _floor_log2(value: Fraction) -> int:
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if Fraction(2) ** guess <= value else guess - 1


def ieee_sum(values: Iterable[float]) -> float:
    """Returns the sum, rounded once; NaN and infinities follow IEEE addition."""
    values = list(values)
    special = [value for value in values if not math.isfinite(value)]
    if special:
        return float(sum(special))
    return nearest_double(sum(map(Fraction, values), Fraction(0)))


@cache
def sigmoid(score: float) -> Fraction:
    """Returns `1 / (1 + exp(-score))`, to at least 40 digits of its distance from 1/2."""
    tiny = -math.frexp(score)[1] if score else 0
    context = Context(prec=60 + max(0, tiny))
    exp = context.exp(context.minus(Decimal(score)))
    return Fraction(context.divide(Decimal(1), context.add(Decimal(1), exp)))


def single_sigmoid(score: float) -> float:
    """Returns the correctly rounded float32 probability of a score rounded to float32."""
    return nearest_single(sigmoid(nearest_single(Fraction(score))))


def around(value: float, steps: int) -> list[float]:
    """Returns a value and its float64 neighbours."""
    up, down = [value], [value]
    for _ in range(steps):
        up.append(math.nextafter(up[-1], math.inf))
        down.append(math.nextafter(down[-1], -math.inf))
    return down[:0:-1] + up


def around_single(value: float, steps: int) -> list[float]:
    """Returns the float32 neighbours of a value, their midpoints, and floats next to those."""
    single = np.float32(value)
    singles = [single]
    for _ in range(steps):
        singles.append(np.nextafter(singles[-1], np.float32(np.inf)))
        singles.insert(0, np.nextafter(singles[0], np.float32(-np.inf)))
    middles = [(float(a) + float(b)) / 2 for a, b in pairwise(singles)]
    return [*map(float, singles), *(m for middle in middles for m in around(middle, 1))]
