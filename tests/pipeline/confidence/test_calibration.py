"""The interval of the debiased calibration error, against SciPy and sums in loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heads.metrics.core.bin_errors import Bins
from pipeline.confidence.calibration import calibration_ends
from tests.pipeline.confidence.by_rows import calibration_ends_by_rows
from tests.pipeline.confidence.laws import law

FOLDS = 12


def rows_of(seed: int, tilt: float) -> tuple[np.ndarray, ...]:
    """Probabilities, labels, weights and folds; some folds are of rows that go together."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-0.5, 1.8, 400)
    fold = rng.integers(0, FOLDS, 400)
    p = 1 / (1 + np.exp(-logit))
    shared = rng.normal(0, 0.5, FOLDS)[fold]
    y = (rng.random(400) < 1 / (1 + np.exp(-(1 + tilt) * logit - shared))).astype(np.float64)
    return p, y, rng.gamma(3, 1, 400), fold


def bins_of(p: np.ndarray, y: np.ndarray, w: np.ndarray, fold: np.ndarray) -> Bins:
    place = fold * 10 + np.minimum((p * 10).astype(int), 9)

    def table(values: np.ndarray) -> np.ndarray:
        return np.bincount(place, values, FOLDS * 10).reshape(FOLDS, 10)

    return Bins(table(np.ones(len(p))), table(w), table(w**2), table(w * p), table(w * y))


@law
@given(
    seed=st.integers(0, 2**32 - 1),
    tilt=st.sampled_from([0.0, 0.3, 1.0]),
    level=st.sampled_from([0.5, 0.9, 0.95]),
    clustered=st.booleans(),
)
def test_ends_are_those_of_the_noncentral_distribution(
    seed: int, tilt: float, level: float, clustered: bool
) -> None:
    rows = rows_of(seed, tilt)
    quantile = float(stats.t.ppf((1 + level) / 2, FOLDS - 2))
    found = calibration_ends(bins_of(*rows), quantile, level, clustered=clustered)
    assert found == pytest.approx(
        calibration_ends_by_rows(rows, FOLDS, quantile, level, clustered), rel=1e-5, abs=1e-7
    )


def test_clusters_make_it_wider() -> None:
    p, y, _, fold = rows_of(3, 0.5)
    bins = bins_of(p, y, np.ones(400), fold)
    apart, together = (
        calibration_ends(bins, 2.2, 0.95, clustered=clustered) for clustered in (False, True)
    )
    assert apart is not None
    assert together is not None
    assert together[0] <= apart[0] < apart[1] < together[1]


def test_labels_that_do_not_vary_in_their_bins_tell_nothing() -> None:
    p, _, w, fold = rows_of(3, 0.5)
    y = (p > 0.5).astype(np.float64)
    for clustered in (False, True):
        found = calibration_ends(bins_of(p, y, w, fold), 2.2, 0.95, clustered=clustered)
        assert (found is None) or clustered
    empty = Bins(*np.zeros((5, FOLDS, 10)))
    assert calibration_ends(empty, 2.2, 0.95, clustered=False) is None
