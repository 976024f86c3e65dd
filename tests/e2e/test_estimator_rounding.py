"""What docs/metrics.md says of the estimator's digits, where float32 rounds what is stored."""

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
    THRESHOLDS,
    Array,
    Rows,
    assert_near,
    assert_same,
    estimator,
    far,
    of,
    probabilities,
    report,
    single_row,
    single_weights,
    stream,
)

each_head = pytest.mark.parametrize("head", HEADS)
each_binary = pytest.mark.parametrize("head", BINARY)
each_thresholded = pytest.mark.parametrize("head", THRESHOLDED)
seeds = pytest.mark.parametrize("seed", range(5))

MULTI_CLASS = frozenset({"accuracy of multi_class"})
OF_LABELS = frozenset({"label/mean", "accuracy_baseline"})
COUNTS = LIKELIER | AT_THRESHOLD


def gap(scores: Array) -> Array:
    """By how much the highest score of each row exceeds the second."""
    ordered = np.sort(scores.astype(float), axis=1)
    return ordered[:, -1] - ordered[:, -2]


# Logits.


@seeds
@each_head
def test_logits_that_float32_rounds(head: HeadType, seed: int) -> None:
    rows = stream(head, seed, rounded=False)
    assert (rows.logits != rows.logits.astype(np.float32)).any()
    whole = np.random.default_rng(seed).integers(0, 9, len(rows)).astype(float)
    rows = replace(rows, weights=whole)
    areas = replace(rows, weights=single_weights(seed))
    assert_same(NO_DIGIT - MULTI_CLASS, estimator(head, areas), report(head, areas), head)
    clear = far(rows.logits)
    if head == "multi_class":
        clear = gap(rows.logits) > 1.2e-7 * np.abs(rows.logits).max(axis=1)
    kept = rows.take(clear)
    assert_same(NO_DIGIT | COUNTS, estimator(head, kept), report(head, kept), head)


def test_a_logit_that_float32_rounds_past_a_threshold() -> None:
    rows = Rows(np.array([[-9.2102399]]), np.array([[1]]))
    middle = math.log(0.0001) - math.log1p(-0.0001)
    assert 1.2e-7 / (1 - 0.0001) < rows.logits[0, 0] - middle < 6e-8 * 9.2
    name = "recall/positive_threshold_0.0001"
    assert report("binary", rows, [0.0001])[name] == 1
    assert estimator("binary", rows, [0.0001])[name] == 0


def test_the_highest_logits_that_float32_makes_equal() -> None:
    tied = Rows(np.array([[1.0, 1.0 + 5e-8, 0.0]]), np.array([[1]]))
    assert report("multi_class", tied)["accuracy"] == 1
    assert estimator("multi_class", tied)["accuracy"] == 0
    assert estimator("multi_class", replace(tied, labels=np.array([[0]])))["accuracy"] == 1


# Weights and labels.


@each_head
def test_weights_that_float32_rounds(head: HeadType) -> None:
    rows = stream(head, 0)
    rows = rows.take(far(rows.logits))
    candidates = np.random.default_rng(0).uniform(1, 1.1, 20 * len(rows))
    # Rounding raises some weights and lowers others, as much as it can.
    ordered = candidates[np.argsort(candidates.astype(np.float32) - candidates)]
    if head == "multi_class":
        raised = rows.logits.argmax(axis=1) == rows.labels[:, 0]
    else:
        raised = rows.labels[:, 0] != 0
    weights = np.where(raised, ordered[-len(rows) :], ordered[: len(rows)])
    rows = replace(rows, weights=weights)
    estimated, reported = estimator(head, rows), report(head, rows)
    assert_same(NO_DIGIT | COUNTS, estimated, reported, head, relative=2.4e-7)
    held = report(head, replace(rows, weights=weights.astype(np.float32)))
    assert_same(MEAN | LOSS, held, reported, head, relative=2.4e-7)
    counted = of(NO_DIGIT | COUNTS, estimated, head)
    assert max(abs(value / (reported[name] or 1) - 1) for name, value in counted.items()) > 3e-8


