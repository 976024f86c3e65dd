"""Thresholds on the logit, names of thresholds, and which side a score at a threshold is on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from heads.statistics.cuts import ScoreKind
from pipeline.evaluate import evaluate
from pipeline.report.text.render import render
from tests.pipeline.tables import binary_table, plan_of, reason_of, slices_of, values_of

BINARY = ["binary", "contrib_binary"]
AT = "positive_logit_threshold"


def values(table: pa.Table, keys: str, *more: str) -> dict[str, Any]:
    text = "\n".join([f"heads: {{h: {{label: y, {keys}}}}}", "confidence: {folds: 0}", *more])
    return values_of(evaluate(table, plan_of(text)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scores", ["logits: s", "probability: p"])
@pytest.mark.parametrize("head", BINARY)
def test_rates_equal_scikit_learn(head: str, scores: str, weighted: bool) -> None:
    table = binary_table(300, 0)
    y, s = table["y"].to_numpy(), table["s"].to_numpy()
    w = table["w"].to_numpy() if weighted else None
    weight = ", weight: w" if weighted else ""
    # Beside the scores, which have two digits.
    found = values(table, f"type: {head}, {scores}{weight}, logit_thresholds: [1.505, -0.255]")
    for threshold in (1.505, -0.255):
        called, ending = s > threshold, f"{AT}_{threshold}"
        tn, fp, fn, tp = sk.confusion_matrix(y, called, sample_weight=w).ravel()
        for name, expected in (
            ("accuracy", sk.accuracy_score(y, called, sample_weight=w)),
            ("precision", sk.precision_score(y, called, sample_weight=w)),
            ("recall", sk.recall_score(y, called, sample_weight=w)),
            ("f1", sk.f1_score(y, called, sample_weight=w)),
            ("true_positives", tp),
            ("true_negatives", tn),
            ("false_positives", fp),
            ("false_negatives", fn),
        ):
            # TensorFlow 1.x adds 1e-7 to some denominators.
            rel = 1e-12 if head == "binary" else 1e-8
            assert found[f"{name}/{ending}"] == pytest.approx(expected, rel=rel), name


@pytest.mark.parametrize("scores", ["logits: s", "probability: p"])
@pytest.mark.parametrize("head", BINARY)
def test_a_threshold_is_the_same_on_both_scales(head: str, scores: str) -> None:
    table = binary_table(200, 1)
    keys = f"type: {head}, {scores}, thresholds: [0.5, 0.3], weight: w"
    # At 0.5 there are scores of exactly 0.
    found = values(table, f"{keys}, logit_thresholds: [0, {math.log(0.3 / 0.7)}]")
    pairs = (("positive_threshold_0.5", f"{AT}_0"), ("positive_threshold_0.3", f"{AT}_-0.847298"))
    compared = 0
    for name, value in found.items():
        for on_probability, on_logit in pairs:
            if name.endswith(on_probability):
                assert value == found[name.replace(on_probability, on_logit)], name
                compared += 1
    assert compared > 50


@pytest.mark.parametrize("head", BINARY)
def test_a_logit_at_the_threshold_is_not_above_it(head: str) -> None:
    table = pa.table({"s": [1.5, np.nextafter(1.5, 2), 1.0], "y": [1, 1, 0]})
    found = values(table, f"type: {head}, logits: s, logit_thresholds: [1.5]")
    assert found[f"true_positives/{AT}_1.5"] == 1
    assert found[f"recall/{AT}_1.5"] == pytest.approx(0.5, rel=1e-6)
    # That of TensorFlow 1.x counts `>=` in accuracy alone.
    assert found[f"accuracy/{AT}_1.5"] == (2 / 3 if head == "binary" else 1)


def test_logits_that_probabilities_do_not_tell_apart() -> None:
    table = pa.table({"s": [96.0, 97.0, 98.0, 99.0], "y": [0, 0, 1, 1]})
    keys = "type: binary, logits: s, logit_thresholds: [97.5], at: {recall: [1]}"
    found = evaluate(table, plan_of(f"heads: {{h: {{label: y, {keys}}}}}"))
    assert values_of(found)[f"precision/{AT}_97.5"] == values_of(found)[f"recall/{AT}_97.5"] == 1
    assert values_of(found)["logit_threshold_at_recall_1"] == 97.5
    no_probability = "no probability in float64 is such a threshold"
    assert reason_of(found, "threshold_at_recall_1") == no_probability
    assert reason_of(found, "threshold_at_best_f1") == no_probability
    roc = slices_of(found)[None]["curves"]["roc"]
    assert roc["logit_threshold"] == [None, 97.5, 95.5]
    # All scores are above any probability that float64 holds.
    assert roc["threshold"] == [None, None, 1 - 2.0**-53]


def test_a_probability_of_0_is_above_no_threshold() -> None:
    table = pa.table({"p": [0.0, 0.5, 1.0], "y": [1, 0, 1]})
    text = "heads: {h: {type: binary, label: y, probability: p, at: {recall: [1], precision: [1]}}}"
    found = evaluate(table, plan_of(text))
    for scale, name in (("probability", ""), ("logit", "logit_")):
        reason = f"no {scale} in float64 is such a threshold"
        assert reason_of(found, f"{name}threshold_at_recall_1") == reason
    assert values_of(found)["threshold_at_precision_1"] == 0.8


def test_two_models_of_different_scores() -> None:
    table = binary_table(300, 2)
    y, first = table["y"].to_numpy(), table["s"].to_numpy()
    second = np.round(first * 0.5 + 0.3, 2)
    table = table.append_column("q", pa.array(1 / (1 + np.exp(-second))))
    keys = "type: binary, logits: s, baseline: {probability: q}, logit_thresholds: [0.755]"
    text = f"heads: {{h: {{label: y, {keys}}}}}\nconfidence: {{folds: 0}}"
    entry = slices_of(evaluate(table, plan_of(text)))[None]
    candidate, baseline = first > 0.755, second > 0.755
    for metrics, called in (
        (entry["metrics"], candidate),
        (entry["baseline"]["metrics"], baseline),
    ):
        found = metrics[f"recall/{AT}_0.755"]["value"]
        assert found == pytest.approx(sk.recall_score(y, called), rel=1e-12)
    difference = sk.recall_score(y, candidate) - sk.recall_score(y, baseline)
    assert entry["difference"][f"recall/{AT}_0.755"]["value"] == pytest.approx(difference)
    both = entry["both"]
    assert both[f"flip_rate/{AT}_0.755"]["value"] == np.mean(candidate != baseline)
    worse = np.mean((candidate != baseline) & (baseline == y))
    assert both[f"correct_to_wrong_rate/{AT}_0.755"]["value"] == worse


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_several_labels(kind: ScoreKind) -> None:
    rng = np.random.default_rng(0)
    t = rng.normal(0, 2, (200, 2)).round(2)
    y = rng.integers(0, 2, (200, 2))
    stored = t if kind == "logits" else 1 / (1 + np.exp(-t))
    scores = "logits: t" if kind == "logits" else "probability: t"
    label = "label: {column: y, form: multi_hot}, class_names: [cat, dog]"
    text = f"heads: {{h: {{type: multi_label, n_classes: 2, {scores}, {label},"
    text += " logit_thresholds: [1.505, -0.5050001]}}"
    found = values_of(evaluate(pa.table({"t": list(stored), "y": list(y)}), plan_of(text)))
    for threshold, name in ((1.505, "1.505"), (-0.5050001, "-0.505")):
        called = (t > threshold).astype(int)
        micro = sk.f1_score(y.ravel(), called.ravel())
        assert found[f"f1/{AT}_{name}"] == pytest.approx(micro, rel=1e-12)
        for i, word in enumerate(("cat", "dog")):
            recall = sk.recall_score(y[:, i], called[:, i])
            assert found[f"recall/{AT}_{name}/{word}"] == pytest.approx(recall, rel=1e-12)


def test_thresholds_of_exclusive_classes_are_probabilities() -> None:
    t = np.array([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0]])
    text = "heads: {h: {type: multi_class, n_classes: 3, logits: t, label: y}}"
    found = evaluate(pa.table({"t": list(t), "y": [0, 1, 2, 0]}), plan_of(text))
    roc = slices_of(found)[None]["class_curves"]["class0"]["roc"]
    probability = np.exp(t[:, 0]) / np.exp(t).sum(axis=1)
    assert roc["recall"][1] == 1
    # As a logit it would stand for 0.57.
    assert 0.1 < roc["threshold"][1] < 0.5
    assert probability[probability > roc["threshold"][1]].tolist() == probability[[0, 3]].tolist()
    assert roc["threshold"][1] == pytest.approx(1 / (1 + np.exp(-roc["logit_threshold"][1])))


# Names.


def test_thresholds_that_are_alike_in_six_digits() -> None:
    p = [0.99999987, 0.99999992, 0.99999997, 0.1]
    table = pa.table({"p": p, "y": [1, 1, 1, 0]})
    keys = "type: binary, probability: p, metrics: ['true_positives/positive_threshold_0.9999999',"
    keys += " 'true_positives/positive_threshold_0.99999995', 'recall/positive_threshold_0.25']"
    found = values(table, f"{keys}, thresholds: [0.9999999, 0.99999995, 0.25]")
    assert found == {
        "true_positives/positive_threshold_0.9999999": 2,
        "true_positives/positive_threshold_0.99999995": 1,
        "recall/positive_threshold_0.25": 1,
    }
    # By itself it has the name that the estimator gives it.
    assert "recall/positive_threshold_1" in values(
        table, "type: binary, probability: p, thresholds: [0.9999999]"
    )


def test_points_that_are_alike_in_six_digits() -> None:
    table = binary_table(50, 0)
    found = values(table, "type: binary, logits: s, at: {precision: [0.9999999, 0.99999995, 0.5]}")
    names = {name for name in found if name.startswith("recall_at_precision_")}
    assert names == {f"recall_at_precision_{text}" for text in ("0.9999999", "0.99999995", "0.5")}
    assert {f"threshold_at_precision_{text}" for text in ("0.9999999", "0.5")} <= set(found)


def test_zero_has_no_sign() -> None:
    keys = "type: binary, logits: s, logit_thresholds: [-0.0], at: {recall: [-0.0]}"
    found = values(binary_table(50, 0), keys)
    assert {f"recall/{AT}_0", "precision_at_recall_0", "threshold_at_recall_0"} <= set(found)


# The ends of shares.


@pytest.mark.parametrize("scores", ["logits: s", "probability: p"])
def test_points_at_0_and_1_equal_scikit_learn(scores: str) -> None:
    table = binary_table(200, 3)
    y, s = table["y"].to_numpy(), table["s"].to_numpy()
    shares = "[0, 1]"
    at = f"recall: {shares}, precision: {shares}, specificity: {shares}"
    found = values(table, f"type: binary, {scores}, at: {{{at}, false_positive_rate: {shares}}}")
    precision, recall, _ = sk.precision_recall_curve(y, s)
    fpr, tpr, _ = sk.roc_curve(y, s, drop_intermediate=False)
    for name, expected in (
        ("precision_at_recall_1", precision[:-1][recall[:-1] == 1].max()),
        ("precision_at_recall_0", precision[:-1].max()),
        ("recall_at_precision_1", recall[:-1][precision[:-1] == 1].max()),
        ("recall_at_precision_0", 1),
        ("sensitivity_at_specificity_1", tpr[fpr == 0].max()),
        ("sensitivity_at_specificity_0", 1),
        ("recall_at_false_positive_rate_0", tpr[fpr == 0].max()),
        ("recall_at_false_positive_rate_1", 1),
    ):
        assert found[name] == pytest.approx(expected, rel=1e-12), name
        assert found[f"threshold_at_{name.partition('_at_')[2]}"] is not None


# Scores at the threshold.


def test_scores_are_compared_as_they_are_stored() -> None:
    decimals = [0.3, 0.5, 0.7]
    thresholds = f"thresholds: {decimals}, at: {{precision: [1]}}"
    expected = {
        # As float64 both are the same number.
        np.float64: {0.3: 2, 0.5: 1, 0.7: 0},
        # The float32 next to 0.3 is above it, that next to 0.7 is below.
        np.float32: {0.3: 3, 0.5: 1, 0.7: 0},
    }
    for dtype, counts in expected.items():
        table = pa.table({"p": np.array(decimals, dtype), "y": [1, 1, 1]})
        found = values(table, f"type: binary, probability: p, {thresholds}")
        for threshold, count in counts.items():
            assert found[f"true_positives/positive_threshold_{threshold}"] == count, dtype
        # Thresholds that are found are not that near to scores.
        assert found["threshold_at_precision_1"] == pytest.approx(0.15, abs=0.1)


# What is said.


@pytest.mark.parametrize("head", BINARY)
def test_the_rule_is_said_beside_thresholds(head: str) -> None:
    keys = f"type: {head}, logits: s, label: y"
    rule = "probability > threshold, logit > logit threshold"
    if head == "contrib_binary":
        rule += "; accuracy at configured thresholds: >="
    for more, said in (
        ("", False),
        (", thresholds: [0.5]", True),
        (", logit_thresholds: [0.5]", True),
    ):
        report = evaluate(binary_table(20, 0), plan_of(f"heads: {{h: {{{keys}{more}}}}}")).report
        assert report["heads"]["h"]["threshold_rule"] == rule
        line = f"\n  at a threshold, positive is: {rule}\n"
        assert (line in render(report, verbose=True)) == said
