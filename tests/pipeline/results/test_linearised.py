"""Errors of quantiles: those of the theory, of ties, and of models that are the same."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from heads.metrics.core.registry import report_metrics
from heads.statistics import OVERALL, Scored, Segments
from heads.statistics.measure import measure_state
from pipeline.confidence.jackknife import AGREE
from pipeline.results.differences import difference
from pipeline.results.estimates import estimate
from pipeline.results.readings import Readings, read_metric
from pipeline.results.state_views import StateViews
from tests.heads.metrics.samples import make_context

FOLDS = 20
NAMES = ("median_error", "median_absolute_error", "error_quantile_0.9")


def readings(
    error: npt.NDArray[np.float64], weight: npt.NDArray[np.float64] | None = None
) -> dict[str, Readings]:
    """Returns what is read of the quantiles of errors in 20 folds."""
    n = len(error)
    prediction = error.reshape(-1, 1)
    ends = np.hstack([prediction, prediction])
    rows = Scored(prediction, prediction, np.zeros((n, 1)), error, weight, interval=ends)
    segments = Segments(np.zeros(n, np.int64), (OVERALL,), fold=np.arange(n) % FOLDS)
    metrics = report_metrics(make_context("regression", folds=FOLDS, weighted=weight is not None))

    def views(statistic: object) -> StateViews | None:
        if statistic is None:
            return None
        state = measure_state(statistic, rows, segments)  # type: ignore[arg-type]
        return StateViews(state, (OVERALL,), np.ones(1, bool))

    return {
        name: read_metric(metrics[name], *map(views, metrics[name].measured), weighted=True)
        for name in NAMES
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_the_theory(weighted: bool) -> None:
    rng = np.random.default_rng(2)
    n = 8_000
    weight = rng.choice([0.5, 1.5], n) if weighted else None
    size = n if weight is None else weight.sum() ** 2 / (weight**2).sum()
    found = estimate(readings(rng.normal(0, 1, n), weight), 0.95)
    # The root of q (1 - q) / n over the density of a normal at its quantile.
    densities = {"median_error": 0.39894, "median_absolute_error": 0.63555, NAMES[2]: 0.17550}
    for name, density in densities.items():
        share = 0.9 if name == NAMES[2] else 0.5
        error = math.sqrt(share * (1 - share) / size) / density
        # The error of so few folds is itself uncertain by a sixth.
        assert found[name].standard_error[0] == pytest.approx(error, rel=0.4), name
        assert found[name].lower[0] < found[name].value[0] < found[name].upper[0]


def test_a_difference_of_the_same_models_has_no_error() -> None:
    error = np.random.default_rng(3).normal(0, 1, 500)
    for estimated in difference(readings(error), readings(error.copy()), 0.95).values():
        assert estimated.value[0] == 0
        assert estimated.no_interval_reason[0] == AGREE


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(4)
    error = rng.normal(0, 1, 2_000)
    other = error + rng.normal(0.1, 0.05, 2_000)
    found = difference(readings(other), readings(error), 0.95)["median_error"]
    alone = estimate(readings(error), 0.95)["median_error"]
    assert found.value[0] == pytest.approx(0.1, abs=0.05)
    assert 0 < found.standard_error[0] < alone.standard_error[0] / 2


def test_where_there_is_no_interval() -> None:
    assert estimate(readings(np.zeros(400)), 0.95)["median_error"].no_interval_reason[0] == AGREE
    few = estimate(readings(np.arange(60.0)), 0.95)
    assert few["median_error"].no_interval_reason[0] is None
    reason = few["error_quantile_0.9"].no_interval_reason[0]
    assert reason == "fewer than 10 rows on a side of the quantile"
