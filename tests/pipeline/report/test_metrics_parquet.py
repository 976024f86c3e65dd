"""metrics.parquet: every metric of every slice, as the report has it."""

from __future__ import annotations

import io
import json
import math
import random
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heads.statistics.keys import key_text
from pipeline.evaluate import Evaluation, evaluate
from pipeline.evaluation.plan import Plan
from pipeline.report import report_json
from pipeline.report.metrics_parquet import SCHEMA, metrics_table, parquet_bytes
from tests.pipeline.tables import plan_of

TEXT = """
slices: [g, {columns: [g, k]}, {column: k, edges: [5]}]
confidence: {key: id, max_slices: 4}
against_overall: true
heads:
  two:
    type: binary
    logits: s
    label: y
    weight: w
    baseline: {probability: p}
    metrics: [average_loss, precision, roc_auc, auc, flip_rate, label/mean]
  one: {type: binary, logits: s, label: y, metrics: [accuracy, kolmogorov_smirnov]}
  classes: {type: multi_class, n_classes: 3, logits: q, label: y, metrics: [f1/macro]}
"""


@cache
def plan() -> Plan:
    return plan_of(TEXT)


@cache
def rows() -> pa.Table:
    rng = np.random.default_rng(0)
    n = 500
    return pa.table(
        {
            "s": rng.normal(size=n).round(1),
            "p": rng.random(n).round(1) * 0.9 + 0.05,
            "q": rng.normal(size=(n, 3)).tolist(),
            "y": rng.integers(0, 2, n),
            "w": rng.gamma(2, 1, n),
            "g": pa.array(rng.choice(["é", "b"], n), mask=rng.random(n) < 0.02),
            "k": rng.integers(0, 9, n),
            "id": np.arange(n),
        }
    )


@cache
def evaluation() -> Evaluation:
    return evaluate(rows(), plan())


def told(report: dict[str, Any]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The metrics of a report by head, model, whether weighted, slice, name and comparison."""
    found = {}
    for head, head_report in report["heads"].items():
        weighted = head_report["weighted"]
        for entry in head_report["slices"]:
            key = key_text(tuple((c["column"], c["kind"], c["value"]) for c in entry["slice"]))
            parts = {"model": entry["metrics"]}
            if "baseline" in entry:
                parts = {
                    "candidate": entry["metrics"],
                    "baseline": entry["baseline"]["metrics"],
                    "difference": entry["difference"],
                    "both": entry["both"],
                }
            for of, metrics in parts.items():
                for name, metric in metrics.items():
                    rows = {"examples": entry["examples"]}
                    own_metric = rows | metric
                    twin = own_metric.pop("unweighted", None)
                    for kind, compared in own_metric.pop("against_overall", {}).items():
                        found[head, of, weighted, key, name, kind] = rows | compared
                    found[head, of, weighted, key, name, None] = own_metric
                    if twin is not None:
                        found[head, of, False, key, name, None] = rows | twin
    return found


def test_it_says_what_the_report_says() -> None:
    table = metrics_table(plan(), evaluation().results)
    assert table.schema == SCHEMA
    expected = told(evaluation().report)
    found = {}
    for row in table.to_pylist():
        key = tuple(row[name] for name in IDENTITY)
        assert key not in found
        found[key] = {name: row[name] for name in SCHEMA.names if name not in IDENTITY}
    assert found.keys() == expected.keys()
    nothing = dict.fromkeys(set(SCHEMA.names) - set(IDENTITY))
    for key, metric in expected.items():
        # What is undefined has no interval for the same reason.
        assert found[key] == nothing | metric, key
    kinds = {of for _, of, *_ in found}
    assert kinds == {"model", "candidate", "baseline", "difference", "both"}
    assert any(metric.get("no_interval") for metric in expected.values())
    assert any(metric.get("reason") for metric in expected.values())
    assert any(metric.get("p_worse") for metric in expected.values())
    assert any(metric.get("p_value") for metric in expected.values())


IDENTITY = ("head", "of", "weighted", "slice", "metric", "against_overall")


def test_every_metric_is_in_every_slice() -> None:
    table = metrics_table(plan(), evaluation().results)
    counts = {"two": 5 * 5 + 1, "one": 2, "classes": 1}
    # The differences and ratios of two models, and of what both have.
    compared = {"two": 2 * (2 * 5 + 1), "one": 2 * 2, "classes": 2}
    slices = {key for result in evaluation().results for key in result.keys}
    assert len(slices) > 20
    for head, metrics in counts.items():
        assert sum(row == head for row in table["head"].to_pylist()) == (
            metrics * len(slices) + compared[head] * (len(slices) - 1)
        )
    # The slice is JSON that a reader may take apart.
    keys = [json.loads(text) for text in set(table["slice"].to_pylist())]
    assert [] in keys
    assert [["g", "string", "é"]] in keys


def test_slices_that_the_report_leaves_out_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_json, "MAX_SLICES", 4)
    short = evaluate(rows(), plan())
    head = short.report["heads"]["one"]
    whole = evaluation().report["heads"]["one"]
    assert len(head["slices"]) == 1 + 4
    assert head["slices_left_out"] == len(whole["slices"]) - 5
    assert whole["slices_left_out"] == 0
    sizes = sorted((entry["examples"] for entry in whole["slices"]), reverse=True)
    assert sorted((e["examples"] for e in head["slices"]), reverse=True) == sizes[:5]
    # Those that are shown are shown as before, in the same order.
    assert head["slices"] == [entry for entry in whole["slices"] if entry in head["slices"]]
    table = metrics_table(plan(), short.results)
    assert table == metrics_table(plan(), evaluation().results)


def test_its_bytes_do_not_depend_on_the_order_of_results_or_rows() -> None:
    results = evaluation().results
    expected = parquet_bytes(metrics_table(plan(), results))
    assert pq.read_table(io.BytesIO(expected)) == metrics_table(plan(), results)
    assert len(results) > 5
    shuffled = random.Random(1).sample(results, len(results))
    assert parquet_bytes(metrics_table(plan(), shuffled)) == expected
    order = np.random.default_rng(0).permutation(len(rows()))
    again = evaluate(rows().take(order), plan())
    assert parquet_bytes(metrics_table(plan(), again.results)) == expected


def test_undefined_values_are_null_and_never_nan() -> None:
    table = metrics_table(plan(), evaluation().results)
    for name in ("value", "standard_error", "lower", "upper", "p_worse"):
        values = [value for value in table[name].to_pylist() if value is not None]
        assert values
        assert all(map(math.isfinite, values))


def test_no_results_are_a_table_without_rows() -> None:
    table = metrics_table(plan(), [])
    assert (table.num_rows, table.schema) == (0, SCHEMA)
