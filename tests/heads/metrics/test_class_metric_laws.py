"""Metrics of classes and of two models: by segment, without a fold, and without weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heads.metrics import (
    class_means,
    class_rates,
    flip_rates,
    label_sets,
    macro_roc_auc,
    multi_class_agreement,
    pair_rates,
    top_rates,
    weighted_kappa,
)
from heads.metrics.core.context import HeadType
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import pair_metrics, report_metrics
from heads.statistics import OVERALL, Scored, Segments
from heads.statistics.fold_views import fold_views, without_weights
from heads.statistics.measure import measure_state
from heads.statistics.state import zero_state
from tests.heads.metrics.class_rows import exclusive, independent, make_context

MODULES = {
    module.__name__
    for module in (
        class_means,
        class_rates,
        flip_rates,
        label_sets,
        macro_roc_auc,
        multi_class_agreement,
        pair_rates,
        top_rates,
        weighted_kappa,
    )
}
HEADS: tuple[HeadType, ...] = ("multi_class", "multi_label", "binary")
FOLDS = 4
KEYS = [(("part", "int", i),) for i in range(5)]

for_all_heads = pytest.mark.parametrize("head", HEADS)


def metrics(head: HeadType, *, weighted: bool = True, folds: int = FOLDS) -> list[Metric]:
    """Returns the metrics of the modules above, both of a model and of two models together."""
    context = replace(make_context(head, weighted=weighted), folds=folds)
    offered = [*report_metrics(context).values(), *pair_metrics(context).values()]
    return [metric for metric in offered if type(metric).__module__ in MODULES]


def sample(head: HeadType) -> tuple[Scored, Segments]:
    """Returns rows in segments and folds; some segments and folds have few rows, or none."""
    rng = np.random.default_rng(11)
    n = 90
    classes = (0, 1, 2, 3)
    columns = 1 if head == "binary" else 4
    candidate, baseline = (
        exclusive(rng, n, classes, classes)
        if head == "multi_class"
        else independent(rng, n, columns, (0, 1, 0.5))
        for _ in range(2)
    )
    rows = replace(
        candidate, baseline=replace(baseline, label=candidate.label, weight=candidate.weight)
    )
    index = rng.choice(5, n, p=[0.5, 0.3, 0.15, 0.03, 0.02])
    index[:5] = range(5)
    fold = np.where(index == 2, 1, rng.integers(0, FOLDS, n))
    return rows, Segments(index, KEYS, fold=fold)


@for_all_heads
def test_a_segment_does_not_depend_on_the_others(head: HeadType) -> None:
    rows, segments = sample(head)
    for metric in metrics(head, folds=1):
        state = measure_state(metric.statistic, rows, segments)
        together = metric.compute(state)
        assert together.value.shape == (5,)
        for i in range(5):
            alone = metric.compute(state.take([i]))
            assert alone.value.tolist() == [together.value[i]], metric.name
            assert alone.reason(0) == together.reason(i), metric.name


@pytest.mark.slow
@for_all_heads
def test_without_a_fold_is_as_if_its_rows_were_not_there(head: HeadType) -> None:
    rows, segments = sample(head)
    assert segments.fold is not None
    for metric in metrics(head):
        for statistic in filter(None, (metric.statistic, metric.coarse)):
            plain = statistic.without_folds()
            views = fold_views(measure_state(statistic, rows, segments))
            folds = statistic.folds
            actual = metric.compute(views.without)
            assert np.isfinite(actual.value).all()
            for place in range(5 * folds):
                key, fold = place // folds, place % folds
                chosen = (segments.index == key) & ((segments.fold != fold) | (folds == 1))
                if folds == 1 or not chosen.any():
                    continue
                rows_left = np.flatnonzero(chosen)
                expected = metric.compute(
                    measure_state(plain, rows.take(rows_left), Segments.overall(len(rows_left)))
                )
                assert actual.reason(place) == expected.reason(0), metric.name
                # Cells left empty may change in which order a curve is added up.
                assert actual.value[place] == pytest.approx(expected.value[0], abs=1e-14)
                if actual.trials is not None:
                    assert expected.trials is not None
                    assert actual.trials.rows[place] == expected.trials.rows[0]


@for_all_heads
def test_without_weights_is_as_if_there_were_none(head: HeadType) -> None:
    rows, segments = sample(head)
    bare = replace(rows, weight=None)
    plain = {metric.name: metric for metric in metrics(head, weighted=False)}
    for metric in metrics(head):
        views = fold_views(measure_state(metric.statistic, rows, segments))
        bare_views = fold_views(measure_state(plain[metric.name].statistic, bare, segments))
        for state, bare_state in (
            (views.whole, bare_views.whole),
            (views.without, bare_views.without),
        ):
            actual, expected = metric.compute(without_weights(state)), metric.compute(bare_state)
            assert actual.value.tolist() == expected.value.tolist(), metric.name
            assert [actual.reason(i) for i in range(5)] == [expected.reason(i) for i in range(5)]


@for_all_heads
def test_proportions_know_what_they_are_a_share_of(head: HeadType) -> None:
    rows, segments = sample(head)
    proportions = [m for m in metrics(head) if m.name.startswith(("precision/", "recall/", "flip"))]
    others = ("/macro", "/weighted", "/top_2")
    proportions = [m for m in proportions if not m.name.endswith(others)]
    assert proportions
    for metric in proportions:
        trials = metric.compute(
            fold_views(measure_state(metric.statistic, rows, segments)).whole
        ).trials
        assert trials is not None, metric.name
        assert trials.weight is not None
        assert trials.weight_squared is not None
        # By the inequality of Cauchy and Schwarz.
        effective = trials.weight**2
        assert (effective <= trials.rows * trials.weight_squared * (1 + 1e-12)).all(), metric.name
        assert (trials.rows <= 4 * len(rows)).all()


@for_all_heads
def test_no_rows_at_all(head: HeadType) -> None:
    for metric in metrics(head, folds=1):
        nothing = metric.compute(replace(zero_state(metric.statistic), keys=(OVERALL,)))
        assert nothing.value.tolist() == [0.0], metric.name
        assert nothing.reason(0), metric.name


@for_all_heads
def test_what_metrics_say_of_themselves(head: HeadType) -> None:
    for metric in metrics(head):
        assert metric.definition.endswith("."), metric.name
        assert metric.low < metric.high
