"""Weights of any magnitude: ratios do not depend on it, and sums say where float64 ends."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipeline.evaluate import Evaluation, evaluate
from pipeline.evaluation.plan import Plan
from pipeline.report.metrics_parquet import metrics_table, parquet_bytes
from pipeline.report.report_json import report_bytes
from pipeline.report.statistics_pb import statistics_bytes
from pipeline.results.estimated import END_TOO_LARGE, TOO_LARGE
from pipeline.results.readings import TOO_FAR_APART
from pipeline.runs.diff import diff
from tests.pipeline.tables import plan_of, slices_of
from tests.pipeline.whole_runs import Finish, config, entries, table, with_column

Floats = npt.NDArray[np.float64]

BINARY = plan_of("""
confidence: {folds: 10, key: id}
heads:
  binary: {type: binary, logits: s, label: y, weight: w, baseline: {probability: p}}
""")
PLAN = plan_of("""
slices: [{column: g, values: [a]}]
confidence: {folds: 10, key: id}
heads:
  binary: {type: binary, logits: s, label: y, weight: w, baseline: {probability: p}}
  contrib: {type: contrib_binary, probability: p, label: p, weight: w}
  classes:
    type: multi_class
    n_classes: 3
    logits: c
    label: k
    weight: w
    baseline: {logits: d}
    class_metrics: [1]
  labels:
    type: multi_label
    n_classes: 3
    logits: c
    label: {column: m, form: ids}
    weight: w
    class_metrics: [1]
