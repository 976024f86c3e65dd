"""Labels by cell and fold, and rates where a curve crosses a demand, against loops over rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.metrics.core.crossings import precision_at_recall, recall_at_rate
from heads.metrics.core.score_curve import ScoreCurve
from heads.statistics import OVERALL, Scored, ScoreHistogram, Segments
from heads.statistics.fold_views import each_fold, over_all_folds
from heads.statistics.measure import measure_state
from tests.heads.metrics.fold_rows import FOLDS, curve_of, rows_of
from tests.laws.batches import law

seeds = st.integers(0, 2**32 - 1)


@law
@given(seed=seeds)
def test_cells_are_sums_over_rows(seed: int) -> None:
    score, label, weight, fold = rows_of(seed)
    weight[:5] = 0
    curve = curve_of((score, label, weight, fold))
    assert curve.coarse.score.tolist() == sorted(set(score[5:]), reverse=True)
    for cell, value in enumerate(curve.coarse.score):
        assert curve.fine.rows[cell] == np.count_nonzero(score == value)
        for number in range(FOLDS):
            there = (score == value) & (fold == number)
            expected = weight[there & (label > 0)].sum(), weight[there & (label == 0)].sum()
            found = curve.coarse.positive[cell, number], curve.coarse.negative[cell, number]
            assert found == pytest.approx(expected, rel=1e-12)
    assert curve.folds == len(set(fold[5:]))


@law
@given(seed=seeds, a=st.floats(-2, 2), b=st.floats(-2, 2), p=st.floats(-2, 2), n=st.floats(-2, 2))
def test_variances_are_those_of_the_sums_by_fold(
    seed: int, a: float, b: float, p: float, n: float
) -> None:
    score, label, weight, fold = rows = rows_of(seed)
    curve = curve_of(rows)
    found = curve.variance(A=a, B=b, P=p, N=n)
    folds = sorted(set(fold.tolist()))
    for cell, threshold in enumerate(curve.fine.score):
        sums = []
        for number in folds:
            w = np.where(fold == number, weight, 0.0)
            hits = (w * label)[score >= threshold].sum()
            misses = (w * (1 - label))[score >= threshold].sum()
            every = (w * label).sum(), (w * (1 - label)).sum()
            sums.append(a * hits + b * misses + p * every[0] + n * every[1])
        expected = len(folds) * np.var(sums, ddof=1)
        assert found[cell] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@law
@given(seed=seeds)
def test_within_a_coarse_cell_folds_grow_as_all_together(seed: int) -> None:
    score, label, weight, fold = rows = rows_of(seed, places=4)
    curve = curve_of(rows, coarse=16)
    assert len(curve.coarse.score) <= 16 < len(curve.fine.score)
    found = curve.variance(A=1.0)
    folds = sorted(set(fold.tolist()))
    edges = [*curve.coarse.score, -np.inf]
    for cell, threshold in enumerate(curve.fine.score):
        # The coarse cell that the threshold is in.
        low = next(edge for edge in edges if edge <= threshold)
        high = min((edge for edge in edges if edge > threshold), default=np.inf)
        inside = label * weight * ((score >= low) & (score < high))
        part = inside[score >= threshold].sum() / inside.sum() if inside.sum() else 0.0
        sums = [
            ((label * weight)[(score >= high) & (fold == f)].sum() + part * inside[fold == f].sum())
            for f in folds
        ]
        expected = len(folds) * np.var(sums, ddof=1)
        assert found[cell] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_halves_count_some_folds_twice() -> None:
    rows = rows_of(1)
    curve = curve_of(rows)
    signs = np.random.default_rng(0).random((5, FOLDS)) < 0.5
    found = curve.halves(signs)
    score, label, weight, fold = rows
    for row in range(6):
        factor = np.ones(len(score)) if row == 0 else np.where(signs[row - 1][fold], 2.0, 0.0)
        for cell, value in enumerate(found.score[row]):
            there = factor * weight * (score == value)
            assert found.positive[row, cell] == pytest.approx((there * label).sum(), abs=1e-12)
            assert found.negative[row, cell] == pytest.approx(
                (there * (1 - label)).sum(), abs=1e-12
            )


def test_the_folds_of_a_state_are_its_segments() -> None:
    score, label, _, fold = rows_of(3)
    column = score[:, np.newaxis]
    scored = Scored(column, column, label[:, np.newaxis], np.zeros(len(score)), None)
    segment = np.arange(len(score)) % 2
    keys = [OVERALL, (("g", "int", 1),)]
    state = measure_state(ScoreHistogram(folds=FOLDS), scored, Segments(segment, keys, fold=fold))
    apart = each_fold(state)
    rows = apart.by_segment("rows").reshape(2, FOLDS)
    for place, key in enumerate(state.keys):
        expected = np.bincount(fold[segment == keys.index(key)], minlength=FOLDS)
        assert rows[place].tolist() == expected.tolist()
    assert over_all_folds(state).by_segment("rows").tolist() == rows.sum(axis=1).tolist()


# Rates at a crossing.


def curve_by_hand(positive: list[float], negative: list[float]) -> ScoreCurve:
    """A curve whose cells are given from the highest to the lowest."""
    score = np.arange(len(positive), dtype=np.float64)[np.newaxis]
    return ScoreCurve(np.array([positive[::-1]]), np.array([negative[::-1]]), score, score)


def test_a_rate_within_a_cell_is_on_the_line_between_its_ends() -> None:
    curve = curve_by_hand([3, 4, 0, 3], [0, 2, 5, 3])
    # FP is 0, 2, 7 and 10, TP 3, 7, 7 and 10.
    for rate, recall in ((0.0, 0.3), (0.1, 0.5), (0.2, 0.7), (0.5, 0.7), (0.85, 0.85), (1.0, 1.0)):
        assert recall_at_rate(curve, rate)[0] == pytest.approx(recall)
    for recall, precision in ((0.2, 1.0), (0.3, 1.0), (0.5, 5 / 6), (0.7, 7 / 9), (1.0, 0.5)):
        assert precision_at_recall(curve, recall)[0] == pytest.approx(precision)


def test_a_higher_precision_at_a_higher_recall_counts() -> None:
    curve = curve_by_hand([1, 0, 8, 1], [0, 3, 0, 9])
    # At a recall of 0.2 the precision is 2 / 5 in the cell, and 9 / 12 at its end.
    assert precision_at_recall(curve, 0.2)[0] == pytest.approx(9 / 12)


def test_rates_without_labels_are_zero() -> None:
    curve = curve_by_hand([0, 0], [1, 2])
    assert recall_at_rate(curve, 0.5).tolist() == [0]
    assert precision_at_recall(curve, 0.5).tolist() == [0]
