"""Whole evaluations of regression heads: against scikit-learn, over any cut, with bad rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sklearn_metrics

from pipeline.errors.faults import BadData
from pipeline.evaluate import evaluate
from pipeline.evaluation.measurement import score_rows
from pipeline.evaluation.predictions import predictions_table
from pipeline.extract.head_inputs import extract
from pipeline.readers.rows import Rows
from tests.pipeline.tables import (
    assert_equal,
    evaluate_in_bundles,
    plan_of,
    rows_of,
    slices_of,
    values_of,
    write,
)

PLAN = """
slices: [g]
confidence: {folds: 10}
heads:
  h: {type: regression, prediction: p, label: y, weight: w, lower: l, upper: u,
      baseline: {prediction: q}}
  n: {type: poisson, logits: x, label: c}
  s: {type: logistic_regression, logits: x, label: t, baseline: {prediction: r}}
"""


@cache
def table() -> pa.Table:
    rng = np.random.default_rng(1)
    n = 400
    x = rng.normal(0, 1, n)
    y = 1e9 + 2 * x + rng.normal(0, 1, n)
    p = 1e9 + 2 * x
    return pa.table(
        {
            "x": x,
            "p": p,
            "q": p + rng.normal(0, 0.5, n),
            "y": y,
            "l": p - 1.0,
            "u": p + 1.5,
            "c": rng.poisson(np.exp(x)),
            "t": rng.random(n),
            "r": rng.random(n),
            "w": rng.choice([0.0, 0.5, 2.0], n),
            "g": rng.choice(["a", "b"], n),
        }
    )


def bundles(*, parts: int, seed: int) -> list[Rows]:
    batch = table().combine_chunks().to_batches()[0]
    order = np.random.default_rng(seed).permutation(len(batch))
    return [
        Rows(batch.take(pa.array(places)), places, "a.parquet", {})
        for places in np.array_split(order, parts)
    ]


@cache
def whole() -> Any:
    return evaluate_in_bundles(bundles(parts=1, seed=0), plan_of(PLAN))


def test_the_report_has_the_figures_of_scikit_learn() -> None:
    columns = {name: table()[name].to_numpy() for name in table().column_names}
    for key in (None, ("g", "string", "a")):
        chosen = columns["g"] == "a" if key else np.ones(len(columns["g"]), bool)
        y, p, w, x = (columns[name][chosen] for name in "ypwx")
        found = values_of(whole(), "h", key)
        centred = {"y_true": y - 1e9, "y_pred": p - 1e9, "sample_weight": w}
        assert found["r2"] == pytest.approx(sklearn_metrics.r2_score(**centred), rel=1e-12)
        assert found["mse"] == pytest.approx(
            sklearn_metrics.mean_squared_error(y, p, sample_weight=w)
        )
        covered = (p - 1 <= y) & (y <= p + 1.5)
        assert found["interval_coverage"] == pytest.approx(np.average(covered, weights=w))
        counts = values_of(whole(), "n", key)
        c = columns["c"][chosen]
        deviance = sklearn_metrics.mean_poisson_deviance(c, np.exp(x))
        assert counts["poisson_deviance"] == pytest.approx(deviance)
        assert counts["median_absolute_error"] == sklearn_metrics.median_absolute_error(
            c, np.exp(x)
        )
        share, t = values_of(whole(), "s", key), columns["t"][chosen]
        probability = 1 / (1 + np.exp(-x))
        assert share["mae"] == pytest.approx(np.abs(probability - t).mean())
        loss = np.logaddexp(0, x) - x * t
        assert share["average_loss"] == pytest.approx(loss.mean())


def test_metrics_have_intervals_differences_and_twins_without_weights() -> None:
    entry = slices_of(whole(), "h")[None]
    metrics = entry["metrics"]
    for name in ("rmse", "r2", "pearson", "median_error", "error_quantile_0.9"):
        metric = metrics[name]
        assert metric["lower"] < metric["value"] < metric["upper"], name
        assert metric["unweighted"]["lower"] < metric["unweighted"]["upper"], name
        assert metric["standard_error"] > 0
        assert entry["difference"][name]["lower"] < entry["difference"][name]["upper"], name
    assert entry["difference"]["rmse"]["p_worse"] > 0.9
    assert metrics["bias/decile_3"]["no_interval"] == "fewer than 50 rows of a tenth"
    # The baseline predicts no interval.
    assert "interval_coverage" in metrics
    assert "interval_coverage" not in entry["baseline"]["metrics"]
    assert "interval_coverage" not in entry["difference"]
    assert whole().report["heads"]["h"]["classes"] == []
    assert "rmse" in whole().report["heads"]["h"]["headline"]


def test_any_cut_and_order_gives_the_same_bytes() -> None:
    for parts, seed in ((5, 1), (13, 2)):
        again = evaluate_in_bundles(bundles(parts=parts, seed=seed), plan_of(PLAN))
        assert_equal(again, whole())


def test_bad_rows_are_named(tmp_path: Path) -> None:
    data = pa.table({"p": [1.0, 2.0, 3.0], "y": [1.0, -2.0, 0.0]})
    write(tmp_path / "a.parquet", data)
    plan = plan_of("heads: {h: {type: poisson, prediction: p, label: y}}")
    with pytest.raises(BadData, match=r"'y' is negative in 1 row: .*a\.parquet: row 1"):
        evaluate(str(tmp_path / "*.parquet"), plan)
    plan = plan_of("max_bad_rows: 1\nheads: {h: {type: poisson, prediction: p, label: y}}")
    found = evaluate(str(tmp_path / "*.parquet"), plan)
    assert found.report["heads"]["h"]["bad_rows"] == {"negative:y": 1}
    assert values_of(found)["label/mean"] == 0.5


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("type: regression, prediction: p", {"predictions": [1.0, 0.5], "loss": [1.0, 2.25]}),
        (
            "type: poisson, logits: p",
            {"logits": [1.0, 0.5], "predictions": np.exp([1.0, 0.5]).tolist()},
        ),
        ("type: logistic_regression, prediction: p", {"predictions": [1.0, 0.5]}),
    ],
)
def test_predictions_of_every_row(keys: str, expected: dict[str, list[float]]) -> None:
    labels = [0.0, 2.0] if "logistic" not in keys else [1.0, 0.0]
    rows = rows_of({"p": [1.0, 0.5], "y": labels})
    plan = plan_of(f"heads: {{h: {{{keys}, label: y}}}}").heads["h"]
    scored = score_rows(plan, extract(plan.config, rows), None)
    found = predictions_table(plan, rows, scored).to_pydict()
    assert {"file", "row", "label", "loss"} <= set(found)
    assert ("logits" in found) == ("logits" in expected)
    for name, values in expected.items():
        assert found[name] == pytest.approx(values), name


def test_distributions_of_the_columns() -> None:
    slices = [of_slice for part in whole().partitions() for of_slice in part.distributions]
    found = {of_slice.head: of_slice for of_slice in slices if of_slice.key == ()}
    columns = {feature.path[0]: feature for feature in found["h"].features}
    assert set(columns) == {"p", "q", "y", "w"}
    y, p, w = (table()[name].to_numpy() for name in "ypw")
    assert columns["y"].mean == pytest.approx(y.mean(), rel=1e-15)
    assert columns["y"].weighted_mean == pytest.approx(np.average(y, weights=w), rel=1e-15)
    assert (columns["p"].low, columns["p"].high) == (p.min(), p.max())
    (logit, count) = found["n"].features
    assert (logit.path, logit.mean, logit.low) == (("x",), None, None)
    assert (count.path, count.zeros) == (("c",), int((table()["c"].to_numpy() == 0).sum()))