""")
ROWS = 90


@cache
def columns() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "s": rng.normal(0, 1, ROWS).round(1),
        "p": rng.random(ROWS).round(2),
        "y": rng.integers(0, 2, ROWS),
        "c": list(rng.normal(size=(ROWS, 3)).round(1)),
        "d": list(rng.normal(size=(ROWS, 3)).round(1)),
        "k": rng.integers(0, 3, ROWS),
        "m": [np.flatnonzero(row).tolist() for row in rng.random((ROWS, 3)) < 0.5],
        "g": rng.choice(["a", "b"], ROWS),
        "id": np.arange(ROWS),
    }


# With so few digits they are exact even where they are subnormal.
WEIGHTS = np.random.default_rng(1).integers(1, 60, ROWS).astype(np.float64)


def evaluated(weight: Floats, plan: Plan = BINARY) -> Evaluation:
    return evaluate(pa.table({**columns(), "w": weight}), plan)


def metrics_of(weight: Floats) -> dict[str, Any]:
    """The metrics of the binary head over all rows."""
    metrics: dict[str, Any] = slices_of(evaluated(weight), "binary")[None]["metrics"]
    return metrics


def leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields what is in a report, by its place."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, key))
        else:
            yield (*path, key), item


def written(evaluation: Evaluation, plan: Plan = BINARY) -> tuple[dict[Any, Any], Any]:
    """Returns what the report says, and the distributions; other files must be writable."""
    parquet_bytes(metrics_table(plan, evaluation.results))
    slices = [slice_ for part in evaluation.partitions() for slice_ in part.distributions]
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(statistics_bytes(slices))
    return dict(leaves(json.loads(report_bytes(evaluation.report)))), found


SUMS = (
    *(f"{sign}_{kind}" for sign in ("true", "false") for kind in ("positives", "negatives")),
    *("weight", "weight/positive", "weight/negative", "weight/class1"),
)


def is_sum(path: tuple[Any, ...]) -> bool:
    """Whether a number of a report is a sum of weights."""
    if path[-1] == "weight" or "weighted_confusion_matrix" in path:
        return True
    name = path[-2] if len(path) > 1 and "unweighted" not in path else ""
    return name in SUMS and path[-1] in ("value", "lower", "upper", "standard_error")


def adds_a_constant(path: tuple[Any, ...]) -> bool:
    """Whether TensorFlow 1.x adds a constant to the sums that a number is computed from."""
    names = {"auc", "auc_precision_recall"}
    return "contrib" in path and "unweighted" not in path and not names.isdisjoint(path)


@cache
def reference() -> tuple[dict[Any, Any], Any]:
    return written(evaluated(WEIGHTS, PLAN), PLAN)


@pytest.mark.parametrize("power", [-900, 510])
def test_weights_times_a_power_of_two_change_sums_alone(power: int) -> None:
    expected, statistics = reference()
    found, other = written(evaluated(np.ldexp(WEIGHTS, power), PLAN), PLAN)
    sums = 0
    for path, value in expected.items():
        if adds_a_constant(path):
            continue
        if is_sum(path) and isinstance(value, float):
            sums += 1
            assert found[path] == math.ldexp(value, power), path
        else:
            assert found[path] == value, path
    assert sums > 100
    for dataset, scaled in zip(statistics.datasets, other.datasets, strict=True):
        total = math.ldexp(dataset.weighted_num_examples, power)
        assert scaled.weighted_num_examples == total
        for feature, same in zip(dataset.features, scaled.features, strict=True):
            first, second = feature.num_stats, same.num_stats
            if feature.path.step[0] == "w":
                assert second.mean == math.ldexp(first.mean, power)
                assert second.std_dev == math.ldexp(first.std_dev, power)
                continue
            assert (second.mean, second.std_dev) == (first.mean, first.std_dev)
            weighted, other_weighted = (stats.weighted_numeric_stats for stats in (first, second))
            assert other_weighted.mean == weighted.mean
            assert other_weighted.std_dev == weighted.std_dev
            for histogram, scaled_histogram in zip(
                weighted.histograms, other_weighted.histograms, strict=True
            ):
                counts = [math.ldexp(b.sample_count, power) for b in histogram.buckets]
                assert counts == [b.sample_count for b in scaled_histogram.buckets]


def test_weights_whose_sums_float64_cannot_hold() -> None:
    expected, _ = written(evaluated(np.ones(ROWS), PLAN), PLAN)
    found, statistics = written(evaluated(np.full(ROWS, 2.0**1023), PLAN), PLAN)
    too_large = 0
    for path, value in expected.items():
        if adds_a_constant(path):
            continue
        if "unweighted" in path or not (is_sum(path) or set(SUMS) & set(path)):
            if path[-1] != "weight":
                assert found[path] == value, path
        elif path[-1] == "value" and isinstance(value, float) and abs(value) > 1:
            assert (found[path], found[(*path[:-1], "reason")]) == (None, TOO_LARGE)
            too_large += 1
    assert too_large > 10
    overall = statistics.datasets[0]
    assert overall.weighted_num_examples == 0
    by_column = {feature.path.step[0]: feature.num_stats for feature in overall.features}
    assert by_column["s"].mean == pytest.approx(columns()["s"].mean(), rel=1e-12)
    weighted = by_column["s"].weighted_numeric_stats
    assert weighted.mean == pytest.approx(columns()["s"].mean(), rel=1e-12)
    assert not weighted.histograms
    assert by_column["w"].mean == 2.0**1023


def test_a_sum_that_float64_holds_but_not_its_interval() -> None:
    rows = metrics_of(np.ones(ROWS))["true_negatives"]
    weight = 1.7e308 / rows["value"]
    assert rows["upper"] > 1.1 * rows["value"]
    found = metrics_of(np.full(ROWS, weight))["true_negatives"]
    assert found["value"] == pytest.approx(1.7e308, rel=1e-12)
    assert found["standard_error"] == pytest.approx(rows["standard_error"] * weight, rel=1e-9)
    assert (found["no_interval"], "lower" in found) == (END_TOO_LARGE, False)


def test_weights_that_are_too_far_apart_say_so() -> None:
    for low, high, far in ((1e-300, 1e300, False), (5e-324, 1.7e308, True)):
        metrics = metrics_of(np.where(columns()["y"] > 0, low, high))
        for name in ("accuracy", "average_loss", "recall", "roc_auc", "matthews_correlation"):
            assert metrics[name].get("reason") == (TOO_FAR_APART if far else None)
            assert (metrics[name]["value"] is None) == far


def test_rows_that_weigh_next_to_nothing_count_for_nothing() -> None:
    heavy = np.arange(ROWS) % 3 == 0
    metrics = metrics_of(np.where(heavy, 1e300, 1e-300))
    alone = pa.table({**columns(), "w": np.ones(ROWS)}).filter(pa.array(heavy))
    expected = slices_of(evaluate(alone, BINARY), "binary")[None]["metrics"]
    logits = columns()["s"][heavy]
    probabilities = 1 / (1 + np.exp(-logits))
    compared = 0
    for name, metric in expected.items():
        if "threshold_at_" in name:
            # It is between two scores with any weight, and the other rows are on the same sides.
            scores = logits if name.startswith("logit_") else probabilities
            found = (metrics[name]["value"], metric["value"])
            assert len({(scores > threshold).sum() for threshold in found}) == 1, name
        elif name not in SUMS and metric["value"] is not None:
            # The squares of weights are kept to few digits.
            rounding = 1e-6 if name == "debiased_calibration_error" else 1e-12
            value = pytest.approx(metric["value"], rel=rounding, abs=1e-12)
            assert metrics[name]["value"] == value, name
            compared += 1
    assert compared > 50


def test_products_of_weights_that_are_far_apart() -> None:
    # Labels and predictions agree, so that both coefficients are 1 whatever each class weighs.
    scores = np.repeat([1.0, -1.0], 20)
    rows = {"s": scores, "y": (scores > 0).astype(int), "k": np.arange(40) % 3, "id": np.arange(40)}
    rows["c"] = list(np.eye(3)[np.arange(40) % 3])
    plan = plan_of("""
