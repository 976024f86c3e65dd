"""Thresholds of points of a curve, against exact probabilities and logits."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heads.metrics.core.curve_thresholds import thresholds_between
from heads.metrics.core.number_names import distinct_names
from heads.statistics.cuts import ScoreKind, ScoreSpace
from tests.heads.metrics.samples import law
from tests.heads.statistics import exactly

logits = (
    st.floats(-800, 800)
    | st.floats(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-40, 40, width=32)
    | st.integers(-99, 99).map(lambda n: n / 10)
    | st.sampled_from([0.0, 5e-324, -5e-324, 36.7, 36.8, 37.5, 97.0, 98.0])
)
probabilities = (
    st.floats(0, 1)
    | st.floats(0, 1, width=32)
    | st.integers(0, 100).map(lambda n: n / 100)
    | st.integers(0, 9).map(lambda n: 1 - n * 2.0**-53)
    | st.floats(1, 300).map(lambda x: 10.0**-x)
    | st.sampled_from([0.0, 5e-324, 1.0, 0.5, math.nextafter(0.5, 1), math.nextafter(0.5, 0)])
)


def sigmoid(score: float) -> Fraction:
    # Decimals cannot hold the probabilities of all logits; no float64 is beyond these.
    return exactly.sigmoid(min(max(score, -2000.0), 2000.0))


@st.composite
def pairs(draw: st.DrawFn, kind: ScoreKind) -> tuple[float, float]:
    """Draws the lowest score that is selected, and the next lower one, or -inf for none."""
    scores = logits if kind == "logits" else probabilities
    lowest = draw(scores) + 0.0
    least = -math.inf if kind == "logits" else 0.0
    near = math.nextafter(lowest, least)
    following = draw(st.just(-math.inf) | st.just(near) | scores.filter(lambda x: x < lowest))
    return lowest, following if following < lowest else -math.inf


def both(kind: ScoreKind, lowest: float, following: float, *, exact: bool) -> tuple[float, float]:
    """Returns the thresholds on the scale of the score, and on the other one."""
    found = thresholds_between(
        np.array([lowest]), np.array([following]), np.array([exact]), ScoreSpace(kind)
    )
    numbers = (found.probability.item(), found.logit.item())
    # They survive a report.
    assert all(math.isnan(x) or json.loads(json.dumps(x)) == x for x in numbers)
    return numbers if kind == "probabilities" else numbers[::-1]


def above(kind: ScoreKind, score: float, threshold: float) -> bool:
    """Whether the other scale's value of a score is above a threshold on that scale."""
    if kind == "logits":
        return score > -math.inf and sigmoid(score) > Fraction(threshold)
    return Fraction(max(score, 0.0)) > sigmoid(threshold)


def some_between(kind: ScoreKind, lowest: float, following: float) -> bool:
    """Whether a float64 on the other scale is between two scores, and not next to either."""
    if kind == "logits":
        low = sigmoid(following) if following > -math.inf else Fraction(0)
        high = sigmoid(lowest)
    else:
        low, high = Fraction(max(following, 0.0)), Fraction(lowest)
    if high < Fraction(1, 2):
        narrowed = (low * (1 + Fraction(1, 2**46)), high * (1 - Fraction(1, 2**46)))
    else:
        narrowed = (
            1 - (1 - low) * (1 - Fraction(1, 2**46)),
            1 - (1 - high) * (1 + Fraction(1, 2**46)),
        )
    if kind == "probabilities":
        # Logits of probabilities are denser than probabilities, but where these are tiny.
        return narrowed[0] < narrowed[1] and high > Fraction(1e-290)
    candidate = float(narrowed[1])
    if Fraction(candidate) >= narrowed[1]:
        candidate = math.nextafter(candidate, 0)
    return candidate > 1e-300 and Fraction(candidate) > narrowed[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["logits", "probabilities"])
