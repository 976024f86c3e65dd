"""Operating points, best F1 and the Kolmogorov-Smirnov statistic."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.metrics import f1_score, precision_recall_curve, roc_curve

from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import report_metrics
from heads.statistics import Scored, ScoreHistogram
from heads.statistics.cuts import ScoreSpace
from heads.statistics.score_cells import logit_bits, lowest_scores, ordered
from tests.heads.metrics.samples import (
    AT,
    FEW_CELLS,
    Sample,
    law,
    make_context,
    measure,
    random_sample,
    result,
    samples,
    scored,
)
from tests.heads.statistics.exactly import sigmoid as exact_sigmoid

NAMES = (
    *(f"precision_at_recall_{at:g}" for at in AT.recall),
    *(f"recall_at_precision_{at:g}" for at in AT.precision),
    *(f"sensitivity_at_specificity_{at:g}" for at in AT.specificity),
    *(f"recall_at_false_positive_rate_{at:g}" for at in AT.false_positive_rate),
    *(f"specificity_at_sensitivity_{at:g}" for at in AT.sensitivity),
)
SLACK = Fraction(1, 10**12)


def make_metrics(weighted: bool) -> dict[str, Metric]:
    return report_metrics(make_context(weighted=weighted))


# The definitions, computed in fractions for every threshold.


def tables(sample: Sample) -> list[tuple[float, Fraction, Fraction]]:
    """Returns threshold, TP and FP, from the highest score down."""
    score, label, weight = sample
    exact = [Fraction(w) for w in (np.ones(len(score)) if weight is None else weight).tolist()]
    rows = list(zip(score.tolist(), label.tolist(), exact, strict=True))
    out = []
    for threshold in sorted({s for s, _, w in rows if w}, reverse=True):
        above = [(y, w) for s, y, w in rows if s >= threshold]
        tp = sum((w for y, w in above if y), Fraction(0))
        fp = sum((w for y, w in above if not y), Fraction(0))
        out.append((threshold, tp, fp))
    return out


def at_point(name: str, sample: Sample) -> tuple[Fraction | None, float | None]:
    """Returns the rate, and its threshold on the scale of the score."""
    curve = tables(sample)
    positive, negative = curve[-1][1:] if curve else (Fraction(0), Fraction(0))
    if not positive:
        return None, None
    demanded, _, demand_text = name.partition("_at_")[2].rpartition("_")
    demand = Fraction(float(demand_text))
    if demanded in ("specificity", "false_positive_rate", "sensitivity") and not negative:
        return None, None
    meeting = []
    for threshold, tp, fp in curve:
        recall, precision = tp / positive, tp / (tp + fp)
        if demanded == "recall":
            meets, value = recall >= demand - SLACK, precision
        elif demanded == "precision":
            meets, value = precision >= demand - SLACK, recall
        elif demanded == "specificity":
            meets, value = 1 - fp / negative >= demand - SLACK, recall
        elif demanded == "sensitivity":
            # Predicting nothing meets a demand of 0, with a specificity of 1.
            value = 1 - fp / negative
            meets = recall >= demand - SLACK and (demand > 0 or value == 1)
        else:
            meets, value = fp / negative <= demand + SLACK, recall
        if meets:
            meeting.append((value, threshold))
    if not meeting:
        nothing = {"specificity": 0, "false_positive_rate": 0, "sensitivity": 1}
        return (Fraction(nothing[demanded]) if demanded in nothing else None), None
    best = max(value for value, _ in meeting)
    return best, max(threshold for value, threshold in meeting if value >= best - SLACK)


def check_points(sample: Sample, rounded: Sample, max_cells: int | None = None) -> None:
    """Compares the metrics of a sample with the definitions on its scores rounded to cells."""
    metrics = make_metrics(sample[2] is not None)
    rows = scored(*sample)
    for name in NAMES:
        threshold_name = f"threshold_at_{name.partition('_at_')[2]}"
        value, reason = result(coarser(metrics[name], max_cells), rows)
        wanted, at = at_point(name, rounded)
        assert (reason is None) == (wanted is not None), name
        assert value == pytest.approx(float(wanted or 0), abs=1e-12), name
        for prefix in ("", "logit_"):
            metric = coarser(metrics[prefix + threshold_name], max_cells)
            # A cell may begin so low that no float64 is a probability below.
            known = None if at is not None and at < -745 and not prefix else at
            assert lowest_selected(metric, rows, rounded) == known, metric.name


def lowest_selected(metric: Metric, rows: Scored, sample: Sample) -> float | None:
    """Returns the lowest score with a weight that is above a threshold of logits; None if none."""
    threshold, reason = result(metric, rows)
    if reason is not None:
        assert threshold == 0
        return None
    score, _, weight = sample
    used = score if weight is None else score[weight > 0]
    of_logit = metric.name.startswith("logit_")
    exact = {s: Fraction(s) if of_logit else exact_sigmoid(s) for s in set(used.tolist())}
    return min(s for s, compared in exact.items() if compared > Fraction(threshold))


def coarser(metric: Metric, max_cells: int | None) -> Metric:
    """Returns the metric on a histogram of at most `max_cells` cells."""
    assert isinstance(metric.statistic, ScoreHistogram)
    if max_cells is None:
        return metric
    return replace(metric, statistic=replace(metric.statistic, max_cells=max_cells))


@law
@given(samples())
def test_points_of_every_threshold(sample: Sample) -> None:
    check_points(sample, sample)


@law
@given(samples(), FEW_CELLS)
def test_points_of_scores_rounded_to_cells(sample: Sample, max_cells: int) -> None:
    check_points(sample, in_cells(sample, max_cells), max_cells)


def in_cells(sample: Sample, max_cells: int) -> Sample:
    """Returns the sample with every score replaced by the lowest score of its cell."""
    score, label, weight = sample
    statistic = ScoreHistogram(weighted=weight is not None, max_cells=max_cells)
    shift = measure(statistic, scored(score, label, weight)).shift
    cells = ordered(logit_bits(score)) >> np.uint64(shift)
    return lowest_scores(cells, shift, probabilities=False), label, weight


def test_a_demand_that_is_just_met() -> None:
    # The float 1/49 times 49 is not 1, and two of five equal weights sum to less than 2/5 of all.
    label = np.ones(49)
    rows = scored(np.arange(49) / 10, label)
    metrics = report_metrics(replace(make_context(), at=replace(AT, recall=(1 / 49, 0.8))))
    assert lowest_above(metrics[f"threshold_at_recall_{1 / 49:g}"], rows) == 4.8
    weights = np.full(5, 0.3)
    assert np.cumsum(weights)[1] / np.cumsum(weights)[4] < 0.4
    rows = scored(np.arange(5.0), np.ones(5), weights)
    metrics = report_metrics(replace(make_context(weighted=True), at=replace(AT, recall=(0.4,))))
    assert lowest_above(metrics["threshold_at_recall_0.4"], rows) == 3


def test_of_equal_thresholds_the_highest() -> None:
    # Precision is 1/2 at 3 and at 1: with recall 1/2 and 1.
    rows = scored([4, 3, 2, 1], [0, 1, 0, 1])
    metrics = make_metrics(weighted=False)
    assert result(metrics["precision_at_recall_0.1"], rows) == (0.5, None)
    assert lowest_above(metrics["threshold_at_recall_0.1"], rows) == 3
    assert lowest_above(metrics["threshold_at_best_f1"], rows) == 1


def test_rounding_breaks_no_tie() -> None:
    # The precision is 1/3 at three thresholds, but not in floats: at the lowest it seems best.
    rows = scored(-np.arange(9.0), [0, 0, 1] * 3, np.full(9, 0.1))
    assert lowest_above(make_metrics(weighted=True)["threshold_at_recall_0.1"], rows) == -2


def test_predicting_nothing() -> None:
    rows = scored([4, 3], [0, 1])
    metrics = make_metrics(weighted=False)
    assert result(metrics["sensitivity_at_specificity_0.9"], rows) == (0, None)
    assert result(metrics["specificity_at_sensitivity_0"], rows) == (1, None)
    assert result(metrics["specificity_at_sensitivity_1"], rows) == (0, None)
    assert result(metrics["threshold_at_specificity_0.9"], rows) == (
        0,
        "only predicting nothing is as demanded",
    )
    assert result(metrics["recall_at_precision_1"], rows) == (0, "no threshold is as demanded")
    assert result(metrics["threshold_at_precision_1"], rows) == (0, "no threshold is as demanded")


def test_scores_without_weight_are_no_thresholds() -> None:
    rows = scored([4, 3, 1], [1, 1, 0], [0.0, 1.0, 1.0])
    metrics = make_metrics(weighted=True)
    assert lowest_above(metrics["threshold_at_precision_1"], rows) == 3


def lowest_above(metric: Metric, rows: Scored) -> float | None:
    return lowest_selected(metric, rows, (rows.score.ravel(), rows.label.ravel(), rows.weight))


def test_thresholds_are_between_two_scores() -> None:
    score = np.array([[0.1], [0.7], [0.3]])
    rows = Scored(score, score, np.array([[0.0], [1.0], [1.0]]), np.zeros(3))
    metrics = report_metrics(make_context(space=ScoreSpace("probabilities")))
    assert result(metrics["threshold_at_best_f1"], rows) == (0.2, None)
    assert result(metrics["threshold_at_recall_0.1"], rows) == (0.5, None)
    assert result(metrics["logit_threshold_at_recall_0.1"], rows) == (0.0, None)


# scikit-learn and scipy.


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_points_of_scikit_learns_curves(seed: int, weighted: bool) -> None:
    score, label, weight = random_sample(seed, weighted=weighted)
    rows, metrics = scored(score, label, weight), make_metrics(weighted)
    precision, recall, _ = precision_recall_curve(label, score, sample_weight=weight)
    precision, recall = precision[:-1], recall[:-1]
    fpr, tpr, _ = roc_curve(label, score, sample_weight=weight, drop_intermediate=False)
    slack = 1e-12
    for at in AT.recall:
        wanted = precision[recall >= at - slack].max()
        actual = result(metrics[f"precision_at_recall_{at:g}"], rows)[0]
        assert actual == pytest.approx(wanted, rel=1e-12)
    for at in AT.precision[:2]:
        wanted = recall[precision >= at - slack].max()
        actual = result(metrics[f"recall_at_precision_{at:g}"], rows)[0]
        assert actual == pytest.approx(wanted, rel=1e-12)
    for at in AT.specificity:
        wanted = tpr[1 - fpr >= at - slack].max()
        actual = result(metrics[f"sensitivity_at_specificity_{at:g}"], rows)[0]
        assert actual == pytest.approx(wanted, rel=1e-12)
    for at in AT.sensitivity:
        wanted = 1 - fpr[tpr >= at - slack].min()
        actual = result(metrics[f"specificity_at_sensitivity_{at:g}"], rows)[0]
        assert actual == pytest.approx(wanted, rel=1e-12)
    for at in AT.false_positive_rate:
        wanted = tpr[fpr <= at + slack].max()
        actual = result(metrics[f"recall_at_false_positive_rate_{at:g}"], rows)[0]
        assert actual == pytest.approx(wanted, rel=1e-12)
    assert result(metrics["kolmogorov_smirnov"], rows)[0] == pytest.approx(
        np.abs(tpr - fpr).max(), rel=1e-12
    )


@law
@given(samples(both_labels=True), st.none() | FEW_CELLS)
def test_best_f1(sample: Sample, max_cells: int | None) -> None:
    metrics, rows = make_metrics(sample[2] is not None), scored(*sample)
    score, label, weight = sample if max_cells is None else in_cells(sample, max_cells)
    f1_scores = {
        t: f1_score(label, score >= t, sample_weight=weight) for t in sorted(set(score.tolist()))
    }
    best = max(f1_scores.values())
    value, reason = result(coarser(metrics["best_f1"], max_cells), rows)
    assert reason is None
    assert value == pytest.approx(best, rel=1e-12)
    highest = max(t for t, f1 in f1_scores.items() if f1 >= best - 1e-12)
    for name in ("threshold_at_best_f1", "logit_threshold_at_best_f1"):
        metric = coarser(metrics[name], max_cells)
        assert lowest_selected(metric, rows, (score, label, weight)) == highest


@law
@given(samples(both_labels=True), st.none() | FEW_CELLS)
def test_kolmogorov_smirnov(sample: Sample, max_cells: int | None) -> None:
    sample = (*sample[:2], None)
    metric = coarser(make_metrics(weighted=False)["kolmogorov_smirnov"], max_cells)
    score, label, _ = sample if max_cells is None else in_cells(sample, max_cells)
    wanted = ks_2samp(score[label == 1], score[label == 0]).statistic
    assert result(metric, scored(*sample)) == (pytest.approx(wanted, rel=1e-12), None)


def test_both_tails_count() -> None:
    # The other way round the distance is as large.
    metrics = make_metrics(weighted=False)
    assert result(metrics["kolmogorov_smirnov"], scored([1, 2], [1, 0])) == (1, None)
    assert result(metrics["kolmogorov_smirnov"], scored([1, 2], [1, 1])) == (0, "no label is zero")
    assert result(metrics["best_f1"], scored([1, 2], [0, 0])) == (0, "no label is positive")
