"""What is shown of a slice beside its metrics, against scikit-learn and counting by hand."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.metrics import precision_recall_curve as sklearn_precision_recall
from sklearn.metrics import roc_curve as sklearn_roc

from heads.curves.points import MAX_POINTS
from heads.statistics import Key
from pipeline.evaluate import Evaluation, evaluate
from pipeline.evaluation import plan as plan_module
from pipeline.report.report_json import report_bytes
from pipeline.results import details
from pipeline.results.details import detailed_slices, details_of
from pipeline.results.feature_statistics import NumericFeature
from pipeline.slicing.table import SliceTable, SpecSlices
from tests.pipeline.tables import (
    evaluate_in_bundles,
    plan_of,
    slices_of,
)
from tests.pipeline.tables import rows_of as rows_of_file

ROWS = 3000
CONFIG = """
slices: [g, {column: n, values: [1, 7]}, {columns: [g, {column: n, values: [0]}]}]
confidence: {folds: 10, key: n}
heads:
  binary: {type: binary, logits: s, label: y, weight: w, baseline: {probability: p},
           metrics: [roc_auc, expected_calibration_error]}
  classes: {type: multi_class, n_classes: 4, class_names: [ape, bee, cat, dog], logits: c,
            label: k, class_metrics: [cat], metrics: [accuracy, roc_auc/cat]}
  labels: {type: multi_label, n_classes: 2, logits: d, label: {column: t, form: multi_hot},
           metrics: [average_loss, roc_auc]}
  plain: {type: binary, logits: s, label: y, metrics: [accuracy]}
"""
SEVEN, ONE = (("n", "int", value) for value in (7, 1))
CURVES = {"roc", "precision_recall", "gain", "calibration"}


@cache
def table() -> pa.Table:
    rng = np.random.default_rng(1)
    s = rng.normal(0, 2, ROWS).round(2)
    probability = 1 / (1 + np.exp(-s))
    return pa.table(
        {
            "s": s,
            "p": probability.round(3),
            "y": (rng.random(ROWS) < probability).astype(np.int64),
            "w": rng.gamma(2, 1, ROWS).round(2),
            "c": list(rng.normal(size=(ROWS, 4)).round(1)),
            "k": rng.integers(0, 4, ROWS),
            "d": list(rng.normal(size=(ROWS, 2)).round(1)),
            "t": list(rng.integers(0, 2, (ROWS, 2))),
            "g": rng.choice(["a", "b"], ROWS),
            "n": np.r_[np.arange(ROWS - 1) % 6, 7],
        }
    )


@cache
def evaluation() -> Evaluation:
    return evaluate(table(), plan_of(CONFIG))


def rows_of(key: Any) -> npt.NDArray[np.bool_]:
    every = np.ones(ROWS, bool)
    return every if key is None else table()[key[0]].to_numpy() == key[2]


def head_details(name: str, key: Any = None, model: str = "candidate") -> dict[str, Any]:
    entry = slices_of(evaluation(), name)[key]
    found: dict[str, Any] = entry if model == "candidate" else entry["baseline"]
    return found


BESIDE = {"slice", "examples", "small", "metrics", "baseline", "difference", "both"}


def detailed(found: Evaluation, name: str) -> set[Any]:
    """The slices of a head that have details; None is overall."""
    slices = slices_of(found, name)
    return {key for key, entry in slices.items() if entry.keys() - BESIDE - {"score_rounding"}}


@pytest.mark.parametrize("most", [0, 2, 100])
def test_details_are_of_overall_of_the_largest_and_of_listed_slices(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details, "MAX_DETAILED", most)
    found = evaluate(table().slice(ROWS - 300), plan_of(CONFIG))
    for name in ("binary", "labels", "classes"):
        slices = slices_of(found, name)
        by_rows = sorted(slices.keys() - {None}, key=lambda key: -slices[key]["examples"])
        # That of a cross with one listed column is not listed.
        assert detailed(found, name) == {None, ONE, SEVEN, *by_rows[:most]}
        assert found.report["heads"][name]["detailed_slices"] == len({ONE, SEVEN, *by_rows[:most]})
    assert detailed(found, "plain") == set()
    assert found.report["heads"]["plain"]["detailed_slices"] == 0


HEADS = {
    "type: binary, logits: s": 100,
    "type: binary, logits: s, baseline: {logits: t}": 100,
    "type: multi_class, logits: s, n_classes: 4, class_metrics: []": 100,
    "type: multi_class, logits: s, n_classes: 4": 40,
    "type: multi_class, logits: s, n_classes: 4, baseline: {logits: t}": 20,
    "type: multi_class, logits: s, n_classes: 300, class_metrics: ["
    + ", ".join(map(str, range(200)))
    + "]": 0,
}


@pytest.mark.parametrize(("head", "most"), HEADS.items(), ids=str)
def test_the_more_curves_a_slice_has_the_fewer_slices_have_them(head: str, most: int) -> None:
    plan = plan_of(
        f"slices: [b, {{column: a, values: [1, 2]}}]\nheads: {{h: {{{head}, label: y}}}}"
    )
    few: list[Key] = [(("a", "int", i),) for i in (1, 2)]
    many: list[Key] = [(("b", "int", i),) for i in range(300)]
    # The rows of two slices each are equal in number.
    rows = tuple(1000 + i // 2 for i in range(300))
    specs = SpecSlices(tuple(many), rows), SpecSlices(tuple(few), (1, 1))
    found = detailed_slices(plan, SliceTable(specs, frozenset()), plan.heads["h"])
    # Of equals the first by the text of the key.
    largest = sorted(many, key=lambda key: (-rows[key[0][2]], str(key[0][2])))[:most]  # type: ignore[index]
    assert found == {(), *few, *largest}


def test_details_do_not_depend_on_how_slices_and_rows_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(details, "MAX_DETAILED", 3)
    monkeypatch.setattr(plan_module, "PARTITION_BYTES", 1 << 40)
    plan = plan_of(
        "slices: [g, {column: n, values: [1, 7]}, {columns: [g, n]}]\n"
        "confidence: {folds: 10, key: n}\n"
        "heads: {binary: {type: binary, logits: s, label: y, metrics: [roc_auc]}}"
    )
    rows = table().slice(ROWS - 300)
    together = evaluate(rows, plan)
    assert len(set(plan.partitions(together.table).values())) == 1
    monkeypatch.setattr(plan_module, "PARTITION_BYTES", 1)
    assert len(set(plan.partitions(together.table).values())) > 3
    batch = rows.combine_chunks().to_batches()[0]
    bundles = [rows_of_file(batch.slice(first, 100)) for first in (0, 100, 200)]
    apart = evaluate_in_bundles(bundles, plan)
    assert detailed(together, "binary") > {None, ONE, SEVEN}
    assert report_bytes(apart.report) == report_bytes(together.report)


def test_each_head_has_the_details_of_its_type() -> None:
    assert head_details("binary")["curves"].keys() == CURVES
    assert head_details("binary", model="baseline")["curves"].keys() == CURVES
    assert head_details("labels")["curves"].keys() == CURVES - {"calibration"}
    assert head_details("classes")["class_curves"].keys() == {"cat"}
    assert head_details("classes")["class_curves"]["cat"].keys() == CURVES - {"calibration"}
    assert {"confusion_matrix", "most_confused"} <= head_details("classes").keys()
    assert "curves" not in head_details("classes")
    assert not {"class_curves", "confusion_matrix"} & head_details("binary").keys()
    assert "curves" not in head_details("plain")


def curves_in(value: Any) -> list[Any]:
    """Every list of a report's details that is not a matrix."""
    if isinstance(value, dict):
        return [found for part in value.values() for found in curves_in(part)]
    return [value] if isinstance(value, list) else []


