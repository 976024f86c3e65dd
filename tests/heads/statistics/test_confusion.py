"""The confusion matrix and hits against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from heads.statistics import ConfusionMatrix, Hits, Scored, Segments, Statistic
from tests.heads.statistics.exactly import ieee_sum
from tests.laws.batches import finite_pools, law


@law
@given(classes=st.integers(2, 6), weights=finite_pools, seed=st.integers(0, 2**32 - 1))
def test_rows_and_weights(classes: int, weights: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    label, predicted = rng.integers(0, classes, n), rng.integers(0, classes, n)
    weight = rng.choice(np.array(weights), n)
    scores = np.zeros((n, classes))
    scored = Scored(
        scores,
        scores,
        label.astype(np.float64).reshape(n, 1),
        np.zeros(n),
        weight,
        predicted,
    )
    state = ConfusionMatrix(classes, weighted=True).measure(scored, Segments.overall(n))
    expected = confusion_matrix(label, predicted, labels=range(classes))
    assert state.dense("rows", classes, classes)[0].tolist() == expected.tolist()
    table = state.dense("weight", classes, classes)[0]
    for row in range(classes):
        for column in range(classes):
            chosen = weight[(label == row) & (predicted == column)]
            assert table[row, column] == ieee_sum(chosen.tolist())
    hits = Hits(weighted=True).measure(scored, Segments.overall(n))
    right = label == predicted
    assert hits.dense("rows", 1, 2)[0, 0].tolist() == [np.sum(~right), np.sum(right)]
    sums = [ieee_sum(weight[chosen].tolist()) for chosen in (~right, right)]
    assert hits.dense("weight", 1, 2)[0, 0].tolist() == sums


@pytest.mark.parametrize("statistic", [ConfusionMatrix(2), Hits()], ids=str)
def test_predicted_classes_are_asked_for(statistic: Statistic) -> None:
    scores = np.zeros((1, 2))
    scored = Scored(scores, scores, np.zeros((1, 1)), np.zeros(1))
    with pytest.raises(ValueError, match="multi-class head"):
        statistic.measure(scored, Segments.overall(1))


@pytest.mark.parametrize("statistic", [ConfusionMatrix(2, True), Hits(True)], ids=str)
def test_weights_are_asked_for(statistic: Statistic) -> None:
    scores = np.zeros((1, 2))
    scored = Scored(scores, scores, np.zeros((1, 1)), np.zeros(1), None, np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="weight column"):
        statistic.measure(scored, Segments.overall(1))
