"""The confusion matrix as the report has it."""

from __future__ import annotations

import json

import numpy as np
from sklearn.metrics import confusion_matrix

from heads.curves.confusion_matrix import matrix, most_confused, weighted_matrix
from heads.statistics import ConfusionMatrix, Scored, Segments, State
from heads.statistics.measure import measure_state
from heads.statistics.units import in_units

KEYS = [(("part", "int", i),) for i in range(3)]


def measured(
    classes: int, seed: int, n: int = 90, *, weighted: bool = True, scale: float = 1.0
) -> tuple[State, np.ndarray, np.ndarray, np.ndarray]:
    """Returns a state of two of the three segments, and labels, predictions and weights of the
    rows of its second.
    """
    rng = np.random.default_rng(seed)
    label, predicted = rng.integers(0, classes, (2, n))
    zero = np.zeros((n, classes))
    index = rng.choice([0, 2], n)
    weight = rng.random(n) * scale
    scored = Scored(
        *(zero, zero, label[:, np.newaxis].astype(float)), np.zeros(n), weight, predicted
    )
    statistic = ConfusionMatrix(classes=classes, weighted=weighted)
    in_last = index == 2
    return (
        measure_state(statistic, scored, Segments(index, KEYS)),
        label[in_last],
        predicted[in_last],
        weight[in_last],
    )


def test_the_matrix_counts_rows() -> None:
    state, label, predicted, _ = measured(5, 0)
    expected = confusion_matrix(label, predicted, labels=range(5)).tolist()
    assert matrix(state, 1) == matrix(state, 1, 5) == expected
    assert matrix(state, 1, 4) is None
    json.dumps(matrix(state, 1), allow_nan=False)


def test_the_weighted_matrix() -> None:
    state, label, predicted, weight = measured(5, 0)
    expected = confusion_matrix(label, predicted, labels=range(5), sample_weight=weight)
    found = weighted_matrix(state, 1, 5)
    assert found == weighted_matrix(in_units(state), 1)
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-13)
    assert weighted_matrix(state, 1, 4) is None
    assert weighted_matrix(measured(5, 0, weighted=False)[0], 1) is None


def test_weights_beyond_float64() -> None:
    plain = weighted_matrix(measured(2, 0)[0], 1)
    scale = 2.0**1021
    found = weighted_matrix(in_units(measured(2, 0, scale=scale)[0]), 1)
    assert plain is not None
    # The sum of one cell is above 8, which is beyond float64 times 2**1021.
    assert found == [[None if cell > 8 else cell * scale for cell in row] for row in plain]
    assert found[1][1] is None


def test_the_most_confused_pairs() -> None:
    names = list("zyxwv")
    for seed in range(5):
        state, label, predicted, _ = measured(5, seed)
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
    state, label, *_ = measured(3, 0)
    zero = np.zeros((len(label), 3))
    ids = label[:, np.newaxis].astype(float)
    scored = Scored(zero, zero, ids, np.zeros(len(label)), np.ones(len(label)), label)
    state = measure_state(state.statistic, scored, Segments.overall(len(label)))
    assert most_confused(state, 0, "abc") == []
