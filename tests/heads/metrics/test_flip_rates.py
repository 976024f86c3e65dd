"""Flip rates of two models, compared with a loop over the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heads.metrics.core.context import HeadType
from heads.metrics.core.registry import pair_metrics
from heads.statistics import Scored
from tests.heads.metrics.class_rows import (
    THRESHOLDS,
    defined,
    exclusive,
    independent,
    make_context,
    values,
)


def pair(head: HeadType, seed: int, labels: tuple[float, ...] = (0, 1)) -> Scored:
    """Returns rows that two models scored."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    if head == "multi_class":
        classes = (0, 1, 2, 3)
        candidate, baseline = (exclusive(rng, n, classes, classes) for _ in range(2))
    else:
        columns = 4 if head == "multi_label" else 1
        candidate, baseline = (independent(rng, n, columns, labels) for _ in range(2))
    return replace(
        candidate, baseline=replace(baseline, label=candidate.label, weight=candidate.weight)
    )


def brute_force(rows: Scored, cut: float | None, weighted: bool) -> dict[str, float]:
    assert rows.baseline is not None
    assert rows.weight is not None
    sums = dict.fromkeys(
        ("flip", "positive_to_negative", "negative_to_positive", "correct_to_wrong"), 0.0
    )
    sums |= dict.fromkeys(("positive_to_positive", "negative_to_negative"), 0.0)
    sums["wrong_to_correct"] = total = 0.0
    for row in range(len(rows)):
        weight = rows.weight[row] if weighted else 1.0
        if cut is None:
            assert rows.predicted is not None
            assert rows.baseline.predicted is not None
            triples = [(rows.predicted[row], rows.baseline.predicted[row], rows.label[row, 0])]
        else:
            above, before = rows.score[row] > cut, rows.baseline.score[row] > cut
            triples = list(zip(above, before, rows.label[row], strict=True))
        for new, old, label in triples:
            total += weight
            sums["flip"] += weight * (new != old)
            sums["positive_to_negative"] += weight * (old and not new)
            sums["negative_to_positive"] += weight * (new and not old)
            sums["positive_to_positive"] += weight * (new and old)
            sums["negative_to_negative"] += weight * (not new and not old)
            sums["correct_to_wrong"] += weight * (old == label and new != label)
            sums["wrong_to_correct"] += weight * (old != label and new == label)
    if cut is None:
        sums = {name: value for name, value in sums.items() if "tive" not in name}
    return {f"{name}_rate": value / total for name, value in sums.items()}


def symmetric_difference(rows: Scored, weighted: bool) -> float:
    """The mean of 2 |p - q| / (p + q)."""
    assert rows.baseline is not None
    assert rows.weight is not None
    of_rows = []
    for p, q in zip(rows.probability.ravel(), rows.baseline.probability.ravel(), strict=True):
        of_rows.append(2 * abs(p - q) / (p + q) if p + q else 0.0)
    return float(np.average(of_rows, weights=rows.weight if weighted else None))


def test_probabilities_of_zero_do_not_differ() -> None:
    rows = pair("binary", 0)
    zero = np.zeros((2, 1))
    rows = rows.take(np.array([0, 0]))
    assert rows.baseline is not None
    rows = replace(rows, probability=zero, baseline=replace(rows.baseline, probability=zero))
    assert (
        defined(values("binary", rows, weighted=True, pair=True), "symmetric_prediction_difference")
        == 0
    )
    other = np.array([[0.0], [0.5]])
    rows = replace(rows, baseline=replace(rows.baseline, probability=other), weight=np.ones(2))
    # 0 of the first row, 2 of the second.
    assert (
        defined(values("binary", rows, weighted=True, pair=True), "symmetric_prediction_difference")
        == 1
    )


@pytest.mark.parametrize("head", ["binary", "contrib_binary", "multi_label", "multi_class"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_rates_equal_brute_force(head: HeadType, weighted: bool, seed: int) -> None:
    rows = pair(head, seed, (0, 1, 0.5) if seed % 2 else (0, 1))
    results = values(head, rows, weighted=weighted, pair=True)
    cuts: dict[str, float | None] = {"": None}
    if head != "multi_class":
        cuts = {"": 0.5, **{f"/positive_threshold_{cut:g}": cut for cut in THRESHOLDS}}
    expected = {
        f"{name}{suffix}": value
        for suffix, cut in cuts.items()
        for name, value in brute_force(rows, cut, weighted).items()
    }
    difference = "symmetric_prediction_difference"
    if not head.startswith("multi"):
        wanted = symmetric_difference(rows, weighted)
        assert defined(results, difference) == pytest.approx(wanted, rel=1e-13)
    assert set(results) - {difference} == set(expected)
    for name, value in expected.items():
        assert defined(results, name) == pytest.approx(value, abs=1e-14), name
        trials = results[name].trials
        pairs = len(rows) * (4 if head == "multi_label" else 1)
        # Squared weights are kept only where there are folds.
        assert (trials is None) == weighted
        assert trials is None or trials.rows.tolist() == [pairs]


def test_which_flips_are_good() -> None:
    for head in ("binary", "multi_class"):
        good = {
            name: metric.higher_is_better
            for name, metric in pair_metrics(make_context(head, weighted=False)).items()
        }
        assert good["correct_to_wrong_rate"] is False
        assert good["wrong_to_correct_rate"] is True
        assert good["flip_rate"] is None


def test_no_flips_without_weight() -> None:
    rows = pair("binary", 0)
    zero = replace(rows, weight=np.zeros(len(rows)))
    for name, result in values("binary", zero, weighted=True, pair=True).items():
        assert result.reason(0) == "the weights sum to zero", name