def test_curves_have_an_end_and_can_be_written() -> None:
    lengths = []
    for name in ("binary", "labels", "classes"):
        for entry in evaluation().report["heads"][name]["slices"]:
            for model in (entry, entry.get("baseline", {})):
                for kind in ("curves", "class_curves"):
                    lengths += [len(curve) for curve in curves_in(model.get(kind, {}))]
    assert max(lengths) <= MAX_POINTS == 400
    # Some were thinned to that.
    assert sum(length > 300 for length in lengths) > 3
    text = json.dumps(evaluation().report, allow_nan=False)
    assert json.loads(text) == json.loads(report_bytes(evaluation().report))


@pytest.mark.parametrize("key", [None, ONE])
@pytest.mark.parametrize("model", ["candidate", "baseline"])
def test_points_of_curves_are_those_of_scikit_learn(key: Any, model: str) -> None:
    chosen = rows_of(key)
    label, weight = (table()[name].to_numpy()[chosen] for name in "yw")
    score = table()["s" if model == "candidate" else "p"].to_numpy()[chosen]
    found = head_details("binary", key, model)
    assert found["score_rounding"] == 0.0
    curves = found["curves"]
    expected = zip(*sklearn_roc(label, score, sample_weight=weight)[:2], strict=True)
    columns = (curves["roc"]["false_positive_rate"], curves["roc"]["recall"])
    assert_among(list(zip(*columns, strict=True)), list(expected))
    expected = zip(*sklearn_precision_recall(label, score, sample_weight=weight)[:2], strict=True)
    columns = (curves["precision_recall"]["precision"], curves["precision_recall"]["recall"])
    assert_among(list(zip(*columns, strict=True)), list(expected))
    # All of the weight is in the bins.
    bins = curves["calibration"]
    assert sum(bin_["rows"] for bin_ in bins) == chosen.sum()
    assert sum(bin_["weight"] for bin_ in bins) == pytest.approx(weight.sum(), rel=1e-12)
    assert (curves["gain"]["gain"][0], curves["gain"]["gain"][-1]) == (0.0, pytest.approx(1.0))


