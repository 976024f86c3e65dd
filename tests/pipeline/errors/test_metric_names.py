"""The metric that is meant by another name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sklearn_metrics

from pipeline.config.load import parse_config
from pipeline.errors.metric_names import _ALIASES, metric_hint, near_metrics
from pipeline.errors.problems import ConfigError
from pipeline.evaluate import evaluate
from pipeline.evaluation.plan import make_plan
from tests.pipeline.tables import plan_of

HEADS = {
    "binary": "{type: binary, probability: p, label: y, baseline: {probability: p}}",
    "multi_class": "{type: multi_class, n_classes: 3, probability: q, label: c}",
    "multi_label": "{type: multi_label, n_classes: 3, probability: q, label: {column: l, form: "
    "multi_hot}}",
    "regression": "{type: regression, prediction: x, label: z}",
    "poisson": "{type: poisson, prediction: x, label: z}",
    "logistic_regression": "{type: logistic_regression, prediction: p, label: y}",
}


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    q = rng.dirichlet(np.ones(3), 200)
    p = rng.random(200)
    return {
        "p": p,
        "y": (rng.random(200) < p).astype(int),
        "q": q,
        "c": np.array([rng.choice(3, p=row) for row in q]),
        "l": (rng.random((200, 3)) < q).astype(int),
        "x": rng.gamma(2.0, size=200),
        "z": rng.poisson(2.0, 200).astype(float),
    }


@pytest.fixture(scope="module")
def found(rows: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The values of every metric of overall, by head."""
    columns = {name: [*map(list, v)] if v.ndim == 2 else v for name, v in rows.items()}
    text = "confidence: {folds: 0}\nheads: {" + ", ".join(f"{k}: {v}" for k, v in HEADS.items())
    report = evaluate(pa.table(columns), plan_of(text + "}")).report
    return {
        name: {
            metric: entry["value"]
            for kind in ("metrics", "both")
            for metric, entry in head["slices"][0].get(kind, {}).items()
        }
        for name, head in report["heads"].items()
    }


@pytest.mark.parametrize(
    ("head", "function", "prediction"),
    [
        ("binary", "roc_auc_score", "p"),
        ("binary", "average_precision_score", "p"),
        ("binary", "log_loss", "p"),
        ("binary", "brier_score_loss", "p"),
        ("binary", "mean_squared_error", "p"),
        ("binary", "mean_absolute_error", "p"),
        ("binary", "accuracy_score", "class"),
        ("binary", "f1_score", "class"),
        ("binary", "precision_score", "class"),
        ("binary", "recall_score", "class"),
        ("binary", "jaccard_score", "class"),
        ("binary", "balanced_accuracy_score", "class"),
        ("binary", "matthews_corrcoef", "class"),
        ("binary", "cohen_kappa_score", "class"),
        ("multi_class", "log_loss", "q"),
        ("multi_class", "accuracy_score", "class"),
        ("multi_class", "balanced_accuracy_score", "class"),
        ("multi_class", "cohen_kappa_score", "class"),
        ("multi_class", "matthews_corrcoef", "class"),
        ("regression", "mean_squared_error", "x"),
        ("regression", "root_mean_squared_error", "x"),
        ("regression", "mean_absolute_error", "x"),
        ("regression", "r2_score", "x"),
        ("poisson", "mean_poisson_deviance", "x"),
    ],
)
def test_names_of_scikit_learn_are_the_same_quantities(
    head: str,
    function: str,
    prediction: str,
    rows: dict[str, Any],
    found: dict[str, dict[str, float]],
) -> None:
    label = {"binary": "y", "multi_class": "c"}.get(head, "z")
    values = rows.get(prediction)
    if values is None:
        values = rows["p"] > 0.5 if head == "binary" else rows["q"].argmax(axis=1)
    expected = getattr(sklearn_metrics, function)(rows[label], values)
    first = near_metrics(function, found[head])[0]
    assert found[head][first] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "head", "meant"),
    [
        ("auroc", "binary", ["roc_auc"]),
        ("ROC-AUC", "binary", ["roc_auc"]),
        ("AreaUnderROC", "binary", ["roc_auc"]),
        ("auroc", "multi_class", ["roc_auc", "roc_auc/macro", "roc_auc/weighted"]),
        ("roc_auc_ovr", "multi_class", ["roc_auc/macro"]),
        ("pr_auc", "binary", ["average_precision", "auc_precision_recall"]),
        ("neg_log_loss", "multi_class", ["average_loss"]),
        ("BinaryCrossentropy", "binary", ["average_loss"]),
        ("sensitivity", "binary", ["recall"]),
        ("FPR", "binary", ["false_positive_rate"]),
        ("f1_macro", "multi_class", ["f1/macro"]),
        ("macro_recall", "multi_class", ["recall/macro"]),
        ("weighted-TPR", "multi_class", ["recall/weighted"]),
        ("QWK", "multi_class", ["cohen_kappa/quadratic"]),
        ("mse", "binary", ["brier_score"]),
        ("MeanSquaredError", "regression", ["mse"]),
        ("churn", "binary", ["flip_rate"]),
        ("acuracy", "binary", ["accuracy"]),
    ],
)
def test_other_names(
    name: str, head: str, meant: list[str], found: dict[str, dict[str, float]]
) -> None:
    near = near_metrics(name, found[head])
    assert near[: len(meant)] == meant
    assert len(near) <= 3


def test_every_metric_of_the_table_is_one_of_a_head(found: dict[str, dict[str, float]]) -> None:
    assert not set(_ALIASES).difference(*found.values())
    # A metric has its own name before another that goes by it.
    for names in found.values():
        for name in names:
            assert near_metrics(name, names)[0] == name


@pytest.mark.parametrize(
    ("head", "metric", "told"),
    [
        ("binary", "auroc", "a binary head has no metric 'auroc'; did you mean 'roc_auc'?"),
        ("binary", "recall/positive_threshold_0.3", "; write thresholds: [0.3] to have it"),
        ("binary", "f1/positive_logit_threshold_-2", "; write logit_thresholds: [-2] to have it"),
        ("binary", "recall_at_precision_0.8", "; write at: {precision: [0.8]} to have it"),
        ("multi_class", "accuracy/top_2", "; write top_k: [2] to have it"),
        ("regression", "error_quantile_0.75", "; write error_quantiles: [0.75] to have it"),
        ("regression", "pinball_loss_0.9", "; write pinball_quantiles: [0.9] to have it"),
    ],
)
def test_a_metric_that_a_key_asks_for(head: str, metric: str, told: str) -> None:
    text = f"heads: {{h: {HEADS[head][:-1]}, metrics: [{metric}]}}}}"
    with pytest.raises(ConfigError) as caught:
        make_plan(parse_config(text, "c.yaml"))
    assert told in str(caught.value)
    if "; write " in told:
        key = told.partition("; write ")[2].removesuffix(" to have it")
        mended = f"heads: {{h: {HEADS[head][:-1]}, {key}, metrics: [{metric}]}}}}"
        assert metric in make_plan(parse_config(mended, "c.yaml")).heads["h"].models[0].metrics


def test_all_names_are_listed_only_where_none_is_near() -> None:
    known = ["accuracy", "roc_auc"]
    assert metric_hint("zzz", known) == "; there are: accuracy, roc_auc"
    assert metric_hint("rocauc", known) == "; did you mean 'roc_auc'?"
    # What is measured at other thresholds alone is no reason to ask for this one again.
    at_one = [*known, "recall/positive_threshold_0.5"]
    assert "write" not in metric_hint("zzz/positive_threshold_0.5", at_one, keys=["thresholds"])
