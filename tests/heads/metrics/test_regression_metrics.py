"""The metrics of regression heads against scikit-learn and NumPy, and in exact arithmetic."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as sklearn_metrics

from heads.metrics.core.context import HeadType
from heads.metrics.core.registry import report_metrics
from heads.statistics import Scored, ScoreHistogram
from tests.heads.metrics.samples import make_context, measure, result

Floats = npt.NDArray[np.float64]


def rows_of(
    prediction: npt.ArrayLike, label: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> Scored:
    p, y = (np.array(part, np.float64).reshape(-1, 1) for part in (prediction, label))
    ends = np.hstack([p - 1.0, p + 0.5])
    loss = np.square(p - y).ravel()
    return Scored(p, p, y, loss, None if weight is None else np.array(weight), interval=ends)


def values(rows: Scored, head: HeadType = "regression", of: str = "") -> dict[str, float]:
    """Returns the metrics whose names begin as given, which must be defined."""
    context = make_context(head, weighted=rows.weight is not None)
    found = {}
    for name, metric in report_metrics(context).items():
        if name.startswith(of):
            found[name], reason = result(metric, rows)
            assert reason is None, name
    return found


def sample(seed: int, *, weighted: bool, counts: bool = False) -> Scored:
    rng = np.random.default_rng(seed)
    label = rng.poisson(2.0, 57).astype(np.float64) if counts else rng.normal(3, 2, 57)
    prediction = np.abs(label + rng.normal(0.2, 1, 57)) + 0.1
    weight = rng.choice([0.0, 0.25, 1.0, 3.0], 57) + (rng.random(57) if seed else 0.0)
    return rows_of(prediction, label, weight if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_errors_are_those_of_scikit_learn(seed: int, weighted: bool) -> None:
    rows = sample(seed, weighted=weighted)
    found = values(rows)
    y, p, w = rows.label.ravel(), rows.probability.ravel(), rows.weight
    both: dict[str, Any] = {"y_true": y, "y_pred": p, "sample_weight": w}
    expected = {
        "mse": sklearn_metrics.mean_squared_error(**both),
        "average_loss": sklearn_metrics.mean_squared_error(**both),
        "rmse": sklearn_metrics.root_mean_squared_error(**both),
        "mae": sklearn_metrics.mean_absolute_error(**both),
        "mape": sklearn_metrics.mean_absolute_percentage_error(**both),
        "r2": sklearn_metrics.r2_score(**both),
        "pinball_loss_0.5": sklearn_metrics.mean_pinball_loss(**both, alpha=0.5),
        "pinball_loss_0.9": sklearn_metrics.mean_pinball_loss(**both, alpha=0.9),
        "bias": np.average(p - y, weights=w),
        "prediction/mean": np.average(p, weights=w),
        "label/mean": np.average(y, weights=w),
        "interval_coverage": np.average((p - 1 <= y) & (y <= p + 0.5), weights=w),
        "interval_width": 1.5,
        "pearson": np.cov(p, y, aweights=w)[0, 1]
        / np.sqrt(np.prod(np.diag(np.cov(p, y, aweights=w)))),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    quantiles = {
        "median_error": (p - y, 0.5),
        "median_absolute_error": (np.abs(p - y), 0.5),
        "error_quantile_0.1": (p - y, 0.1),
        "error_quantile_0.9": (p - y, 0.9),
    }
    for name, (error, share) in quantiles.items():
        method: Any = "averaged_inverted_cdf" if w is None else "inverted_cdf"
        assert found[name] == np.quantile(error, share, method=method, weights=w), name
    if w is None:
        median = sklearn_metrics.median_absolute_error(y, p)
        assert found["median_absolute_error"] == median


@pytest.mark.parametrize("weighted", [False, True])
def test_poisson_deviance_is_that_of_scikit_learn(weighted: bool) -> None:
    rows = sample(2, weighted=weighted, counts=True)
    y, p, w = rows.label.ravel(), rows.probability.ravel(), rows.weight
    assert (y == 0).any()
    found = values(rows, "poisson")
    deviance = sklearn_metrics.mean_poisson_deviance(y, p, sample_weight=w)
    assert found["poisson_deviance"] == pytest.approx(deviance, rel=1e-12)
    there = y != 0
    some = None if w is None else w[there]
    share = np.average(np.abs(p - y)[there] / y[there], weights=some)
    assert found["mape"] == pytest.approx(share, rel=1e-12)


def exactly(rows: Scored) -> tuple[float, float]:
    """Returns R2 and the square of Pearson's correlation, in rational arithmetic."""
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    w = [Fraction(value) for value in weight.tolist()]
    x, y = ([Fraction(v) for v in part.ravel().tolist()] for part in (rows.probability, rows.label))

    def covariance(a: list[Fraction], b: list[Fraction]) -> Fraction:
        total = sum(w)
        mean_a, mean_b = (sum(map(Fraction.__mul__, w, part)) / total for part in (a, b))
        deviations = zip(w, a, b, strict=True)
        return sum((u * (s - mean_a) * (t - mean_b) for u, s, t in deviations), Fraction(0))

    errors = sum((u * (s - t) ** 2 for u, s, t in zip(w, x, y, strict=True)), Fraction(0))
    squared = covariance(x, y) ** 2 / (covariance(x, x) * covariance(y, y))
    return float(1 - errors / covariance(y, y)), float(squared)


