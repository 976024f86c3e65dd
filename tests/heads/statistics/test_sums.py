"""Weighted sums against whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import ClassSums, LossSums, Scored, Segments
from tests.heads.statistics.exactly import ieee_sum
from tests.laws.batches import law, value_pools

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")


@law
@given(
    losses=value_pools,
    weights=value_pools,
    weighted=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_loss_sums(losses: list[float], weights: list[float], weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 50))
    loss, weight = rng.choice(np.array(losses), n), rng.choice(np.array(weights), n)
    column = np.zeros((n, 1))
    state = LossSums(weighted).measure(
        Scored(column, column, column, loss, weight), Segments.overall(n)
    )
    assert state["rows"].tolist() == [n]
    expected = {"loss": weight * loss, "weight": weight} if weighted else {"loss": loss}
    assert set(state.sums) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(state[name], [ieee_sum(values.tolist())])


@law
@given(
    classes=st.integers(1, 4),
    weights=value_pools,
    weighted=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_class_sums(classes: int, weights: list[float], weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    probability = rng.choice([0.0, 1.0, 1e-300, 0.1, 1.0 - 2.0**-53, 1 / 3], (n, classes))
    label = rng.choice([0.0, 1.0, 0.5, 1e-12], (n, classes))
    weight = rng.choice(np.array(weights), n)
    zero = np.zeros((n, classes))
    state = ClassSums(classes, weighted).measure(
        Scored(zero, probability, label, np.zeros(n), weight), Segments.overall(n)
    )
    assert state.group.tolist() == list(range(classes))
    assert state["rows"].tolist() == [n] * classes
    names = {"probability", "label", "squared_error"}
    assert set(state.sums) == names | ({"weight"} if weighted else set())
    error = probability - label
    factor = weight[:, None] if weighted else np.ones((n, 1))
    expected = {
        "probability": factor * probability,
        "label": factor * label,
        "squared_error": factor * (error * error),
    }
    if weighted:
        expected["weight"] = np.repeat(factor, classes, axis=1)
    for name, values in expected.items():
        sums = [ieee_sum(values[:, k].tolist()) for k in range(classes)]
        np.testing.assert_array_equal(state[name], sums)


@pytest.mark.parametrize("statistic", [LossSums(True), ClassSums(2, True)])
def test_weights_are_asked_for(statistic: LossSums | ClassSums) -> None:
    zero = np.zeros((1, 2))
    with pytest.raises(ValueError, match="weight column"):
        statistic.measure(Scored(zero, zero, zero, np.zeros(1)), Segments.overall(1))
