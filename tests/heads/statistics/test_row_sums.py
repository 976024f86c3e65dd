"""Tests of sums over rows against whole numbers, and of the summed values by brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import RowSums, Scored, Segments
from heads.statistics.measure import measure_state
from tests.heads.statistics.exactly import ieee_sum
from tests.laws.batches import law, value_pools

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")


@law
@given(
    losses=value_pools,
    weights=value_pools,
    weighted=st.booleans(),
    keep_unweighted=st.booleans(),
    squares=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_losses(
    losses: list[float],
    weights: list[float],
    weighted: bool,
    keep_unweighted: bool,
    squares: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 50))
    loss, weight = rng.choice(np.array(losses), n), rng.choice(np.array(weights), n)
    column = np.zeros((n, 1))
    statistic = RowSums(
        values=("loss",), weighted=weighted, keep_unweighted=keep_unweighted, squares=squares
    )
    state = measure_state(
        statistic, Scored(column, column, column, loss, weight), Segments.overall(n)
    )
    assert state["rows"].tolist() == [n]
    expected = {"loss": loss}
    if weighted:
        expected = {"loss": weight * loss, "weight": weight}
        expected |= {"row_loss": loss} if keep_unweighted else {}
    squared = {"weight_squared"} if weighted and squares else set()
    assert set(state.sums) == set(statistic.sums) == set(expected) | squared
    for name in squared:
        # Each square is rounded to 24 bits.
        exact = ieee_sum((weight * weight).tolist())
        np.testing.assert_allclose(state[name], [exact], rtol=2.0**-24)
    for name, values in expected.items():
        np.testing.assert_array_equal(state[name], [ieee_sum(values.tolist())])
        np.testing.assert_array_equal(state.by_segment(name), state[name])


def summed(scored: Scored, *values: str) -> dict[str, float]:
    """Returns the sums of some values over all rows."""
    state = measure_state(RowSums(values=values), scored, Segments.overall(len(scored)))
    return {name: float(state[name][0]) for name in values}


@pytest.mark.parametrize("seed", range(8))
def test_ranks_of_exclusive_classes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, classes = 30, 5
    score = rng.integers(0, 4, (n, classes)).astype(np.float64)
    label, predicted = rng.integers(0, classes, n), score.argmax(axis=1)
    scored = Scored(
        score,
        score,
        label[:, np.newaxis].astype(np.float64),
        np.zeros(n),
        predicted=predicted,
    )
    names = [f"top_{k}" for k in (1, 2, 4, 5, 10)]
    # Of equal scores the lower class id leads, as in argmax.
    ranked = [sorted(range(classes), key=lambda k: (-row[k], k)) for row in score.tolist()]
    expected = {
        name: float(
            sum(y in order[: int(name[4:])] for y, order in zip(label, ranked, strict=True))
        )
        for name in names
    }
    sums = summed(scored, "hit", *names)
    assert sums == {"hit": float(np.sum(label == predicted)), **expected}
    assert sums["hit"] == sums["top_1"]
    assert sums["top_5"] == sums["top_10"] == n
    # As if the classes were independent.
    independent = replace(scored, label=(np.arange(classes) == label[:, np.newaxis]) * 1.0)
    found = summed(independent, "labels", *(f"top_labels_{k}" for k in (1, 2, 4, 5)))
    assert found == {"labels": n, **{f"top_labels_{k}": sums[f"top_{k}"] for k in (1, 2, 4, 5)}}


@pytest.mark.parametrize("seed", range(8))
def test_label_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, classes, cut = 30, 3, 0.0
    score = rng.integers(-1, 3, (n, classes)).astype(np.float64)
    label = rng.choice([0.0, -0.0, 1.0, 0.5] if seed % 2 else [0.0, 1.0], (n, classes))
    scored = Scored(score, score, label, np.zeros(n))
    exact = coverage = 0
    for scores, labels in zip(score.tolist(), label.tolist(), strict=True):
        exact += all(float(s > cut) == y for s, y in zip(scores, labels, strict=True))
        lowest = min((s for s, y in zip(scores, labels, strict=True) if y), default=np.inf)
        coverage += sum(s >= lowest for s in scores)
    assert summed(scored, "exact_match", "coverage") == {
        "exact_match": exact,
        "coverage": coverage,
    }


def test_weights_are_asked_for() -> None:
    zero = np.zeros((1, 2))
    with pytest.raises(ValueError, match="weight column"):
        measure_state(
            RowSums(weighted=True), Scored(zero, zero, zero, np.zeros(1)), Segments.overall(1)
        )
