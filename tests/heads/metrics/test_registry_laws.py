"""What holds of every registered metric."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from heads.metrics.core import registry
from heads.metrics.core.context import HeadType
from heads.metrics.core.metric import Metric, Values
from heads.metrics.core.registry import estimator_metrics, pair_metrics, report_metrics
from heads.statistics import OVERALL, Scored, ScoreHistogram, Segments, State
from heads.statistics.fold_views import fold_views, without_weights
from heads.statistics.measure import measure_state
from heads.statistics.state import zero_state
from heads.statistics.units import in_units
from tests.heads.metrics.samples import make_context, sigmoid

HEADS = get_args(HeadType)
SLACK = 1e-12
FOLDS = 4


def rows(head: HeadType, n: int, seed: int = 0) -> Scored:
    context, rng = make_context(head), np.random.default_rng(seed)
    score = rng.normal(0, 2, (n, context.columns)).round(1)
    probability = sigmoid(score)
    label = rng.integers(0, 2, (n, context.columns)).astype(np.float64)
    predicted = None
    if head == "multi_class":
        probability = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
        label = rng.integers(0, context.columns, (n, 1)).astype(np.float64)
        predicted = score.argmax(axis=1)
    loss, weight, class_loss = rng.random(n), rng.uniform(0.1, 3, n), None
    if head == "multi_label":
        class_loss = rng.random(score.shape)
    return Scored(score, probability, label, loss, weight, predicted, class_loss=class_loss)


def samples(head: HeadType) -> dict[str, Scored]:
    """Returns samples of rows that are hard for metrics."""
    some, few = rows(head, 60), rows(head, 3, seed=1)
    half = np.where(np.arange(60) < 30, 0.0, some.weight)
    return {
        "many": some,
        "three": few,
        "one": few.take(np.array([0])),
        "zero labels": replace(some, label=np.zeros_like(some.label)),
        "labels of one": replace(some, label=np.ones_like(some.label)),
        "no weight": replace(some, weight=np.zeros(60)),
        "half without weight": replace(some, weight=half),
        "equal scores": replace(
            some,
            score=np.zeros_like(some.score),
            probability=np.full_like(some.score, 1 / max(2, some.score.shape[1])),
            predicted=None if some.predicted is None else np.zeros(60, np.int64),
        ),
    }


def offered(head: HeadType) -> list[Metric]:
    context = make_context(head, folds=FOLDS, weighted=True)
    return list(report_metrics(context).values())


def paired(head: HeadType) -> list[Metric]:
    """Returns the metrics of two models together."""
    context = make_context(head, folds=FOLDS, weighted=True)
    return list(pair_metrics(replace(context, baseline=context.space)).values())


def with_baseline(sample: Scored) -> Scored:
    """Returns rows with a second model, whose scores are in the opposite order."""
    order = np.arange(len(sample))[::-1].copy()
    return replace(sample, baseline=replace(sample.take(order), weight=sample.weight))


def kish(values: Values) -> list[float]:
    """Returns the effective sizes of the rows that a weighted proportion is of."""
    trials = values.trials
    if trials is None or trials.weight is None or trials.weight_squared is None:
        return []
    used = trials.weight_squared > 0
    sizes: list[float] = (trials.weight[used] ** 2 / trials.weight_squared[used]).tolist()
    return sizes


def check(metric: Metric, state: State, where: str) -> None:
    with np.errstate(all="ignore"):
        values = metric.compute(state)
    assert values.value.shape == (len(state.keys),), where
    for i, value in enumerate(values.value.tolist()):
        assert math.isfinite(value), where
        if values.reason(i) is None:
            assert metric.low - SLACK <= value <= metric.high + SLACK, where
    for trials in (values.trials,) if values.trials else ():
        assert trials.rows.shape == values.value.shape, where
        assert (trials.rows >= 0).all(), where


def states(metric: Metric, sample: Scored) -> dict[str, State]:
    """Returns the states that a metric reads, by how they were made."""
    n, out = len(sample), {}
    keys = [OVERALL, (("a", "int", 1),)]
    segments = Segments(np.arange(n) % 2, keys, fold=(np.arange(n) // 2) % FOLDS)
    for statistic in {metric.statistic, metric.coarse or metric.statistic}:
        whole = fold_views(measure_state(statistic, sample, segments)).whole
        out[f"{statistic.folds} folds"] = whole
        out[f"{statistic.folds} folds, rows"] = without_weights(whole)
        if statistic.folds > 1:
            without = fold_views(measure_state(statistic, sample, segments)).without
            out["without a fold"] = without
            out["without a fold, rows"] = without_weights(without)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("name", samples("binary"))
@pytest.mark.parametrize("head", HEADS)
def test_every_metric_is_finite_and_within_bounds(head: HeadType, name: str) -> None:
    sample = samples(head)[name]
    known: dict[object, dict[str, State]] = {}
    for metric in offered(head):
        if (metric.statistic, metric.coarse) not in known:
            known[metric.statistic, metric.coarse] = states(metric, sample)
        for how, state in known[metric.statistic, metric.coarse].items():
            check(metric, state, f"{metric.name}, {how}")


ADDED = ("auc", "auc_precision_recall")
"""Metrics of `contrib_binary` for which TensorFlow 1.x adds a constant to sums of weights, beside
precision and recall at thresholds."""


def adds_a_constant(head: HeadType, name: str) -> bool:
    at_threshold = name.startswith(("precision/", "recall/"))
    return head == "contrib_binary" and (name in ADDED or at_threshold)


@pytest.mark.slow
@pytest.mark.parametrize("power", [-1070, 510])
@pytest.mark.parametrize("head", HEADS)
def test_weights_times_a_power_of_two(head: HeadType, power: int) -> None:
    sample = rows(head, 60)
    # So few digits that they are exact where they are subnormal.
    weight = np.random.default_rng(2).integers(0, 9, 60).astype(np.float64)
    known: dict[object, list[dict[str, State]]] = {}
    for metric in [*offered(head), *paired(head)]:
        key = (metric.statistic, metric.coarse)
        if key not in known:
            scaled = (replace(sample, weight=np.ldexp(weight, k)) for k in (0, power))
            known[key] = [states(metric, with_baseline(some)) for some in scaled]
        for how, plain in known[key][0].items():
            first, second = (in_units(read) for read in (plain, known[key][1][how]))
            with np.errstate(all="ignore"):
                expected, found = metric.compute(first), metric.compute(second)
            where = f"{metric.name}, {how}"
            value = expected.value
            if metric.total and second.exponents is not None and "weight" in plain.sums:
                value = np.ldexp(value, power - second.exponents)
            elif metric.total and "weight" in plain.sums:
                value = np.ldexp(value, power)
            if not (adds_a_constant(head, metric.name) and "weight" in plain.sums):
                assert found.value.tolist() == value.tolist(), where
            reasons = {text: mask.tolist() for text, mask in expected.reasons.items()}
            assert {text: mask.tolist() for text, mask in found.reasons.items()} == reasons, where
            assert kish(found) == kish(expected), where


@pytest.mark.parametrize("head", HEADS)
def test_no_rows(head: HeadType) -> None:
    for metric in offered(head):
        state = replace(zero_state(metric.statistic.without_folds()), keys=(OVERALL,))
        check(metric, state, metric.name)


@pytest.mark.parametrize("head", HEADS)
def test_names_are_used_once(head: HeadType) -> None:
    context = make_context(head)
    for kinds in (("estimator", "report"), ("pair",)):
        paired = context if kinds != ("pair",) else replace(context, baseline=context.space)
        names = [
            metric.name
            for types, kind, offer in registry._offered()
            if head in types and kind in kinds
            for metric in offer(paired)
        ]
        assert [name for name, times in Counter(names).items() if times > 1] == []
        assert all(name.isascii() and " " not in name for name in names)


@pytest.mark.parametrize("head", HEADS)
def test_every_metric_is_defined_in_words(head: HeadType) -> None:
    for metric in offered(head):
        assert metric.definition.endswith("."), metric.name
        assert len(metric.definition) > 15, metric.name
        assert metric.definition != inherited(metric), metric.name
        assert metric.low < metric.high, metric.name


@pytest.mark.slow
def test_the_order_does_not_depend_on_what_is_imported_first() -> None:
    program = """