@each_thresholded
def test_soft_labels_that_float32_rounds(head: HeadType) -> None:
    rows = stream(head, 0)
    rows = rows.take(far(rows.logits))
    candidates = np.random.default_rng(0).uniform(0.5, 1, 10 * rows.labels.size)
    error = candidates.astype(np.float32) - candidates
    labels = candidates[np.argsort(error)[-rows.labels.size :]].reshape(rows.labels.shape)
    rows = replace(rows, labels=np.where(rows.labels == 0, 0.0, labels))
    estimated, reported = estimator(head, rows), report(head, rows)
    assert_same((NO_DIGIT - OF_LABELS) | COUNTS, estimated, reported, head)
    assert_near(rows, estimated, reported, head)
    for name, value in of(OF_LABELS, estimated, head).items():
        assert 0 < abs(value - (reported[name] or 0)) <= 3e-8, name


@each_thresholded
def test_a_label_that_float32_rounds_to_one(head: HeadType) -> None:
    name = "accuracy/positive_threshold_0.5"
    width = CLASSES if head == "multi_label" else 1
    for label, right in ((0.99999998, 1), (0.99999996, 0)):
        rows = Rows(np.full((1, width), 3.0), np.full((1, width), label))
        assert report(head, rows)[name] == 0
        assert estimator(head, rows)[name] == right


# The estimator's probabilities.


@seeds
@each_head
def test_probabilities_in_place_of_logits(head: HeadType, seed: int) -> None:
    rows = replace(stream(head, seed), weights=single_weights(seed))
    chances = probabilities(head, rows.logits)
    estimated, reported = estimator(head, rows), report(head, rows, scores=chances)
    assert_same((NO_DIGIT - MULTI_CLASS) | MEAN, estimated, reported, head)
    whole = np.random.default_rng(seed).integers(0, 9, len(rows)).astype(float)
    rows = replace(rows, weights=whole)
    near = np.zeros(rows.logits.shape, bool)
    for threshold in THRESHOLDS:
        near |= (chances == np.float32(threshold)) & (float(np.float32(threshold)) != threshold)
    tied = (rows.logits > 0) & (rows.logits <= 2.0**-23)
    assert head == "multi_class" or near.any()
    for names, unsure in ((AT_THRESHOLD, near), (LIKELIER, tied)):
        clear = ~unsure.any(axis=1)
        kept = rows.take(clear)
        shown = report(head, kept, scores=chances[clear])
        assert_same(names, estimator(head, kept), shown, head)
    clear = gap(rows.logits) > 1.2e-7 if head == "multi_class" else np.ones(len(rows), bool)
    kept = rows.take(clear)
    assert_same(MULTI_CLASS, estimator(head, kept), report(head, kept, scores=chances[clear]), head)


@pytest.mark.parametrize(
    ("head", "name", "threshold"),
    [
        ("binary", "recall/positive_threshold_0.3", 0.3),
        ("contrib_binary", "accuracy/positive_threshold_0.7", 0.7),
    ],
)
def test_a_probability_that_is_what_float32_makes_of_a_threshold(
    head: HeadType, name: str, threshold: float
) -> None:
    logits = np.float32(math.log(threshold / (1 - threshold))) + np.linspace(
        -1e-6, 1e-6, 101, dtype=np.float32
    )
    chances = probabilities(head, logits[:, np.newaxis])
    (place, *_) = np.flatnonzero(chances[:, 0] == np.float32(threshold))
    rows = single_row(logits[place], 1)
    shown = report(head, rows, [threshold], scores=chances[[place]])[name]
    assert shown == (float(np.float32(threshold)) > threshold)
    assert estimator(head, rows, [threshold])[name] == (shown == 0)