def assert_among(points: list[Any], others: list[Any]) -> None:
    """Every point is one of the others, but for rounding; and there are not few."""
    near = np.array(others)
    assert len(points) > 100
    for point in points:
        assert np.abs(near - point).max(axis=1).min() < 1e-9


@pytest.mark.parametrize("key", [None, ONE, SEVEN])
def test_the_confusion_matrix_is_that_of_scikit_learn(key: Any) -> None:
    chosen = rows_of(key)
    label = table()["k"].to_numpy()[chosen]
    predicted = np.array(table()["c"].to_pylist())[chosen].argmax(axis=1)
    expected = confusion_matrix(label, predicted, labels=range(4))
    entry = head_details("classes", key)
    assert entry["confusion_matrix"] == expected.tolist()
    names = ["ape", "bee", "cat", "dog"]
    wrong = [
        (-int(expected[i, j]), i, j)
        for i in range(4)
        for j in range(4)
        if i != j and expected[i, j]
    ]
    assert entry["most_confused"] == [
        {
            "label": names[i],
            "predicted": names[j],
            "rows": -rows,
            "share_of_label": -rows / expected[i].sum(),
        }
        for rows, i, j in sorted(wrong)
    ]


def test_a_slice_of_one_row_has_what_can_be_said_of_it() -> None:
    curves = head_details("binary", SEVEN)["curves"]
    label = int(table()["y"][ROWS - 1].as_py())
    assert {tuple(column) for column in curves["roc"].values()} == {()}
    assert len(curves["precision_recall"]["recall"]) == label
    filled = [bin_ for bin_ in curves["calibration"] if bin_["rows"]]
    assert [bin_["mean_label"] for bin_ in filled] == [label]
    assert {bin_["mean_label"] for bin_ in curves["calibration"]} == {label, None}


def test_curves_do_not_depend_on_whether_a_slice_is_large() -> None:
    small = evaluate(table(), plan_of(CONFIG.replace("key: n", "key: n, max_slices: 0")))
    for name in ("binary", "labels"):
        entries = slices_of(small, name)
        assert entries[None]["curves"] == head_details(name)["curves"]
        # A slice that is not among the largest has the coarser histogram.
        assert entries[ONE]["score_rounding"] >= head_details(name, ONE)["score_rounding"]
        assert entries[ONE]["curves"].keys() >= CURVES - {"calibration"}
    # Nor is there a matrix of it.
    assert "confusion_matrix" not in slices_of(small, "classes")[ONE]
    assert "confusion_matrix" in slices_of(small, "classes")[None]


def test_nothing_measured_is_nothing_shown() -> None:
    head = plan_of(CONFIG).heads["plain"]
    assert details_of(head.context, (), {}) == {}


@pytest.mark.parametrize("folds", [0, 10])
def test_scores_of_every_magnitude_have_thresholds(folds: int) -> None:
    # Cells so wide that the lowest begins below all numbers.
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-300, 308, 900)
    scores = np.concatenate([size * rng.choice([-1, 1], 900), [-1.7e308, 1.7e308]])
    rows = {"s": scores, "y": rng.integers(0, 2, 902), "g": ["a"] * 902, "id": np.arange(902)}
    plan = plan_of(
        "slices: [{column: g, values: [a]}]\n"
        f"confidence: {{folds: {folds}, key: id, max_slices: 0}}\n"
        "heads: {h: {type: binary, logits: s, label: y, metrics: [roc_auc, threshold_at_best_f1,"
        " logit_threshold_at_best_f1]}}"
    )
    found = evaluate(pa.table(rows), plan)
    report_bytes(found.report)
    for key in (None, ("g", "string", "a")):
        entry = slices_of(found)[key]
        roc = entry["curves"]["roc"]
        logits = roc["logit_threshold"]
        assert logits[0] is None
        # The lowest cell begins at the lowest float64, and nothing is below that.
        assert None not in logits[1:-1]
        assert logits[1:-1] == sorted(logits[1:-1], reverse=True)
        # As probabilities, float64 tells them apart between -745 and 37, but not next to 0.
        pairs = zip(logits[1:-1], roc["threshold"][1:-1], strict=True)
        told = {logit: threshold for logit, threshold in pairs if threshold is not None}
        assert list(told.values()) == sorted(told.values(), reverse=True)
        assert all(logit > -745 and 0 < told[logit] < 1 for logit in told)
        # Of the highest, a probability is above those of all that are not next to 1.
        assert sorted(told)[-2] < 37
        assert 5 < len(told) < len(logits) / 2
        best = entry["metrics"]
        assert best["logit_threshold_at_best_f1"]["value"] in (*logits, None)
        assert best["threshold_at_best_f1"]["value"] in roc["threshold"]
    (small,) = (s for part in found.partitions() for s in part.distributions if s.key)
    described = small.features[0]
    assert isinstance(described, NumericFeature)
    assert described.low == -np.finfo(np.float64).max
    assert described.buckets is not None
    assert np.isfinite(described.buckets.edges).all()
