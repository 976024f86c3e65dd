"""Gain and lift by decile: fractions, and ties in every order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.metrics.core.registry import report_metrics
from heads.statistics import ScoreHistogram
from tests.heads.metrics.samples import (
    FEW_CELLS,
    Sample,
    law,
    make_context,
    result,
    samples,
    scored,
)
from tests.heads.metrics.test_threshold_metrics import coarser, in_cells


def gain(sample: Sample, decile: int) -> Fraction:
    """Returns the share of the positive labels in the top tenths, from the highest score down."""
    score, label, weight = sample
    exact = [Fraction(w) for w in (np.ones(len(score)) if weight is None else weight).tolist()]
    rows = list(zip(score.tolist(), label.tolist(), exact, strict=True))
    left, hit = sum(exact) * decile / 10, Fraction(0)
    for level in sorted(set(score.tolist()), reverse=True):
        at_level = sum(w for s, _, w in rows if s == level)
        positive = sum(w for s, y, w in rows if s == level and y)
        if at_level:
            hit += positive * min(left, at_level) / at_level
        left -= min(left, at_level)
    return hit / sum(w for _, y, w in rows if y)


@law
@given(samples(both_labels=True), st.none() | FEW_CELLS)
def test_gain_and_lift(sample: Sample, max_cells: int | None) -> None:
    metrics, rows = report_metrics(make_context(weighted=sample[2] is not None)), scored(*sample)
    rounded = sample if max_cells is None else in_cells(sample, max_cells)
    gains = [gain(rounded, decile) for decile in range(11)]
    for decile in range(1, 11):
        if decile < 10:
            actual = result(coarser(metrics[f"gain/decile_{decile}"], max_cells), rows)
            assert actual == (pytest.approx(float(gains[decile]), rel=1e-12, abs=1e-12), None)
        wanted = float((gains[decile] - gains[decile - 1]) * 10)
        actual = result(coarser(metrics[f"lift/decile_{decile}"], max_cells), rows)
        assert actual == (pytest.approx(wanted, rel=1e-12, abs=1e-12), None)


def test_ties_are_the_mean_of_every_order() -> None:
    metrics = report_metrics(make_context())
    top, tied, bottom = [1, 0], [1, 1, 0, 0, 0], [0, 1, 0]
    rows = scored([3.0] * 2 + [2.0] * 5 + [1.0] * 3, top + tied + bottom)
    for decile in (1, 2, 3, 4, 6, 7, 9):
        shares = []
        for first in itertools.permutations(top):
            for second in itertools.permutations(tied):
                for third in set(itertools.permutations(bottom)):
                    order = [*first, *second, *third]
                    shares.append(sum(order[:decile]) / 4)
        actual = result(metrics[f"gain/decile_{decile}"], rows)[0]
        assert actual == pytest.approx(np.mean(shares), rel=1e-12)


def test_names_and_reasons() -> None:
    metrics = report_metrics(make_context())
    names = [name for name in metrics if name.startswith(("gain", "lift"))]
    assert len(names) == 19
    for name in names:
        assert result(metrics[name], scored([1, 2], [0, 0])) == (0, "no label is positive")
    assert result(metrics["lift/decile_1"], scored([1] * 5, [0, 0, 0, 0, 1])) == (1, None)
    assert isinstance(metrics["gain/decile_1"].statistic, ScoreHistogram)
    assert metrics["gain/decile_1"].coarse == replace(metrics["roc_auc"]).coarse
