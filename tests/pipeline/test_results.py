"""From states to cells: every number in its slice, and a reason where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heads.scoring import score
from heads.statistics import (
    OVERALL,
    ConfusionMatrix,
    Key,
    LossSums,
    Scored,
    ScoreHistogram,
    Segments,
    State,
)
from pipeline.plan import MAX_MATRIX_CLASSES, Plan, StateKey, split
from pipeline.results import Cell, compute, histogram_shifts, level
from tests.pipeline.tables import plan_of

BINARY = "heads: {h: {type: binary, logits: s, label: y, weight: w}}"
A: Key = (("c", "string", "a"),)
B: Key = (("c", "string", "b"),)


def states_of(
    plan: Plan, scores: list[float], labels: list[float], weights: list[float], segments: Segments
) -> dict[StateKey, State]:
    head = plan.heads["h"]
    column = np.array(scores, np.float64).reshape(len(labels), -1)
    scored = score(
        head.scope.head,
        head.scope.space.kind,
        column,
        np.array(labels, np.float64)[:, np.newaxis],
        np.array(weights, np.float64) if head.scope.weighted else None,
    )
    return {
        StateKey("h", number): statistic.measure(scored, segments)
        for number, statistic in enumerate(head.statistics)
    }


def by_slice(cells: list[Cell]) -> dict[Key, dict[str, float | str]]:
    found: dict[Key, dict[str, float | str]] = {}
    for cell in cells:
        found.setdefault(cell.key, {}).update(cell.metrics)
    return found


def test_every_metric_is_computed_once_in_every_slice() -> None:
    plan = plan_of(BINARY)
    segments = Segments(np.array([0, 0, 1, 1]), (A, B))
    states = states_of(plan, [1, -1, 2, -3], [1, 0, 1, 0], [1, 2, 3, 4], segments)
    cells = [cell for key, state in states.items() for cell in compute(plan, key, state)]
    names = [(cell.key, name) for cell in cells for name in cell.metrics]
    assert len(names) == len(set(names))
    found = by_slice(cells)
    assert set(found) == {A, B}
    assert set(found[A]) == set(found[B]) == set(plan.heads["h"].metrics)
    assert found[A]["label/mean"] == pytest.approx(1 / 3, rel=1e-15)
    assert found[B]["label/mean"] == pytest.approx(3 / 7, rel=1e-15)
    assert found[A]["accuracy"] == found[B]["roc_auc"] == 1.0
    # Plain floats, which JSON can write.
    assert {type(value) for own in found.values() for value in own.values()} == {float}


def test_only_loss_sums_count_examples() -> None:
    plan = plan_of(BINARY)
    segments = Segments(np.array([0, 0, 1]), (A, B))
    states = states_of(plan, [1, 1, 1], [1, 0, 1], [0, 0, 5], segments)
    for key, state in states.items():
        counted = [cell.examples for cell in compute(plan, key, state)]
        assert counted == ([2, 1] if isinstance(state.statistic, LossSums) else [None, None])


def test_undefined_values_have_reasons() -> None:
    plan = plan_of(BINARY)
    segments = Segments(np.array([0, 0, 1]), (A, B))
    states = states_of(plan, [1, -1, 1], [1, 1, 0], [2, 2, 0], segments)
    found = by_slice([cell for key, state in states.items() for cell in compute(plan, key, state)])
    assert found[A]["roc_auc"] == "no label is zero"
    assert found[A]["recall"] == 0.5
    assert found[B]["average_loss"] == "the weights sum to zero"
    assert found[B]["accuracy"] == "the weights sum to zero"
    assert found[B]["precision"] == "nothing is predicted positive"
    assert found[B]["recall"] == "no label is positive"


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([math.inf, 1.0], "the value is infinite"),
        ([-math.inf], "the value is infinite"),
        ([math.inf, -math.inf], "the value is not a number"),
        ([math.nan], "the value is not a number"),
    ],
)
def test_values_that_json_cannot_write_have_reasons(losses: list[float], reason: str) -> None:
    plan = plan_of(BINARY.replace(", weight: w", ", metrics: [average_loss]"))
    ones = np.ones((len(losses), 1))
    scored = Scored(ones, ones, ones, np.array(losses))
    state = LossSums().measure(scored, Segments.overall(len(losses)))
    (cell,) = compute(plan, StateKey("h", 0), state)
    assert cell.metrics == {"average_loss": reason}


def test_confusion_matrix_of_overall() -> None:
    plan = plan_of("heads: {h: {type: multi_class, n_classes: 3, logits: s, label: y}}")
    scores = np.eye(3)[[0, 1, 1, 2]].ravel().tolist()
    states = states_of(plan, scores, [0, 1, 2, 2], [], Segments.overall(4))
    matrices = [cell.matrix for key, s in states.items() for cell in compute(plan, key, s)]
    assert [m for m in matrices if m is not None] == [((1, 0, 0), (0, 1, 0), (0, 1, 1))]
    # Slices have none, even where the number of a partition is 0 by mistake.
    states = states_of(plan, scores, [0, 1, 2, 2], [], Segments(np.zeros(4, np.int64), (A,)))
    for key, state in states.items():
        assert compute(plan, key, state)[0].matrix is None
        assert compute(plan, key._replace(partition=7), state)[0].matrix is None


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_confusion_matrix_has_an_end(beyond: int) -> None:
    classes = MAX_MATRIX_CLASSES + beyond
    text = f"heads: {{h: {{type: multi_class, n_classes: {classes}, logits: s, label: y}}}}"
    plan = plan_of(text)
    states = states_of(plan, [0.0] * classes, [3], [], Segments.overall(1))
    assert {"accuracy", "average_loss"} <= set(plan.heads["h"].metrics)
    matrices = [cell.matrix for key, s in states.items() for cell in compute(plan, key, s)]
    assert sum(m is not None for m in matrices) == 1 - beyond
    assert any(isinstance(s.statistic, ConfusionMatrix) for s in states.values()) != bool(beyond)


def test_histograms_of_slices_are_brought_to_the_shift_of_all_rows() -> None:
    plan = plan_of(BINARY.replace(", weight: w", ", metrics: [roc_auc]"))
    rng = np.random.default_rng(0)
    n = 20_000
    scores, labels = rng.normal(size=n), rng.integers(0, 2, n).astype(float)
    (key,) = (
        StateKey("h", i)
        for i, statistic in enumerate(plan.heads["h"].statistics)
        if isinstance(statistic, ScoreHistogram)
    )
    everywhere = Segments(np.zeros(n, np.int64), (OVERALL,))
    overall = states_of(plan, scores.tolist(), labels.tolist(), [], everywhere)[key]
    few = states_of(
        plan, scores[:9].tolist(), labels[:9].tolist(), [], Segments(np.zeros(9, np.int64), (A,))
    )[key]
    assert overall.shift > 0
    assert few.shift == 0
    ((small, part),) = split(key, few)
    shifts = histogram_shifts([(key, overall), (small, part)])
    assert shifts == {("h", key.statistic): overall.shift}
    levelled = level(small, part, shifts)
    assert levelled.shift == overall.shift
    assert level(key, overall, shifts) is overall
    # A partition of another statistic, or a run without histograms, stays as it is.
    assert level(StateKey("h", 0, 1), part, shifts) is part
    assert level(small, part, {}) is part