import importlib, pkgutil, sys
import heads.metrics
names = [f"heads.metrics.{m.name}" for m in pkgutil.iter_modules(heads.metrics.__path__)]
for name in names if sys.argv[1] == "forward" else reversed(names):
    importlib.import_module(name)
from pipeline.config.load import load_config
from pipeline.evaluation.plan import make_plan
plan = make_plan(load_config("configs/binary.yaml"))
for head in plan.heads.values():
    print(*head.measured, *head.models[0].metrics, *head.pairs, sep="\\n")
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program, order], capture_output=True, text=True, check=True
        ).stdout
        for order in ("forward", "backward")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") > 100


def inherited(metric: Metric) -> str:
    """Returns the definition of a metric whose class has no docstring."""
    return " ".join((Metric.__doc__ or "").partition("\n\n")[0].split())


@pytest.mark.parametrize("head", HEADS)
def test_metrics_travel(head: HeadType) -> None:
    for metric in offered(head):
        assert pickle.loads(pickle.dumps(metric)) == metric


@pytest.mark.parametrize("head", HEADS)
def test_a_segment_does_not_depend_on_the_others(head: HeadType) -> None:
    n = 120
    sample = rows(head, n)
    keys = [(("slice", "int", i),) for i in range(5)]
    segments = Segments(np.random.default_rng(1).integers(0, 5, n), keys)
    known = {}
    for metric in offered(head):
        statistic = metric.statistic.without_folds()
        if statistic not in known:
            together = measure_state(statistic, sample, segments)
            known[statistic] = together, [together.take([i]) for i in range(5)]
        together, apart = known[statistic]
        with np.errstate(all="ignore"):
            values = metric.compute(together).value.tolist()
            assert values == [float(metric.compute(s).value[0]) for s in apart], metric.name


def test_the_estimator_has_no_metric_of_a_histogram() -> None:
    for head in HEADS:
        for metric in estimator_metrics(make_context(head)).values():
            assert not isinstance(metric.statistic, ScoreHistogram)
