"""Tests of confusion matrices, outcomes by class and flips against brute force."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from heads.statistics import (
    ClassFlips,
    ClassOutcomes,
    ConfusionMatrix,
    Flips,
    Scored,
    Segments,
    State,
    Statistic,
)
from heads.statistics.confusion import APART, LABELLED, RIGHTLY, WRONGLY
from heads.statistics.measure import measure_state
from tests.heads.statistics.exactly import ieee_sum
from tests.laws.batches import finite_pools, law

classes_of_rows = given(
    classes=st.integers(2, 6), weights=finite_pools, seed=st.integers(0, 2**32 - 1)
)


def exclusive(rng: np.random.Generator, classes: int, weights: list[float]) -> Scored:
    """Returns rows of exclusive classes that two models scored."""
    n = int(rng.integers(1, 60))
    label, predicted, before = rng.integers(0, classes, (3, n))
    weight = rng.choice(np.array(weights), n)
    scores, ids = np.zeros((n, classes)), label[:, np.newaxis].astype(np.float64)
    scored = Scored(scores, scores, ids, np.zeros(n), weight, predicted)
    return replace(scored, baseline=replace(scored, predicted=before))


def assert_counts(state: State, elements: list[tuple[int, int, float]]) -> None:
    """Checks that the state counts exactly these elements `(group, cell, weight)`."""
    expected = defaultdict(list)
    for group, cell, weight in elements:
        expected[group, cell].append(weight)
    table = zip(state.group.tolist(), state.cell.tolist(), strict=True)
    assert list(table) == sorted(expected)
    assert state["rows"].tolist() == [len(expected[at]) for at in sorted(expected)]
    assert state["weight"].tolist() == [ieee_sum(expected[at]) for at in sorted(expected)]


def rows_of(scored: Scored) -> list[tuple[int, int, int, float]]:
    """Returns the label, prediction, prediction of the baseline and weight of each row."""
    assert scored.weight is not None
    assert scored.baseline is not None
    label, predicted = scored.classes
    _, before = scored.baseline.classes
    columns = (label, predicted, before, scored.weight)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@law
@classes_of_rows
def test_the_confusion_matrix(classes: int, weights: list[float], seed: int) -> None:
    scored = exclusive(np.random.default_rng(seed), classes, weights)
    state = measure_state(
        ConfusionMatrix(classes=classes, weighted=True), scored, Segments.overall(len(scored))
    )
    expected = confusion_matrix(*scored.classes, labels=range(classes))
    assert state.dense("rows", classes, classes)[0].tolist() == expected.tolist()
    assert_counts(state, [(label, new, weight) for label, new, _, weight in rows_of(scored)])


@law
@classes_of_rows
def test_outcomes_by_class(classes: int, weights: list[float], seed: int) -> None:
    scored = exclusive(np.random.default_rng(seed), classes, weights)
    statistic = ClassOutcomes(classes=classes, distances=True, weighted=True)
    elements = []
    for label, new, _, weight in rows_of(scored):
        elements.append((abs(label - new), APART, weight))
        elements.append((label, LABELLED, weight))
        elements.append((new, RIGHTLY if new == label else WRONGLY, weight))
    assert_counts(measure_state(statistic, scored, Segments.overall(len(scored))), elements)


@law
@classes_of_rows
def test_flips_of_classes(classes: int, weights: list[float], seed: int) -> None:
    scored = exclusive(np.random.default_rng(seed), classes, weights)
    state = measure_state(ClassFlips(weighted=True), scored, Segments.overall(len(scored)))
    elements = [
        (0, 4 * (new == old) + 2 * (new == label) + (old == label), weight)
        for label, new, old, weight in rows_of(scored)
    ]
    assert_counts(state, elements)


@law
@given(
    classes=st.integers(1, 3),
    cuts=st.lists(st.sampled_from((-1.0, 0.0, 0.5)), min_size=2, max_size=6),
    weights=finite_pools,
    seed=st.integers(0, 2**32 - 1),
)
def test_flips_at_cuts(classes: int, cuts: list[float], weights: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    cuts = cuts[: len(cuts) // 2 * 2]
    n = int(rng.integers(1, 40))
    score, before = rng.choice([-1.0, 0.0, 0.5, 2.0, np.nan], (2, n, classes))
    label = rng.choice([0.0, -0.0, 1.0, 0.5], (n, classes))
    weight = rng.choice(np.array(weights), n)
    scored = Scored(score, score, label, np.zeros(n), weight)
    scored = replace(scored, baseline=replace(scored, score=before))
    statistic = Flips(cuts=tuple(cuts), classes=classes, weighted=True)
    elements = []
    for row in range(n):
        for k in range(classes):
            kind = {0.0: 0, 1.0: 1, 0.5: 2}[label[row, k]]
            for pair in range(len(cuts) // 2):
                new, old = score[row, k] > cuts[2 * pair], before[row, k] > cuts[2 * pair + 1]
                elements.append((3 * pair + kind, 2 * int(new) + int(old), float(weight[row])))
    assert_counts(measure_state(statistic, scored, Segments.overall(n)), elements)


OF_CLASSES = [ConfusionMatrix(classes=2), ClassOutcomes(classes=2), ClassFlips()]


@pytest.mark.parametrize("statistic", OF_CLASSES, ids=lambda statistic: type(statistic).__name__)
def test_what_is_missing_is_asked_for(statistic: Statistic) -> None:
    scores = np.zeros((1, 2))
    scored = Scored(scores, scores, np.zeros((1, 1)), np.zeros(1))
    scored = replace(scored, baseline=scored)
    with pytest.raises(ValueError, match="multi-class head"):
        measure_state(statistic, scored, Segments.overall(1))
    scored = replace(scored, predicted=np.zeros(1, np.int64))
    scored = replace(scored, baseline=scored)
    with pytest.raises(ValueError, match="weight column"):
        measure_state(replace(statistic, weighted=True), scored, Segments.overall(1))
