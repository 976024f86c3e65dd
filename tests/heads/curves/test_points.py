"""Curves of the report: scikit-learn's, thinned, and plain enough for JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve as sk_calibration_curve

from heads.curves.points import (
    MAX_POINTS,
    calibration_curve,
    gain_curve,
    precision_recall_curve,
    roc_curve,
)
from heads.metrics.core.registry import report_metrics
from heads.metrics.core.score_curve import ScoreCurve, score_curves
from heads.statistics import OVERALL
from heads.statistics.cuts import ScoreSpace
from heads.statistics.state import zero_state
from tests.heads.metrics.samples import (
    Floats,
    Sample,
    law,
    make_context,
    measure,
    random_sample,
    result,
    samples,
    scored,
    sigmoid,
)

LOGITS = ScoreSpace("logits")


def make_curve(sample: Sample) -> ScoreCurve:
    histogram = make_context(weighted=sample[2] is not None).score_histogram
    (score_curve,) = score_curves(measure(histogram, scored(*sample)), None)
    return score_curve


def place_of(threshold: float | None, cut: Floats) -> int:
    """The place in scikit-learn's logits of the lowest whose probability is above a threshold."""
    assert threshold is not None
    return int(np.argmin(np.where(sigmoid(cut) > threshold, cut, np.inf)))


@pytest.mark.parametrize("weighted", [False, True])
def test_roc_curve(weighted: bool) -> None:
    score, label, weight = random_sample(0, weighted=weighted)
    points = roc_curve(make_curve((score, label, weight)), LOGITS)
    fpr, tpr, cut = sk.roc_curve(label, score, sample_weight=weight, drop_intermediate=False)
    assert points["threshold"][0] is points["logit_threshold"][0] is None
    at = [0, *(place_of(t, cut) for t in points["threshold"][1:])]
    assert at == [0, *(place_of(sigmoid(x), cut) for x in points["logit_threshold"][1:])]
    assert points["false_positive_rate"] == pytest.approx(fpr[at])
    assert points["recall"] == pytest.approx(tpr[at])
    # What is left out is on the line.
    area = sk.auc(points["false_positive_rate"], points["recall"])
    assert area == pytest.approx(sk.auc(fpr, tpr), rel=1e-12)


def test_points_on_a_line_are_left_out() -> None:
    points = roc_curve(
        make_curve((np.arange(8.0), np.array([0, 0, 0, 1, 0, 1, 1, 1]), None)), LOGITS
    )
    assert points["recall"] == [0, 0.75, 0.75, 1, 1]
    assert points["false_positive_rate"] == [0, 0, 0.25, 0.25, 1]


@pytest.mark.parametrize("weighted", [False, True])
def test_precision_recall_curve(weighted: bool) -> None:
    score, label, weight = random_sample(1, weighted=weighted)
    points = precision_recall_curve(make_curve((score, label, weight)), LOGITS)
    precision, recall, cut = sk.precision_recall_curve(label, score, sample_weight=weight)
    at = [place_of(t, cut) for t in points["threshold"]]
    assert at == [place_of(sigmoid(x), cut) for x in points["logit_threshold"]]
    assert points["precision"] == pytest.approx(precision[at])
    assert points["recall"] == pytest.approx(recall[at])
    assert points["recall"][-1] == 1
    assert score[score > points["logit_threshold"][0]].tolist() == [score.max()]
    # No recall that occurs is left out.
    assert set(np.round(recall[:-1], 9)) == set(np.round(points["recall"], 9))


def test_long_curves_are_thinned() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=20_000)
    label = (rng.random(20_000) < sigmoid(score)).astype(float)
    curve = make_curve((score, label, rng.uniform(0.1, 2, 20_000)))
    roc = roc_curve(curve, LOGITS)
    x, y = roc["false_positive_rate"], roc["recall"]
    assert MAX_POINTS * 0.9 < len(x) <= MAX_POINTS
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    exact, _ = result(report_metrics(make_context())["roc_auc"], scored(score, label))
    assert sk.auc(x, y) == pytest.approx(exact, abs=0.02)
    assert max(np.hypot(np.diff(x), np.diff(y))) < 0.02
    precision_recall = precision_recall_curve(curve, LOGITS)
    assert MAX_POINTS / 4 < len(precision_recall["recall"]) <= MAX_POINTS
    assert precision_recall["recall"][-1] == 1
    for points in (roc, precision_recall):
        thresholds = points["threshold"][1:]
        assert thresholds == sorted(thresholds, reverse=True)
    assert roc_curve(curve, LOGITS) == roc


