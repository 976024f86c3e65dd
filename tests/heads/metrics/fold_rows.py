"""Rows with folds, and their labels by cell of the score and fold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heads.metrics.core.fold_curve import FoldCurve, read_cells
from heads.statistics import OVERALL, Scored, ScoreHistogram, Segments
from heads.statistics.fold_views import each_fold
from heads.statistics.measure import measure_state

Floats = npt.NDArray[np.float64]
Rows = tuple[Floats, Floats, Floats, npt.NDArray[np.int64]]
FOLDS = 12


def rows_of(seed: int, rows: int = 300, places: int = 1) -> Rows:
    """Scores, labels, weights and folds; two of the folds have none."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0, 1, rows).round(places)
    label = (rng.random(rows) < 1 / (1 + np.exp(-2 * score))).astype(np.float64)
    return score, label, rng.gamma(2, 1, rows), rng.integers(0, FOLDS - 2, rows)


def curve_of(rows: Rows, coarse: int = 4096) -> FoldCurve:
    score, label, weight, fold = rows
    column = score[:, np.newaxis]
    scored = Scored(column, column, label[:, np.newaxis], np.zeros(len(score)), weight)
    segments = Segments(np.zeros(len(score), np.int64), [OVERALL], fold=fold)
    state = measure_state(
        ScoreHistogram(weighted=True, max_cells=coarse, folds=FOLDS), scored, segments
    )
    whole = measure_state(ScoreHistogram(weighted=True), scored, Segments.overall(len(score)))
    kappa = float((weight**2).sum() / weight.sum())
    return FoldCurve(read_cells(whole)[0], read_cells(each_fold(state), FOLDS)[0], kappa)
