"""What docs/metrics.md says of the estimator's digits, where float32 holds all that is stored."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from heads.metrics.core.context import HeadType
from tests.e2e.estimator import (
    AT_THRESHOLD,
    BINARY,
    CLASSES,
    HEADS,
    LIKELIER,
    LOSS,
    MEAN,
    NO_DIGIT,
    THRESHOLDED,
    Rows,
    assert_near,
    assert_same,
    estimator,
    family,
    far,
    make_head,
    of,
    report,
    single_row,
    single_weights,
    slices,
    stream,
    values,
)
from tests.heads.statistics.exactly import around_single

each_head = pytest.mark.parametrize("head", HEADS)
each_thresholded = pytest.mark.parametrize("head", THRESHOLDED)
seeds = pytest.mark.parametrize("seed", range(5))
AT_HALF = "positive_threshold_0.5"


def test_the_table_has_every_metric_of_the_estimator_once() -> None:
    told = [name for row in (NO_DIGIT, LIKELIER, AT_THRESHOLD, MEAN, LOSS) for name in row]
    known = {
        family(name, head) for head in HEADS for name in make_head(head, thresholds=[0.3]).metrics()
    }
    assert sorted(told) == sorted(known)


@seeds
@each_head
def test_no_digit_differs_in_any_slice(head: HeadType, seed: int) -> None:
    rows = replace(stream(head, seed), weights=single_weights(seed))
    groups = np.random.default_rng(seed).integers(0, 4, len(rows))
    found = slices(head, rows, groups=groups)
    parts = {None: rows, **{("g", "int", g): rows.take(groups == g) for g in range(4)}}
    assert found.keys() == parts.keys()
    for key, part in parts.items():
        assert_same(NO_DIGIT, estimator(head, part), values(found[key]), head)
        plain = estimator(head, replace(part, weights=None))
        shown = values(found[key], weighted=False)
        assert_same(NO_DIGIT | LIKELIER, plain, shown, head)


@seeds
@each_thresholded
def test_counts_far_from_thresholds(head: HeadType, seed: int) -> None:
    rows = stream(head, seed, count=800)
    rows = rows.take(far(rows.logits))
    whole = np.random.default_rng(seed).integers(0, 9, len(rows)).astype(float)
    for weights in (None, whole):
        rows = replace(rows, weights=weights)
        assert_same(LIKELIER | AT_THRESHOLD, estimator(head, rows), report(head, rows), head)
    rows = replace(rows, weights=single_weights(seed, len(rows)))
    estimated, reported = estimator(head, rows), report(head, rows)
    assert_same(LIKELIER | AT_THRESHOLD, estimated, reported, head, relative=1e-14)


@each_thresholded
def test_weights_may_be_added_in_another_order(head: HeadType) -> None:
    counts = LIKELIER | AT_THRESHOLD
    differ = set()
    for seed in range(8):
        rows = stream(head, seed)
        rows = rows.take(far(rows.logits))
        weights = 10 ** np.random.default_rng(seed).uniform(-6, 6, len(rows))
        rows = replace(rows, weights=weights.astype(np.float32))
        estimated, reported = estimator(head, rows), report(head, rows)
        assert_same(counts, estimated, reported, head, relative=1e-14)
        shown = of(counts, reported, head)
        differ |= {name for name, value in shown.items() if (value or 0) != estimated[name]}
    assert differ


@each_thresholded
def test_any_threshold(head: HeadType) -> None:
    rng = np.random.default_rng(0)
    thresholds = [0.9999999, 1e-37, *rng.random(10), *10 ** rng.uniform(-37, 0, 10)]
    thresholds += [*(1 - 10 ** rng.uniform(-7, 0, 10)), *(2.0 ** -np.arange(1, 5) * (1 + 1e-9))]
    thresholds = list({f"{threshold:g}": float(threshold) for threshold in thresholds}.values())
    middles = [math.log(threshold) - math.log1p(-threshold) for threshold in thresholds]
    near = [logit for middle in middles for logit in around_single(middle, 12)]
    logits = np.array(near, np.float32)
    logits = np.repeat(logits[far(logits[:, np.newaxis], thresholds), np.newaxis], 2, axis=0)
    assert len(logits) > 1000
    labels = (np.arange(len(logits)) % 2).reshape(-1, 1)
    if head == "multi_label":
        logits, labels = (np.repeat(array, CLASSES, axis=1) for array in (logits, labels))
    rows = Rows(logits, labels)
    estimated, reported = (measure(head, rows, thresholds) for measure in (estimator, report))
    assert_same(AT_THRESHOLD, estimated, reported, head)


@pytest.mark.parametrize("threshold", [1 - 2.0**-26, 1e-44])
def test_a_threshold_that_float32_does_not_hold_well(threshold: float) -> None:
    middle = math.log(threshold) - math.log1p(-threshold)
    away = 0.01 if threshold < 0.5 else 2 * 1.2e-7 / (1 - threshold)
    rows = Rows(np.array([[middle + away]], np.float32), np.array([[1]]))
    assert far(rows.logits, [threshold]).all()
    name = f"recall/positive_threshold_{threshold:g}"
    assert report("binary", rows, [threshold])[name] == 1
    assert estimator("binary", rows, [threshold])[name] == 0


def test_the_example_of_the_page() -> None:
    rows = Rows(np.array([[-1.0], [1e-9], [1.0]]), np.array([[0], [1], [1]]))
    name = f"accuracy/{AT_HALF}"
    for kept in (rows, Rows(rows.logits.astype(np.float32), rows.labels)):
        estimated, reported = estimator("binary", kept, [0.5]), report("binary", kept, [0.5])
        assert (reported[name], estimated[name]) == (1, 2 / 3)
        assert reported["accuracy"] == estimated["accuracy"] == 1


@pytest.mark.parametrize("head", BINARY)
def test_the_report_alone_is_above_a_half(head: HeadType) -> None:
    past = float(np.nextafter(np.float32(2.0**-23), np.float32(1)))
    recall = f"recall/{AT_HALF}"
    for logit in (0.0, 1e-45, 1e-9, 2.0**-23, past):
        rows = single_row(logit, 1)
        estimated, reported = estimator(head, rows, [0.5]), report(head, rows, [0.5])
        assert ((reported[recall] or 0) > 0.5) == (logit > 0), logit
        assert (estimated[recall] > 0.5) == (logit == past), logit
        assert estimated["recall"] == reported["recall"] == (logit > 0)


def test_the_estimator_alone_is_at_least_a_half_in_accuracy_of_contrib() -> None:
    past = float(np.nextafter(np.float32(-(2.0**-24)), np.float32(-1)))
    name = f"accuracy/{AT_HALF}"
    for logit in (0.0, -1e-45, -(2.0**-24), past):
        rows = single_row(logit, 1)
        assert report("contrib_binary", rows, [0.5])[name] == (logit == 0), logit
        assert estimator("contrib_binary", rows, [0.5])[name] == (logit != past), logit


@seeds
@each_head
@pytest.mark.parametrize("rounded", [True, False])
def test_means(head: HeadType, seed: int, rounded: bool) -> None:
    rows = replace(stream(head, seed, rounded=rounded), weights=single_weights(seed))
    for measured in (rows, replace(rows, weights=None)):
        assert_near(measured, estimator(head, measured), report(head, measured), head)


@each_head
@pytest.mark.parametrize("rounded", [True, False])
def test_means_of_the_worst_rows(head: HeadType, rounded: bool) -> None:
    rng = np.random.default_rng(0)
    logits = rng.uniform(0.5, 4, (60_000, stream(head, 0).logits.shape[1]))
    if rounded:
        logits = logits.astype(np.float32)
    labels = rng.integers(0, 2, (len(logits), 1 if head == "multi_class" else logits.shape[1]))
    rows, exact = Rows(logits, labels), logits.astype(float)
    single, double = (make_head(head).score(x, labels) for x in (exact.astype(np.float32), exact))
    loss = (single.loss - double.loss) / (double.loss + np.abs(exact).max(axis=1))
    # Those that differ the most, all to one side.
    lossy = rows.take(np.argsort(loss)[-50:])
    estimated, reported = estimator(head, lossy), report(head, lossy)
    assert_near(lossy, estimated, reported, head)
    assert abs(estimated["average_loss"] - (reported["average_loss"] or 0)) > 5e-8
    if head == "multi_class":
        return
    name = "probability_mean/class0" if head == "multi_label" else "prediction/mean"
    off = rows.take(np.argsort((single.probability - double.probability)[:, 0])[-50:])
    estimated, reported = estimator(head, off), report(head, off)
    assert_near(off, estimated, reported, head)
    assert estimated[name] - (reported[name] or 0) > (2.5e-8 if rounded else 3.5e-8)