def test_gain_curve() -> None:
    sample = random_sample(3)
    points = gain_curve(make_curve(sample))
    assert len(points["share"]) == 101
    metrics, rows = report_metrics(make_context(weighted=True)), scored(*sample)
    for decile in range(1, 10):
        assert points["share"][10 * decile] == decile / 10
        wanted = result(metrics[f"gain/decile_{decile}"], rows)[0]
        assert points["gain"][10 * decile] == pytest.approx(wanted)
    assert (points["gain"][0], points["gain"][-1]) == (0, 1)


def test_gains_of_rounded_scores_have_bounds() -> None:
    score, label, weight = random_sample(3)
    sample = (score + np.arange(len(score)) * 1e-9, label, weight)
    rows = scored(*sample)
    statistic = make_context(weighted=True).score_histogram
    exact, rounded = (
        gain_curve(score_curves(measure(replace(statistic, max_cells=cells), rows), None)[0])
        for cells in (1 << 14, 16)
    )
    assert set(exact) == {"share", "gain"}
    assert rounded["lowest"] != rounded["highest"]
    places = zip(rounded["lowest"], exact["gain"], rounded["gain"], rounded["highest"], strict=True)
    for low, gain, rounded_gain, high in places:
        assert low - 1e-12 <= gain <= high + 1e-12
        assert low <= rounded_gain <= high


@pytest.mark.parametrize("weighted", [False, True])
def test_calibration_curve(weighted: bool) -> None:
    score, label, weight = random_sample(4, n=100, weighted=weighted)
    # Off the edges, which scikit-learn puts into the lower bin.
    score, context = score + 0.03, make_context(weighted=weighted)
    bins = calibration_curve(
        measure(context.calibration_counts, scored(score, label, weight)), context
    )
    assert [bin_["low"] for bin_ in bins] == [i / 10 for i in range(10)]
    assert sum(bin_["rows"] for bin_ in bins) == 100
    full = [bin_ for bin_ in bins if bin_["rows"]]
    assert all(bin_["mean_label"] is None for bin_ in bins if not bin_["rows"])
    if not weighted:
        observed, predicted = sk_calibration_curve(label, sigmoid(score), n_bins=10)
        assert [bin_["mean_label"] for bin_ in full] == pytest.approx(observed)
        assert [bin_["mean_probability"] for bin_ in full] == pytest.approx(predicted)
    else:
        assert sum(bin_["weight"] for bin_ in bins) == pytest.approx(weight.sum())
        error = sum(
            abs(bin_["mean_label"] - bin_["mean_probability"]) * bin_["weight"] for bin_ in full
        )
        metric = report_metrics(context)["expected_calibration_error"]
        wanted = result(metric, scored(score, label, weight))[0]
        assert error / weight.sum() == pytest.approx(wanted)


@law
@given(samples())
def test_json_holds_them(sample: Sample) -> None:
    curve, context = make_curve(sample), make_context(weighted=sample[2] is not None)
    for points in (
        roc_curve(curve, LOGITS),
        precision_recall_curve(curve, LOGITS),
        gain_curve(curve),
    ):
        assert len({len(column) for column in points.values()}) == 1
        json.dumps(points, allow_nan=False)
    state = measure(context.calibration_counts, scored(*sample))
    json.dumps(calibration_curve(state, context), allow_nan=False)
    if not sample[1].any():
        assert gain_curve(curve)["gain"] == precision_recall_curve(curve, LOGITS)["recall"] == []
    if len(set(sample[1])) == 1:
        assert roc_curve(curve, LOGITS)["recall"] == []


def test_no_rows_are_no_points() -> None:
    context = make_context()
    (empty,) = score_curves(replace(zero_state(context.score_histogram), keys=(OVERALL,)), None)
    assert roc_curve(empty, LOGITS)["recall"] == []
    assert precision_recall_curve(empty, LOGITS)["recall"] == gain_curve(empty)["gain"] == []