confidence: {folds: 0}
heads:
  binary: {type: binary, logits: s, label: y, weight: w}
  classes: {type: multi_class, n_classes: 3, logits: c, label: k, weight: w}
""")
    names = ("matthews_correlation", "cohen_kappa")
    for low, high in ((1e-300, 1e300), (1e-300, 1.0), (5e-324, 1.0)):
        weight = np.where(np.arange(40) % 3 * (scores > 0) == 1, low, high)
        weight[scores < 0] = low
        found = evaluate(pa.table({**rows, "w": weight}), plan)
        for head in ("binary", "classes"):
            metrics = slices_of(found, head)[None]["metrics"]
            values = [metrics[name]["value"] for name in names]
            assert values == pytest.approx([1, 1], rel=1e-15), (head, low)


def test_a_single_row_that_weighs_next_to_nothing_costs_no_metric() -> None:
    # It is alone in its cells, as the only false positive.
    rows = {**columns(), "y": (columns()["s"] > 0).astype(int)}
    alone = int(np.flatnonzero(columns()["s"] > 0)[0])
    rows["y"][alone] = 0
    weights = (np.where(np.arange(ROWS) == alone, light, 1.0) for light in (1e-30, 1e-290))
    expected, found = (
        slices_of(evaluate(pa.table({**rows, "w": weight}), BINARY), "binary")[None]
        for weight in weights
    )
    for name, metric in expected["metrics"].items():
        other = found["metrics"][name]
        assert (other["value"] is None) == (metric["value"] is None), name
        assert ("lower" in other) == ("lower" in metric), name


def test_ratios_of_shares_that_float64_cannot_hold() -> None:
    names = {
        "s": ("positive_likelihood_ratio", "diagnostic_odds_ratio", "prevalence_threshold"),
        "y": ("gain/decile_3", "lift/decile_1", "auc_precision_recall", "balanced_accuracy"),
    }
    for by, some in names.items():
        light = columns()[by] > 0
        pairs = (1e-300, 1e300), (1e-30, 1e30)
        metrics, expected = (metrics_of(np.where(light, *pair)) for pair in pairs)
        for name in some:
            value = expected[name]["value"]
            assert metrics[name]["value"] == pytest.approx(value, rel=1e-9, abs=1e-20), name


def test_no_weight_at_all_and_a_single_weight() -> None:
    metrics = metrics_of(np.zeros(ROWS))
    assert metrics["accuracy"]["reason"] == "the weights sum to zero"
    metrics = metrics_of(np.where(np.arange(ROWS) == 7, 1e308, 0.0))
    right = (columns()["s"][7] > 0) == (columns()["y"][7] > 0)
    assert metrics["accuracy"]["value"] == float(right)


def test_runs_whose_weights_differ_by_a_power_of_two(tmp_path: Path) -> None:
    finish = Finish(tmp_path)
    names = "metrics: [average_loss, accuracy, roc_auc, true_positives]"
    text = config(slices="[]", head=f"binary, logits: {{score}}, label: y, weight: w, {names}")
    weight = np.round(table()["w"].to_numpy() * 64)
    plain, changed = (
        finish(text.replace("logits: s", f"logits: {score}"), with_column("w", weight))
        for score in "st"
    )
    expected = entries(diff(plain, changed))["[]"]["difference"]
    for power in (1, 1000, 1012):
        scaled = finish(text, with_column("w", np.ldexp(weight, power)))
        found = entries(diff(scaled, changed))["[]"]["difference"]
        for name in ("average_loss", "accuracy", "roc_auc"):
            assert found[name]["value"] == expected[name]["value"]
            assert found[name]["lower"] < found[name]["value"] < found[name]["upper"]
        hits = found["true_positives"]
        assert hits.get("reason") == (TOO_LARGE if power == 1012 else None)
        same = entries(diff(scaled, scaled))["[]"]["difference"]
        assert {name: metric["value"] for name, metric in same.items()} == dict.fromkeys(found, 0)
