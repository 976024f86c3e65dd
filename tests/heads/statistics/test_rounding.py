"""Tests of the rounding of limbs to a float against fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from heads.statistics.exact import ORIGIN, RADIX, ExactColumn, Ints
from tests.heads.statistics import exactly
from tests.heads.statistics.exactly import nearest_double

HALF = 1 << (RADIX - 1)
EXTREME = np.array([0, 0, 0, 1, -1, 2, HALF - 1, -HALF, -HALF + 1, HALF >> 1, 1 << 17, -(1 << 17)])


def value_of(low: int, digits: list[int]) -> Fraction:
    whole = sum(digit << (RADIX * j) for j, digit in enumerate(digits))
    return whole * Fraction(2) ** (RADIX * low + ORIGIN)


def assert_rounded(low: int, limbs: Ints) -> None:
    """Checks that each row is rounded to the nearest float64."""
    specials = np.zeros((len(limbs), 0), np.int64)
    column = ExactColumn(low, limbs, specials)
    rounded = column.to_float()
    for digits, value in zip(limbs.tolist(), rounded.tolist(), strict=True):
        assert value == nearest_double(value_of(low, digits)), (low, digits)
    for digits, factor, exponent in zip(
        limbs.tolist(), *map(np.ndarray.tolist, column.to_wide()), strict=True
    ):
        assert Fraction(factor) * Fraction(2) ** exponent == exactly.rounded(value_of(low, digits))
    # A row is rounded alone as it is together with others.
    for row in range(0, len(limbs), 97):
        alone = ExactColumn(low, limbs[row : row + 1], specials[:1]).to_float()
        assert alone[0] == rounded[row]


def balanced(numbers: list[int]) -> Ints:
    """Returns whole numbers as balanced digits, lowest first."""
    rows = []
    for number in numbers:
        digits = []
        while number:
            digit = (number + HALF) % (2 * HALF) - HALF
            digits.append(digit)
            number = (number - digit) >> RADIX
        rows.append(digits)
    width = max(map(len, rows))
    return np.array([digits + [0] * (width - len(digits)) for digits in rows], np.int64)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 12])
@pytest.mark.parametrize("low", [-20, -3, 0, 14])
def test_any_digits(low: int, width: int) -> None:
    rng = np.random.default_rng(width)
    limbs = rng.integers(-HALF, HALF, (400, width))
    limbs[100:] = rng.choice(EXTREME, (300, width))
    # Rows whose highest digit is lower than that of other rows.
    limbs[::3, width // 2 + 1 :] = 0
    assert_rounded(low, limbs)


@pytest.mark.parametrize("low", [-24, 0, 10])
def test_half_way_cases(low: int) -> None:
    rng = np.random.default_rng(1)
    numbers = []
    for _ in range(1500):
        mantissa = int(rng.integers(1 << 52, 1 << 53))
        if rng.random() < 0.2:
            # Near a power of two, where the step of floats changes.
            mantissa = int(rng.choice([1 << 52, (1 << 53) - 1, (1 << 52) + 1]))
        up = int(rng.integers(1, 280))
        middle = (2 * mantissa + 1) << (up - 1)
        rest = int(rng.choice([0, 1, -1])) << int(rng.integers(0, up))
        numbers.append((middle + rest) * int(rng.choice([1, -1])))
    # In units of the lowest limb, so the digit that decides is up to eight limbs below.
    assert_rounded(low, balanced(numbers))


@pytest.mark.parametrize("below", [1, 2, 3, 6])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_what_is_far_below_decides(below: int, sign: int) -> None:
    # 2**53 + 1 lies half way; zeros separate it from the digit that decides.
    low, high = (2**53 + 1) % (2 * HALF), (2**53 + 1) >> RADIX
    rows = []
    for rest in (0, 1, -1, HALF - 1, -HALF):
        for lowest in (0, 1, -1):
            rows.append([lowest, *[0] * (below - 1), rest, 0, low, high])
    assert_rounded(-4, sign * np.array(rows, np.int64))


@pytest.mark.parametrize("low", [-30, -29, -28, -27, -26, -25, 15, 20, 24, 27, 28])
def test_the_ends_of_the_range(low: int) -> None:
    rng = np.random.default_rng(low + 30)
    limbs = rng.choice(EXTREME, (300, 3))
    limbs[:100] = rng.integers(-HALF, HALF, (100, 3))
    limbs[::2, 1:] = 0
    assert_rounded(low, limbs)


def test_subnormal_results_are_rounded_once_too() -> None:
    # Digits below 2**-1074, which no sum of floats has, but which a limb can hold.
    lowest = 30 * RADIX - ORIGIN - 1074
    unit = 1 << lowest
    numbers = [
        k * unit + rest
        for k in (1, 2, 3, 2**30, 2**31 + 1, 2**52)
        for rest in (unit // 2, unit // 2 + 1, unit // 2 - 1, -1)
    ]
    assert_rounded(-30, balanced(numbers + [-number for number in numbers]))


@pytest.mark.parametrize("low", [-59, -45, 31, 44, 56])
def test_sums_beyond_the_range_of_floats(low: int) -> None:
    rng = np.random.default_rng(low + 59)
    limbs = rng.choice(EXTREME, (300, 3))
    limbs[:100] = rng.integers(-HALF, HALF, (100, 3))
    assert_rounded(low, limbs)
    specials = np.eye(3, dtype=np.int64)
    factor, _ = ExactColumn(low, limbs[:3], specials).to_wide()
    assert factor.tolist() == pytest.approx([math.nan, math.inf, -math.inf], nan_ok=True)


def test_past_the_largest_float() -> None:
    largest = int(np.finfo(np.float64).max)
    exponent = RADIX * 15 + ORIGIN
    half = 2**970
    numbers = [largest, largest + half, largest + half - 2**exponent, 2 * largest]
    limbs = balanced([number >> exponent for number in numbers])
    rounded = ExactColumn(15, limbs, np.zeros((4, 0), np.int64)).to_float()
    assert rounded.tolist() == [largest, math.inf, largest, math.inf]
