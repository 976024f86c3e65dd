"""Tests of exact sums against whole numbers and `math.fsum`."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.statistics import OVERALL, ConfusionMatrix, RowSums, Scored, Segments, State
from heads.statistics.exact import ExactColumn
from heads.statistics.measure import measure_state
from tests.heads.statistics.exactly import ieee_sum, nearest_double
from tests.laws.batches import LARGEST, SMALLEST_NORMAL, finite, finite_pools, law, value_pools

Floats = npt.NDArray[np.float64]

TINY = 5e-324
# Half of the last place of the largest float.
HALF_STEP = 2.0**970


def summed(values: list[float], segments: list[int] | None = None) -> State:
    """Returns the state of values as losses, in the overall segment or in numbered segments."""
    n = len(values)
    column = np.zeros((n, 1))
    scored = Scored(column, column, column, np.array(values, np.float64))
    if segments is None:
        return measure_state(RowSums(values=("loss",)), scored, Segments.overall(n))
    keys = [(("segment", "int", i),) for i in range(max(segments, default=-1) + 1)]
    return measure_state(
        RowSums(values=("loss",)), scored, Segments(np.array(segments, np.int64), keys)
    )


def total(values: list[float]) -> float:
    return float(summed(values)["loss"][0])


def assert_bits(actual: float, expected: float) -> None:
    """Checks that two floats are equal; NaN equals NaN."""
    if math.isnan(expected):
        assert math.isnan(actual)
    else:
        assert actual == expected


@settings(law, max_examples=100)
@given(values=st.lists(finite, min_size=1, max_size=30))
def test_sums_are_rounded_once(values: list[float]) -> None:
    expected = ieee_sum(values)
    assert_bits(total(values), expected)
    assert_bits(total(values[::-1]), expected)
    try:
        assert_bits(math.fsum(values), expected)
    except OverflowError:
        # fsum fails if a partial sum is beyond the largest float, even if the whole sum is not.
        assert max(map(abs, values)) > 1e300


@settings(law, max_examples=100)
@given(pool=value_pools, seed=st.integers(0, 2**32 - 1), n=st.integers(1, 300))
def test_every_segment_has_an_exact_sum(pool: list[float], seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values, segments = rng.choice(np.array(pool), n), rng.integers(0, 12, n)
    state = summed(values.tolist(), segments.tolist())
    sums = {key[0][2]: value for key, value in zip(state.keys, state["loss"], strict=True)}
    assert set(sums) == set(segments.tolist())
    for segment, value in sums.items():
        assert_bits(float(value), ieee_sum(values[segments == segment].tolist()))


@settings(law, max_examples=100)
@given(
    value=finite.filter(lambda x: 1e-290 < abs(x) < 1e290),
    rest=st.sampled_from((0.0, TINY, -TINY, 1e-300, -1e-300)),
    odd=st.booleans(),
)
def test_half_way_cases_round_to_even_unless_the_rest_decides(
    value: float, rest: float, odd: bool
) -> None:
    if (math.frexp(value)[0] * 2**53 % 2 == 1) != odd:
        value = math.nextafter(value, math.inf)
    half = math.ulp(value) / 2
    assert_bits(total([value, half, rest]), ieee_sum([value, half, rest]))
    assert_bits(total([rest, value, -half]), ieee_sum([value, -half, rest]))


@pytest.mark.parametrize(
    "values",
    [
        [TINY],
        [TINY, TINY, -TINY],
        [TINY] * 1000,
        [SMALLEST_NORMAL, -TINY],
        [SMALLEST_NORMAL, SMALLEST_NORMAL, -TINY],
        [1.0, TINY, -1.0],
        [1e300, TINY, TINY, TINY, -1e300],
        [2e12, 1e-12, -2e12],
        [1.0, 2.0**-53, TINY],
        [1.0, 2.0**-53, -TINY],
        [1.0, 2.0**-53],
        [1.0 + 2.0**-52, 2.0**-53],
        [2.0**-1022, 2.0**-1074, 2.0**-1074],
        [-(2.0**-1060), 2.0**-1074],
        [0.1] * 10,
        [-0.0, -0.0],
    ],
)
def test_sums_at_the_ends_of_the_range(values: list[float]) -> None:
    assert_bits(total(values), ieee_sum(values))
    assert_bits(total(values), math.fsum(values))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([LARGEST], LARGEST),
        ([LARGEST, LARGEST], math.inf),
        ([LARGEST, LARGEST, -LARGEST], LARGEST),
        ([LARGEST, LARGEST, -LARGEST, -LARGEST], 0.0),
        ([LARGEST, LARGEST, -LARGEST, -LARGEST, TINY], TINY),
        ([LARGEST, HALF_STEP], math.inf),
        ([LARGEST, math.nextafter(HALF_STEP, 0.0)], LARGEST),
        ([LARGEST, HALF_STEP, -TINY], LARGEST),
        ([LARGEST, HALF_STEP, TINY], math.inf),
        ([LARGEST, LARGEST, 1.0], math.inf),
        ([LARGEST] * 1000 + [1e-300], math.inf),
    ],
)
def test_overflow_gives_infinity_only_where_the_whole_sum_is_past_the_largest_float(
    values: list[float], expected: float, sign: float
) -> None:
    assert ieee_sum(values) == expected
    assert_bits(total([sign * value for value in values]), sign * expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([math.inf, 1.0, -LARGEST], math.inf),
        ([-math.inf, 1.0, LARGEST, LARGEST], -math.inf),
        ([math.inf, math.inf], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
        ([math.nan, math.inf], math.nan),
    ],
)
def test_nan_and_infinities_give_the_ieee_result(values: list[float], expected: float) -> None:
    assert_bits(total(values), expected)
    assert_bits(total(values[::-1]), expected)


def test_specials_stay_in_their_segment() -> None:
    values = [1.0, math.nan, 2.0, math.inf, 0.5, -math.inf]
    state = summed(values, [0, 1, 0, 2, 3, 4])
    assert state["loss"][[0, 3]].tolist() == [3.0, 0.5]
    assert math.isnan(state["loss"][1])
    assert state["loss"][[2, 4]].tolist() == [math.inf, -math.inf]
    assert state.take([0, 3]).sums["loss"].specials.shape == (2, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_rows(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(0)
    # More rows than a batch may hold.
    n = 300_000
    values = (rng.lognormal(0, 8, n) * rng.choice([-1, 1], n)).astype(dtype).astype(np.float64)
    assert total(values.tolist()) == math.fsum(values)


@law
@given(pool=finite_pools, seed=st.integers(0, 2**32 - 1))
def test_taking_rows_of_a_column_keeps_its_values_and_drops_limbs(
    pool: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([*pool, 1e-300, 1e300]), 8)
    column = summed(values.tolist(), list(range(8))).sums["loss"]
    rows = rng.integers(0, 8, 5)
    taken = column.take(rows)
    assert taken.to_float().tolist() == [values[row] for row in rows]
    alone = summed(values[rows].tolist(), list(range(5))).sums["loss"]
    assert (taken.low, taken.limbs.tolist()) == (alone.low, alone.limbs.tolist())


@pytest.mark.parametrize("digit", [2**35, -(2**35) - 1, 2**62, -(2**62), 0, 1])
def test_carrying_keeps_the_value(digit: int) -> None:
    low, empty = -3, np.zeros((2, 0), np.int64)
    column = ExactColumn.carried(low, np.array([[digit, -digit], [0, 0]], np.int64), empty)
    unit = Fraction(2) ** (36 * low - 26)
    value = Fraction(digit) * unit - Fraction(digit) * unit * 2**36
    assert column.to_float().tolist() == [nearest_double(value), 0.0]
    assert np.all((column.limbs >= -(2**35)) & (column.limbs < 2**35))


@law
@given(pool=value_pools, seed=st.integers(0, 2**32 - 1))
def test_the_sum_over_all_cells_of_a_segment_is_rounded_once(pool: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    loss, segment, predicted = rng.choice(np.array(pool), n), *rng.integers(0, 3, (2, n))
    zero, label = np.zeros((n, 3)), rng.integers(0, 3, (n, 1)).astype(np.float64)
    keys = [(("segment", "int", i),) for i in range(3)]
    state = measure_state(
        ConfusionMatrix(classes=3, values=("loss",)),
        Scored(zero, zero, label, loss, predicted=predicted),
        Segments(segment, keys),
    )
    # Some views have segments without rows.
    state = replace(state, keys=(OVERALL, *state.keys, OVERALL), segment=state.segment + 1)
    for i, key in enumerate(state.keys):
        mask = segment == (key[0][2] if key else -1)
        assert state.by_segment("rows")[i] == np.sum(mask)
        assert_bits(float(state.by_segment("loss")[i]), ieee_sum(loss[mask].tolist()))


def test_the_sum_of_nothing_is_zero() -> None:
    assert ExactColumn.zeros(3).to_float().tolist() == [0.0] * 3
    assert len(summed([])) == 0
    assert replace(summed([]), keys=(OVERALL,)).by_segment("loss").tolist() == [0.0]
