"""Scores that crowd: figures stay right, and what rounding may have made is never called worse."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics as sk

from heads.metrics.core.score_curve import CurveMetric
from heads.metrics.macro_roc_auc import MacroArea
from pipeline.confidence.intervals import interval
from pipeline.evaluate import Evaluation, evaluate
from pipeline.report.metrics_parquet import metrics_table
from tests.pipeline.tables import plan_of, slices_of

ROWS = 20_000
TWO = "heads: {h: {type: binary, probability: p, label: y, baseline: {probability: q}}}"


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@cache
def latent() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    label = rng.random(ROWS) < 0.3
    return rng.normal(size=ROWS) + 2 * label, label.astype(int)


def compared(candidate: Any, baseline: Any) -> Evaluation:
    _, label = latent()
    return evaluate(pa.table({"p": candidate, "q": baseline, "y": label}), plan_of(TWO))


def test_crowded_probabilities_are_read_to_a_thousandth() -> None:
    z, label = latent()
    p = sigmoid(10 * z)
    found = slices_of(compared(p, sigmoid(z)))[None]["metrics"]
    fall_out, recall, _ = sk.roc_curve(label, p, drop_intermediate=False)
    precision, hit, _ = sk.precision_recall_curve(label, p)
    top = label[np.argsort(-p, kind="stable")][: ROWS // 10].sum() / label.sum()
    for name, expected in (
        ("roc_auc", sk.roc_auc_score(label, p)),
        ("average_precision", sk.average_precision_score(label, p)),
        ("recall_at_false_positive_rate_0.01", recall[fall_out <= 0.01].max()),
        ("sensitivity_at_specificity_0.95", recall[1 - fall_out >= 0.95].max()),
        ("recall_at_precision_0.9", hit[precision >= 0.9].max()),
        ("kolmogorov_smirnov", stats.ks_2samp(p[label == 1], p[label == 0]).statistic),
        ("gain/decile_1", top),
    ):
        metric = found[name]
        low, high = metric.get("rounded", (metric["value"], metric["value"]))
        assert low - 1e-12 <= expected <= high + 1e-12, name
        assert metric["value"] == pytest.approx(expected, abs=1e-3), name
    assert "rounded" in found["roc_auc"]


def test_a_monotone_change_is_not_worse() -> None:
    """Sharper probabilities rank rows alike, and only what depends on their size may differ."""
    z, _ = latent()
    evaluation = compared(sigmoid(9 * z), sigmoid(z))
    head = plan_of(TWO).heads["h"]
    of_ranks = {
        name
        for name, metric in head.models[0].metrics.items()
        if isinstance(metric, CurveMetric | MacroArea) and not name.startswith("threshold")
    }
    assert len(of_ranks) > 20
    assert of_ranks.isdisjoint(
        entry["metric"] for entry in evaluation.report["heads"]["h"]["worse"]
    )


def test_what_is_worse_beyond_rounding_is_listed() -> None:
    z, _ = latent()
    noise = np.random.default_rng(3).normal(size=ROWS)
    evaluation = compared(sigmoid(9 * (z + noise)), sigmoid(z))
    worse = {entry["metric"] for entry in evaluation.report["heads"]["h"]["worse"]}
    assert {"roc_auc", "average_precision", "kolmogorov_smirnov", "best_f1"} <= worse


def test_p_values_are_of_the_least_favourable_difference() -> None:
    z, _ = latent()
    noise = np.random.default_rng(4).normal(size=ROWS)
    entry = slices_of(compared(sigmoid(9 * (z + 0.1 * noise)), sigmoid(z)))[None]
    checked = 0
    for name, metric in entry["difference"].items():
        if "rounded" not in metric:
            continue
        ends = [
            side[name].get("rounded", [side[name]["value"]] * 2)
            for side in (entry["metrics"], entry["baseline"]["metrics"])
        ]
        lowest, highest = ends[0][0] - ends[1][1], ends[0][1] - ends[1][0]
        assert metric["rounded"] == pytest.approx([lowest, highest], rel=1e-12), name
        # Figures whose ends are tested have an error of their own for the p-value.
        if "p_worse" in metric and not name.startswith("recall_at_precision"):
            error, degrees = metric["standard_error"], metric["degrees_of_freedom"]
            expected = stats.t.cdf(highest / error, degrees)
            assert metric["p_worse"] == pytest.approx(expected, rel=1e-6), name
            assert metric["p_worse"] > stats.t.cdf(metric["value"] / error, degrees)
            checked += 1
    assert checked > 5


def test_intervals_are_wider_by_the_bounds() -> None:
    z, _ = latent()
    found = slices_of(compared(sigmoid(9 * z), sigmoid(z)))[None]["metrics"]["roc_auc"]
    low, high = found["rounded"]
    value, error = (np.array([found[key]]) for key in ("value", "standard_error"))
    degrees = np.array([found["degrees_of_freedom"]])
    lower, upper = interval(value, error, degrees, 0.95, 0.0, 1.0)
    assert found["lower"] == pytest.approx(lower[0] - (found["value"] - low), abs=1e-12)
    assert found["upper"] == pytest.approx(upper[0] + (high - found["value"]), abs=1e-12)


def test_the_table_has_the_bounds_of_the_report() -> None:
    z, _ = latent()
    evaluation = compared(sigmoid(9 * z), sigmoid(z))
    rows = metrics_table(plan_of(TWO), evaluation.results).to_pylist()
    entry = slices_of(evaluation)[None]
    report = {
        "candidate": entry["metrics"],
        "baseline": entry["baseline"]["metrics"],
        "difference": entry["difference"],
    }
    seen = 0
    for row in rows:
        if row["of"] in report:
            bounds = report[row["of"]][row["metric"]].get("rounded", [None, None])
            assert [row["lowest"], row["highest"]] == bounds, row["metric"]
            seen += bounds[0] is not None
    assert seen > 20
