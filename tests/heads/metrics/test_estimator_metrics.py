"""The estimator's metrics as functions of a state: by segment, and undefined with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from heads.metrics.core.context import HeadType, MetricContext
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import estimator_metrics
from heads.statistics import OVERALL, Scored, Segments
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import measure_state
from heads.statistics.state import zero_state

CLASSES = {"binary": 2, "contrib_binary": 2, "multi_class": 3, "multi_label": 3}
"""The number of classes by type of head; regression has none."""
HEADS = get_args(HeadType)


def make_context(head: HeadType, weighted: bool = True) -> MetricContext:
    names = tuple("abc"[: CLASSES.get(head, 0)])
    named = (0, 2) if head == "multi_label" else ()
    thresholds = () if head not in CLASSES or head == "multi_class" else (0.25, 0.5)
    return MetricContext(
        head,
        names,
        ScoreSpace("logits", float32=True),
        thresholds,
        weighted,
        named,
        tuple(names[i] for i in named),
    )


def scored(head: HeadType, n: int, weighted: bool = True, seed: int = 0) -> Scored:
    rng = np.random.default_rng(seed)
    columns = make_context(head).columns
    score = rng.normal(0, 2, (n, columns)).astype(np.float32).astype(np.float64)
    label = rng.integers(0, 2, (n, columns)).astype(np.float64)
    predicted = None
    if head == "multi_class":
        label = rng.integers(0, columns, (n, 1)).astype(np.float64)
        predicted = score.argmax(axis=1)
    probability = 1 / (1 + np.exp(-score))
    loss, weight = rng.random(n), rng.random(n)
    return Scored(score, probability, label, loss, weight if weighted else None, predicted)


def metrics(head: HeadType, weighted: bool = True) -> list[Metric]:
    return list(estimator_metrics(make_context(head, weighted)).values())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("weighted", [True, False])
def test_a_segment_does_not_depend_on_the_others(head: HeadType, weighted: bool) -> None:
    n = 200
    keys = [(("slice", "int", i),) for i in range(7)]
    segments = Segments(np.random.default_rng(1).integers(0, 7, n), keys)
    for metric in metrics(head, weighted):
        state = measure_state(metric.statistic, scored(head, n, weighted), segments)
        together = metric.compute(state).value
        assert together.shape == (7,)
        for i, key in enumerate(state.keys):
            alone = state.regroup([[key] if key == old_key else [] for old_key in state.keys])
            assert metric.compute(alone).value.tolist() == [together[i]], metric.name


@pytest.mark.parametrize("head", HEADS)
def test_unit_weights_are_no_weights(head: HeadType) -> None:
    rows = scored(head, 50, weighted=False)
    for weighted, plain in zip(metrics(head, True), metrics(head, False), strict=True):
        unit = replace(rows, weight=np.ones(50))
        with_units = measure_state(weighted.statistic, unit, Segments.overall(50))
        without = measure_state(plain.statistic, rows, Segments.overall(50))
        assert weighted.compute(with_units).value == plain.compute(without).value, plain.name


@pytest.mark.parametrize("head", HEADS)
def test_nothing_is_undefined(head: HeadType) -> None:
    for metric in metrics(head):
        state = replace(zero_state(metric.statistic), keys=(OVERALL,))
        values = metric.compute(state)
        old_baseline = head == "contrib_binary" and metric.name == "accuracy_baseline"
        assert values.value.tolist() == [1.0 if old_baseline else 0.0], metric.name
        assert values.reason(0), metric.name


@pytest.mark.parametrize("head", ["binary", "contrib_binary", "multi_label"])
@pytest.mark.parametrize(("label", "reason"), [(0, "no label is positive"), (1, None)])
def test_labels_of_one_kind(head: HeadType, label: int, reason: str | None) -> None:
    rows = scored(head, 30)
    rows = replace(rows, label=np.full_like(rows.label, label))
    for metric in metrics(head):
        values = metric.compute(measure_state(metric.statistic, rows, Segments.overall(30)))
        if metric.name.startswith(("auc_precision_recall", "recall")):
            assert values.reason(0) == reason
        elif metric.name.startswith("auc"):
            assert values.reason(0) == (reason or "no label is zero")
        else:
            assert values.reason(0) is None


def test_a_negative_sum_of_weights_is_undefined_where_it_is_set_to_zero() -> None:
    rows = replace(scored("contrib_binary", 3), weight=np.array([1.0, 1.0, -3.0]))
    reasons = {}
    for metric in metrics("contrib_binary"):
        values = metric.compute(measure_state(metric.statistic, rows, Segments.overall(3)))
        reasons[metric.name] = values.reason(0)
    for name in ("average_loss", "accuracy", "label/mean", "accuracy_baseline"):
        assert reasons[name] == "the weights sum to less"
