"""The confusion matrix as the report has it."""

from __future__ import annotations

import json

import numpy as np
from sklearn.metrics import confusion_matrix

from heads.curves.confusion_matrix import matrix, most_confused
from heads.statistics import ConfusionMatrix, Scored, Segments, State
from heads.statistics.measure import measure_state

KEYS = [(("part", "int", i),) for i in range(3)]


def measured(classes: int, seed: int, n: int = 90) -> tuple[State, np.ndarray, np.ndarray]:
    """Returns a state of two of the three segments, and labels and predictions of its second."""
    rng = np.random.default_rng(seed)
    label, predicted = rng.integers(0, classes, (2, n))
    zero = np.zeros((n, classes))
    index = rng.choice([0, 2], n)
    scored = Scored(
        *(zero, zero, label[:, np.newaxis].astype(float)), np.zeros(n), rng.random(n), predicted
    )
    statistic = ConfusionMatrix(classes=classes, weighted=True)
    in_last = index == 2
    return (
        measure_state(statistic, scored, Segments(index, KEYS)),
        label[in_last],
        predicted[in_last],
    )


def test_the_matrix_counts_rows() -> None:
    state, label, predicted = measured(5, 0)
    expected = confusion_matrix(label, predicted, labels=range(5)).tolist()
    assert matrix(state, 1) == matrix(state, 1, 5) == expected
    assert matrix(state, 1, 4) is None
    json.dumps(matrix(state, 1), allow_nan=False)


def test_the_most_confused_pairs() -> None:
    names = list("zyxwv")
    for seed in range(5):
        state, label, predicted = measured(5, seed)
        table = confusion_matrix(label, predicted, labels=range(5))
        pairs = [
            (-int(table[i, j]), i, j) for i in range(5) for j in range(5) if i != j and table[i, j]
        ]
        expected = [
            {
                "label": names[i],
                "predicted": names[j],
                "rows": -rows,
                "share_of_label": -rows / table[i].sum(),
            }
            for rows, i, j in sorted(pairs)
        ]
        assert most_confused(state, 1, names, 100) == expected
        assert most_confused(state, 1, names, 3) == expected[:3]
        assert most_confused(state, 1, names) == expected[:20]
        json.dumps(expected, allow_nan=False)


def test_nothing_is_confused() -> None:
    state, label, _ = measured(3, 0)
    zero = np.zeros((len(label), 3))
    ids = label[:, np.newaxis].astype(float)
    scored = Scored(zero, zero, ids, np.zeros(len(label)), np.ones(len(label)), label)
    state = measure_state(state.statistic, scored, Segments.overall(len(label)))
    assert most_confused(state, 0, "abc") == []
