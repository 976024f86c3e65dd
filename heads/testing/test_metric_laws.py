"""Laws that hold of every metric: of those of headcount, or of the plugins that are named."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from heads.metrics.core import registry
from heads.metrics.core.context import HeadType
from heads.metrics.core.contract import check_metric
from heads.metrics.core.metric import Metric, Values
from heads.metrics.core.plugins import PluginError, load_plugin
from heads.metrics.core.registry import pair_metrics, report_metrics
from heads.statistics import OVERALL, Scored, Segments, State
from heads.statistics.codec import encode
from heads.statistics.fold_views import fold_views, without_weights
from heads.statistics.measure import measure_state
from heads.statistics.state import zero_state
from heads.statistics.units import in_units
from heads.testing.contexts import make_context, sigmoid

HEADS = get_args(HeadType)
SLACK = 1e-12
FOLDS = 4


def rows(head: HeadType, n: int, seed: int = 0) -> Scored:
    context, rng = make_context(head), np.random.default_rng(seed)
    score = rng.normal(0, 2, (n, context.columns)).round(1)
    probability = sigmoid(score)
    label = rng.integers(0, 2, (n, context.columns)).astype(np.float64)
    predicted = interval = None
    if context.regression:
        probability = {"regression": score, "poisson": np.exp(score)}.get(head, probability)
        interval = np.hstack([probability - 0.5, probability + 0.5])
    if head == "multi_class":
        probability = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
        label = rng.integers(0, context.columns, (n, 1)).astype(np.float64)
        predicted = score.argmax(axis=1)
    weight, class_loss = rng.uniform(0.1, 3, n), None
    if head == "multi_label":
        class_loss = rng.random(score.shape)
    return Scored(
        score,
        probability,
        label,
        rng.random(n),
        weight,
        predicted,
        class_loss=class_loss,
        interval=interval,
    )


def samples(head: HeadType) -> dict[str, Scored]:
    """Returns samples of rows that are hard for metrics."""
    some, few = rows(head, 60), rows(head, 3, seed=1)
    assert some.weight is not None
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


@pytest.fixture(scope="session")
def plugins(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The modules whose metrics are tested; empty for those of headcount."""
    names = request.config.getoption("headcount_plugins", default=None) or ()
    directory = str(request.config.invocation_params.dir)
    try:
        return tuple(load_plugin(name, directory).module for name in names)
    except PluginError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def offered(head: HeadType, plugins: tuple[str, ...]) -> list[Metric]:
    """The metrics of a model, and those of two models together."""
    context = make_context(head, folds=FOLDS, weighted=True)
    context = replace(context, plugins=plugins, baseline=context.space)
    metrics = {**report_metrics(context), **pair_metrics(context)}
    if plugins:
        plain = replace(context, plugins=())
        ours = {*report_metrics(plain), *pair_metrics(plain)}
        metrics = {name: metric for name, metric in metrics.items() if name not in ours}
    if not metrics:
        pytest.skip(f"a {head} head has no such metrics")
    return list(metrics.values())


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
def test_every_metric_is_finite_and_within_bounds(
    head: HeadType, name: str, offered: list[Metric]
) -> None:
    sample = with_baseline(samples(head)[name])
    known: dict[object, dict[str, State]] = {}
    for metric in offered:
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
def test_weights_times_a_power_of_two(head: HeadType, power: int, offered: list[Metric]) -> None:
    sample = rows(head, 60)
    # So few digits that they are exact where they are subnormal.
    weight = np.random.default_rng(2).integers(0, 9, 60).astype(np.float64)
    known: dict[object, list[dict[str, State]]] = {}
    for metric in offered:
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
def test_no_rows(head: HeadType, offered: list[Metric]) -> None:
    for metric in offered:
        state = replace(zero_state(metric.statistic.without_folds()), keys=(OVERALL,))
        check(metric, state, metric.name)


@pytest.mark.parametrize("head", HEADS)
def test_names_are_used_once(head: HeadType, plugins: tuple[str, ...]) -> None:
    context = replace(make_context(head), plugins=plugins)
    for kinds in (("estimator", "report"), ("pair",)):
        paired = context if kinds != ("pair",) else replace(context, baseline=context.space)
        names = [
            metric.name
            for types, kind, offer in registry._offered(plugins)
            if head in types and kind in kinds
            for metric in offer(paired)
        ]
        assert [name for name, times in Counter(names).items() if times > 1] == []
        assert all(name.isascii() and " " not in name for name in names)


@pytest.mark.parametrize("head", HEADS)
def test_every_metric_holds_the_contract(head: HeadType, offered: list[Metric]) -> None:
    for metric in offered:
        check_metric(metric)
        assert metric.definition.endswith("."), metric.name
        assert len(metric.definition) > 15, metric.name


@pytest.mark.parametrize("head", HEADS)
def test_equal_states_give_equal_values(head: HeadType, offered: list[Metric]) -> None:
    sample = with_baseline(rows(head, 20))
    known: dict[object, State] = {}
    for metric in offered:
        statistic = metric.statistic.without_folds()
        if statistic not in known:
            known[statistic] = measure_state(statistic, sample, Segments.overall(len(sample)))
        state = known[statistic]
        before = encode(state)
        with np.errstate(all="ignore"):
            first, second = metric.compute(state), metric.compute(state)
        assert first.value.tobytes() == second.value.tobytes(), metric.name
        assert encode(state) == before, f"{metric.name} changes the state that it reads"


@pytest.mark.parametrize("head", HEADS)
def test_a_segment_does_not_depend_on_the_others(head: HeadType, offered: list[Metric]) -> None:
    n = 120
    sample = with_baseline(rows(head, n))
    keys = [(("slice", "int", i),) for i in range(5)]
    segments = Segments(np.random.default_rng(1).integers(0, 5, n), keys)
    known = {}
    for metric in offered:
        statistic = metric.statistic.without_folds()
        if statistic not in known:
            together = measure_state(statistic, sample, segments)
            known[statistic] = together, [together.take([i]) for i in range(5)]
        together, apart = known[statistic]
        with np.errstate(all="ignore"):
            values = metric.compute(together).value.tolist()
            assert values == [float(metric.compute(s).value[0]) for s in apart], metric.name