@pytest.mark.parametrize("centre", [0.0, 1e9, -1e15])
@pytest.mark.parametrize("weighted", [False, True])
def test_no_digit_is_lost_far_from_zero(centre: float, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    label = centre + rng.choice([-1.0, 0.0, 1.0], 400)
    prediction = label + rng.choice([-0.5, 0.0, 0.5], 400)
    weight = rng.random(400) * 10.0 ** rng.integers(-3, 3, 400) if weighted else None
    rows = rows_of(prediction, label, weight)
    found = values(rows)
    r2, squared = exactly(rows)
    assert found["r2"] == pytest.approx(r2, rel=1e-14)
    assert found["pearson"] ** 2 == pytest.approx(squared, rel=1e-14)
    assert 0.3 < r2 < 0.9


def test_weights_of_any_size() -> None:
    rows = sample(1, weighted=True)
    found = values(rows)
    for power in (-1000, 900):
        assert rows.weight is not None
        scaled = values(replace(rows, weight=np.ldexp(rows.weight, power)))
        assert (scaled["r2"], scaled["pearson"]) == (found["r2"], found["pearson"])


def reasons(rows: Scored) -> dict[str, str | None]:
    context = make_context("regression", weighted=rows.weight is not None)
    return {name: result(metric, rows)[1] for name, metric in report_metrics(context).items()}


def test_what_is_undefined_has_a_reason() -> None:
    same = reasons(rows_of([1.0, 2.0], [3.0, 3.0]))
    assert (same["r2"], same["pearson"]) == ("all labels are the same",) * 2
    assert reasons(rows_of([1.0, 1.0], [3.0, 4.0]))["pearson"] == "all predictions are the same"
    zero = reasons(rows_of([1.0, 2.0], [0.0, 0.0]))
    assert zero["mape"] == "every label is 0"
    assert zero["mae"] is None
    weightless = reasons(rows_of([1.0, 2.0], [3.0, 4.0], [0.0, 0.0]))
    assert weightless.pop("weight") is None
    assert set(weightless.values()) == {"the weights sum to zero", "every label is 0"}


def test_deciles_are_tenths_of_the_weight() -> None:
    rng = np.random.default_rng(4)
    prediction, label = rng.permutation(100) / 7.0, rng.normal(5, 2, 100)
    order = np.argsort(prediction)
    found = values(rows_of(prediction, label))
    for decile in range(10):
        tenth = order[10 * decile : 10 * decile + 10]
        expected = {
            "bias": (prediction - label)[tenth].mean(),
            "prediction/mean": prediction[tenth].mean(),
            "label/mean": label[tenth].mean(),
        }
        for name, value in expected.items():
            assert found[f"{name}/decile_{decile + 1}"] == pytest.approx(value), (name, decile)


def test_ties_are_spread_over_deciles() -> None:
    # Ten equal predictions fill all tenths; a weight counts as so many rows.
    found = values(rows_of([2.0] * 10, np.arange(10.0)), of="label/mean/")
    assert [found[f"label/mean/decile_{k}"] for k in range(1, 11)] == pytest.approx([4.5] * 10)
    weighted = values(rows_of([1.0, 2.0], [5.0, 7.0], [3.0, 7.0]), of="label/mean/")
    labels = [weighted[f"label/mean/decile_{k}"] for k in range(1, 11)]
    assert labels == pytest.approx([5.0] * 3 + [7.0] * 7)


@pytest.mark.parametrize("name", ["median_error", "median_absolute_error", "error_quantile_0.9"])
@pytest.mark.parametrize("weighted", [False, True])
def test_bounds_hold_what_rounding_hides(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        label = rng.normal(0, 3, 60)
        weight = rng.choice([0.5, 1.0, 2.0], 60) if weighted else None
        rows = rows_of(np.zeros(60), label, weight)
        metric = report_metrics(make_context("regression", weighted=weighted))[name]
        assert isinstance(metric.statistic, ScoreHistogram)
        exact, _ = result(metric, rows)
        few = replace(metric, statistic=replace(metric.statistic, max_cells=8))
        value, _ = result(few, rows)
        state = measure(few.statistic, rows)
        assert state.shift
        bounds = few.bounds(state, np.array([value]))
        assert bounds is not None
        lowest, highest = (float(end[0]) for end in bounds)
        assert lowest <= exact <= highest
        assert lowest < highest
        assert lowest == value
