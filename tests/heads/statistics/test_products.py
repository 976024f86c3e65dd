"""Products of weights and values against fractions: rounded once, whatever their magnitude."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.statistics.exact import RADIX
from heads.statistics.products import exact_product, product, short_square
from heads.statistics.summands import Summand
from tests.heads.statistics.exactly import rounded, weighted
from tests.laws.batches import LARGEST, SMALLEST_NORMAL, finite, law

EXTREME = (5e-324, SMALLEST_NORMAL, 1e-300, 1e-160, 1.0, 2.0**495, 1e160, 1e300, LARGEST)
numbers = finite | st.sampled_from((*EXTREME, *(-value for value in EXTREME)))


def numbers_of(summand: Summand) -> list[Fraction]:
    raised = np.zeros(len(summand), int) if summand.raised is None else summand.raised
    pairs = zip(summand.values.tolist(), raised.tolist(), strict=True)
    return [Fraction(value) * Fraction(2) ** (RADIX * limbs) for value, limbs in pairs]


def limbs_of(summand: Summand) -> list[Fraction]:
    """Returns the numbers that the limbs of a summand make up."""
    out = [Fraction(0)] * len(summand)
    for part in summand.parts:
        rows = range(len(summand)) if part.rows is None else part.rows.tolist()
        for row, units in zip(rows, part.integers.tolist(), strict=True):
            out[row] += units * Fraction(2) ** (RADIX * part.limb - 26)
    return out


@settings(law, max_examples=200)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8))
def test_products_are_rounded_once(rows: list[tuple[float, float]]) -> None:
    weight, value = (np.array(column) for column in zip(*rows, strict=True))
    found = product(weight, value)
    expected = [weighted(*row) for row in rows]
    assert numbers_of(found) == limbs_of(found) == expected
    assert numbers_of(found[0:1]) == expected[:1]
    assert numbers_of(found.repeated(2)) == [number for number in expected for _ in range(2)]
    column = found.column()
    unit = Fraction(2) ** (RADIX * column.low - 26)
    for row, number in enumerate(expected):
        digits = column.limbs[row].tolist()
        assert sum(digit << (RADIX * j) for j, digit in enumerate(digits)) * unit == number


@settings(law, max_examples=100)
@given(st.lists(numbers, min_size=1, max_size=8))
def test_squares_have_24_digits(weights: list[float]) -> None:
    found = short_square(np.array(weights))
    for weight, square in zip(weights, numbers_of(found), strict=True):
        assert square == rounded(square, 24)
        exact = Fraction(weight) ** 2
        assert abs(square - exact) <= exact / 2**24
    assert limbs_of(found) == numbers_of(found)


@pytest.mark.parametrize("power", [-1074, -900, -510, -1, 1, 510, 1000])
def test_a_power_of_two_is_a_factor_of_products_and_squares(power: int) -> None:
    # With 24 bits, weights are exact even where they are subnormal.
    weight = np.random.default_rng(0).integers(1, 1 << 23, 50).astype(np.float64)
    value = np.array([1e-300, 0.0, 0.1, 1e300, 5e-324] * 10)
    factor = Fraction(2) ** power
    scaled = np.ldexp(weight, power)
    found = numbers_of(product(scaled, value))
    assert found == [factor * number for number in numbers_of(product(weight, value))]
    found = numbers_of(short_square(scaled))
    assert found == [factor**2 * number for number in numbers_of(short_square(weight))]


def test_infinite_values_and_weights() -> None:
    weight = np.array([1.0, 0.0, 1e308, -2.0, 0.0, math.inf, math.nan, 1e-200])
    value = np.array([math.inf, math.inf, 1e308, math.inf, math.nan, 2.0, 1.0, 1e-200])
    plain, skipped = product(weight, value), product(weight, value, skip_weightless=True)
    for found, weightless in ((plain, math.nan), (skipped, 0.0)):
        expected = [math.inf, weightless, -math.inf, weightless, math.inf, math.nan]
        got = found.values[[0, 1, 3, 4, 5, 6]].tolist()
        assert got == pytest.approx(expected, nan_ok=True)
        # Finite numbers are not touched by what is beside them.
        assert found.raised is not None
        assert found.raised.tolist() == [0, 0, found.raised[2], 0, 0, 0, 0, found.raised[7]]
        assert found.raised[2] > 0 > found.raised[7]
        assert numbers_of(found[2:3]) == [weighted(1e308, 1e308)]
        assert numbers_of(found[7:8]) == [weighted(1e-200, 1e-200)]


@settings(law, max_examples=100)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=8), st.integers(1, 3))
def test_exact_products_are_not_rounded(
    rows: list[tuple[float, float, float]], factors: int
) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)][:factors]
    found = exact_product(columns)
    expected = [math.prod(map(Fraction, row[:factors])) for row in rows]
    assert limbs_of(found) == expected
    assert limbs_of(found[0:1]) == expected[:1]
    assert limbs_of(found.repeated(2)) == [number for number in expected for _ in range(2)]
    # So many are added before they are carried.
    for limb in {part.limb for part in found.parts}:
        parts = [part for part in found.parts if part.limb == limb]
        assert sum(int(np.abs(part.integers).max()) for part in parts) <= 1 << (RADIX + 1)


def test_exact_products_of_infinities_and_of_nothing() -> None:
    infinite, number = np.array([0.0, 2.0, 0.0]), np.array([math.inf, math.nan, 3.0])
    assert np.isnan(exact_product([infinite, number]).values[:2]).all()
    assert exact_product([infinite, number]).specials is not None
    skipped = exact_product([infinite, number], skip_weightless=True).values
    assert skipped[0] == skipped[2] == 0
    assert math.isnan(skipped[1])