@each_binary
def test_a_probability_of_a_half_has_lost_the_class(head: HeadType) -> None:
    past = float(np.nextafter(np.float32(2.0**-23), np.float32(1)))
    for logit in (1e-9, 2.0**-23, past):
        rows = single_row(logit, 1)
        chances = probabilities(head, rows.logits)
        assert (chances == 0.5).all() == (logit < past)
        assert report(head, rows, scores=chances)["accuracy"] == (logit == past)
        assert estimator(head, rows)["accuracy"] == 1


def test_equal_probabilities_have_lost_the_class() -> None:
    rows = Rows(np.array([[0.0, 1e-8, -1.0]], np.float32), np.array([[1]]))
    chances = probabilities("multi_class", rows.logits)
    assert chances[0, 0] == chances[0, 1]
    assert estimator("multi_class", rows)["accuracy"] == 1
    assert report("multi_class", rows, scores=chances)["accuracy"] == 0


def test_a_probability_near_one_has_lost_digits_of_the_loss() -> None:
    differences = []
    for logit in np.linspace(9.999, 10.0, 60, dtype=np.float32):
        rows = single_row(logit, 0)
        shown = report("binary", rows, scores=probabilities("binary", rows.logits))["average_loss"]
        differences.append(abs((shown or 0) - estimator("binary", rows)["average_loss"]))
    assert 5e-4 < max(differences) <= 7e-4


@pytest.mark.parametrize(
    ("logits", "label", "infinite"),
    [
        ([17.32], 0, False),
        ([17.33], 0, True),
        ([-103.9], 1, False),
        ([-104.0], 1, True),
        ([0.0, -104.5, 0.0], 1, True),
    ],
)
def test_a_probability_of_nothing_is_an_infinite_loss(
    logits: list[float], label: int, infinite: bool
) -> None:
    head: HeadType = "binary" if len(logits) == 1 else "multi_class"
    rows = Rows(np.array([logits], np.float32), np.array([[label]]))
    shown = report(head, rows, scores=probabilities(head, rows.logits))["average_loss"]
    assert (shown is None) == infinite
    assert math.isfinite(estimator(head, rows)["average_loss"])


# Numbers outside the range of float32.


def test_numbers_that_are_zero_to_float32() -> None:
    logit = Rows(np.array([[7e-46]]), np.array([[1]]))
    assert (report("binary", logit)["accuracy"], estimator("binary", logit)["accuracy"]) == (1, 0)
    weight = replace(single_row(1.0, 1), weights=np.array([7e-46]))
    assert (report("binary", weight)["recall"], estimator("binary", weight)["recall"]) == (1, 0)
    label = single_row(1.0, 7e-46)
    assert (report("binary", label)["recall"], estimator("binary", label)["recall"]) == (1, 0)


def test_numbers_of_fewer_digits_in_float32() -> None:
    pair = Rows(np.ones((2, 1), np.float32), np.array([[1], [0]]), np.array([1e-45, 2e-45]))
    assert report("binary", pair)["label/mean"] == pytest.approx(1 / 3)
    assert estimator("binary", pair)["label/mean"] == 0.5
    tied = Rows(np.array([[1e-40, 1.000001e-40, 0.0]]), np.array([[1]]))
    assert gap(tied.logits) > 1.2e-7 * tied.logits.max()
    accuracies = (measure("multi_class", tied)["accuracy"] for measure in (report, estimator))
    assert tuple(accuracies) == (1, 0)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_numbers_that_are_infinite_to_float32() -> None:
    logit = Rows(np.array([[3.403e38]]), np.array([[1]]))
    assert report("binary", logit)["average_loss"] == 0
    assert math.isnan(estimator("binary", logit)["average_loss"])
    weight = replace(single_row(1.0, 1), weights=np.array([3.403e38]))
    assert report("binary", weight)["accuracy"] == 1
    assert math.isnan(estimator("binary", weight)["accuracy"])
