"""The confusion matrix against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from heads.statistics import ConfusionMatrix, Scored, Segments
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
        predicted.astype(np.float64),
    )
    state = ConfusionMatrix(classes, weighted=True).measure(scored, Segments.overall(n))
    expected = confusion_matrix(label, predicted, labels=range(classes))
    assert state.dense("rows", classes, classes)[0].tolist() == expected.tolist()
    table = state.dense("weight", classes, classes)[0]
    for row in range(classes):
        for column in range(classes):
            chosen = weight[(label == row) & (predicted == column)]
            assert table[row, column] == ieee_sum(chosen.tolist())


def test_predicted_classes_are_asked_for() -> None:
    scores = np.zeros((1, 2))
    with pytest.raises(ValueError, match="multi-class head"):
        ConfusionMatrix(2).measure(
            Scored(scores, scores, np.zeros((1, 1)), np.zeros(1)), Segments.overall(1)
        )


def test_weights_are_asked_for() -> None:
    scores = np.zeros((1, 2))
    scored = Scored(scores, scores, np.zeros((1, 1)), np.zeros(1), None, np.zeros(1))
    with pytest.raises(ValueError, match="weight column"):
        ConfusionMatrix(2, weighted=True).measure(scored, Segments.overall(1))