@settings(law, max_examples=300)
@given(st.data())
def test_thresholds_select_the_rows_of_a_point_alone(kind: ScoreKind, data: st.DataObject) -> None:
    lowest, following = data.draw(pairs(kind))
    check_exact(kind, lowest, following)
    check_rounded(kind, lowest, following)


def check_exact(kind: ScoreKind, lowest: float, following: float) -> None:
    """No row of a lower score is selected, and both thresholds are one."""
    stored, other = both(kind, lowest, following, exact=True)
    if not math.isnan(stored):
        assert following <= stored < lowest
        assert kind == "logits" or 0 < stored < 1
    elif kind == "logits":
        assert lowest == -np.finfo(np.float64).max
    else:
        assert lowest <= 5e-324
    if math.isnan(other):
        assert not some_between(kind, lowest, following)
        return
    assert above(kind, lowest, other)
    assert not above(kind, following, other)
    assert kind == "probabilities" or 0 < other < 1
    assert math.isfinite(other)
    logit, probability = (stored, other) if kind == "logits" else (other, stored)
    if not math.isnan(stored) and abs(logit) < 20:
        assert float(sigmoid(logit)) == pytest.approx(probability, rel=1e-13)


def check_rounded(kind: ScoreKind, lowest: float, following: float) -> None:
    """No score of a lower cell is selected."""
    stored, other = both(kind, lowest, following, exact=False)
    if not math.isnan(stored):
        assert stored == math.nextafter(lowest, -math.inf)
    if not math.isnan(other):
        assert above(kind, lowest, other)
        almost = lowest * (1 - 2.0**-10) + following * 2.0**-10
        assert not above(kind, almost, other)


@pytest.mark.slow
def test_thresholds_have_few_digits() -> None:
    for lowest, following, expected in (
        (0.41, 0.40, 0.405),
        (0.9, 0.1, 0.5),
        (0.41, float(np.float32(0.4)), 0.405),
        (1.0, 0.5, 0.8),
        (1e-9, 3e-10, 6e-10),
    ):
        assert both("probabilities", lowest, following, exact=True)[0] == expected
    for lowest, following, expected in (
        (98.0, 97.0, 97.5),
        (-2.0, -math.inf, -2.5),
        (0.3, -0.4, 0.0),
        (1e300, -1e300, 0.0),
        (1234.5, 1234.4, 1234.45),
    ):
        found = both("logits", lowest, following, exact=True)[0]
        assert (found, math.copysign(1, found)) == (expected, math.copysign(1, expected))


@pytest.mark.slow
def test_float64_may_hold_none() -> None:
    assert both("logits", 98.0, 97.0, exact=True) == (97.5, pytest.approx(math.nan, nan_ok=True))
    assert both("logits", -800.0, -900.0, exact=False)[1] is not None
    assert math.isnan(both("logits", -800.0, -900.0, exact=True)[1])
    assert all(map(math.isnan, both("probabilities", 0.0, -math.inf, exact=True)))
    # 1 is above every logit.
    below_one = math.nextafter(1.0, 0.0)
    stored, other = both("probabilities", 1.0, below_one, exact=True)
    assert (stored, above("probabilities", 1.0, other)) == (below_one, True)
    assert not above("probabilities", below_one, other)


@pytest.mark.slow
@law
@example([0.5, 0.50000001, 0.500000011])
@given(st.lists(st.floats(0, 1) | st.floats(allow_nan=False), unique=True))
def test_names_of_numbers_are_distinct(numbers: list[float]) -> None:
    names = distinct_names([number + 0.0 for number in numbers])
    assert len(set(names)) == len(names)
    for name, number in zip(names, numbers, strict=True):
        assert name == f"{number + 0.0:g}" or float(name) == number


@pytest.mark.slow
def test_names_are_short_where_they_can_be() -> None:
    assert distinct_names([0.1234561, 0.5, 1e-5]) == ("0.123456", "0.5", "1e-05")
    assert distinct_names([0.1234561, 0.5, 0.1234562]) == ("0.1234561", "0.5", "0.1234562")
