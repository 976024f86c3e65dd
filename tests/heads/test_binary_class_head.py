"""Tests of BinaryClassHead against scikit-learn and brute force, and of its laws."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from heads import BinaryClassHead
from tests.heads.oracles import areas, confusion
from tests.heads.streams import Rows, bounds, law, results, rows, slow_law


def sample(n: int = 500, seed: int = 3) -> Rows:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 1)).astype(np.float32)
    labels = (rng.random((n, 1)) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    return Rows(logits, labels, rng.uniform(0, 3, n).astype(np.float32))


def test_metrics_equal_scikit_learn() -> None:
    data = sample()
    actual = results(BinaryClassHead("w", thresholds=[0.3]), data)
    p = 1 / (1 + np.exp(-data.logits.astype(np.float64).ravel()))
    y, w = data.labels.ravel(), data.weights.astype(np.float64)
    wanted = {
        "average_loss": oracle.log_loss(y, p, sample_weight=w),
        "accuracy": oracle.accuracy_score(y, p > 0.5, sample_weight=w),
        "precision": oracle.precision_score(y, p > 0.5, sample_weight=w),
        "recall": oracle.recall_score(y, p > 0.5, sample_weight=w),
        "accuracy/positive_threshold_0.3": oracle.accuracy_score(y, p > 0.3, sample_weight=w),
        "precision/positive_threshold_0.3": oracle.precision_score(y, p > 0.3, sample_weight=w),
        "recall/positive_threshold_0.3": oracle.recall_score(y, p > 0.3, sample_weight=w),
        "prediction/mean": np.average(p, weights=w),
        "label/mean": np.average(y, weights=w),
        "accuracy_baseline": max(np.average(y, weights=w), 1 - np.average(y, weights=w)),
    }
    assert {key: actual[key] for key in wanted} == pytest.approx(wanted, rel=1e-6)
    # With 200 thresholds, the area is close to the exact area, but not equal.
    exact = oracle.roc_auc_score(y, p, sample_weight=w)
    assert actual["auc"] == pytest.approx(exact, abs=1e-3)
    assert actual["auc"] != exact


def test_loss_equals_scikit_learn() -> None:
    data = sample()
    p = 1 / (1 + np.exp(-data.logits.astype(np.float64)))
    y, w = data.labels, data.weights.astype(np.float64)
    total = oracle.log_loss(y, p.ravel(), sample_weight=w, normalize=False)
    assert BinaryClassHead("w", loss_reduction="sum").loss(**data.batch()) == pytest.approx(total)
    mean = total / len(data)
    assert BinaryClassHead("w", loss_reduction="auto").loss(**data.batch()) == pytest.approx(mean)
    # The dtype and the rank of the labels do not matter.
    flat = BinaryClassHead("w").loss(y.ravel().tolist(), data.logits, {"w": w})
    assert flat == BinaryClassHead("w").loss(**data.batch())


@slow_law
@given(rows("binary"))
def test_areas_equal_brute_force(data: Rows) -> None:
    head = BinaryClassHead("w", thresholds=[0.25])
    actual = results(head, data)
    p = head.predictions(data.logits, ["logistic"])["logistic"].ravel()
    y, w = data.labels.ravel(), data.weights
    assert (actual["auc"], actual["auc_precision_recall"]) == pytest.approx(
        areas(p, y, w), rel=1e-9, abs=1e-9
    )
    tp, fp, fn, _ = confusion(p, y, w, 0.25)
    precision, recall = (tp / total if total else 0.0 for total in (tp + fp, tp + fn))
    assert actual["precision/positive_threshold_0.25"] == pytest.approx(precision)
    assert actual["recall/positive_threshold_0.25"] == pytest.approx(recall)


@law
@given(st.data(), rows("binary"))
def test_batches_change_no_digit(data: st.DataObject, stream: Rows) -> None:
    head = BinaryClassHead("w", thresholds=[0.1, 0.5])
    whole = results(head, stream)
    assert results(head, stream, data.draw(bounds(len(stream)))) == whole
    order = data.draw(st.permutations(range(len(stream))))
    shuffled = Rows(stream.logits[order], stream.labels[order], stream.weights[order])
    assert results(head, shuffled) == whole


@law
@given(rows("binary", least=1))
def test_example_loss_is_what_loss_reduces(data: Rows) -> None:
    head = BinaryClassHead("w", loss_reduction="sum")
    losses = head.example_loss(data.labels, data.logits)
    assert losses.shape == (len(data),)
    assert losses.dtype == np.float32
    total = math.fsum((losses * data.weights).astype(np.float64))
    assert head.loss(**data.batch()) == pytest.approx(total, rel=1e-6)


def test_example_loss_has_the_lead_shape_and_ignores_weights() -> None:
    logits = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    labels = np.ones((2, 3))
    losses = BinaryClassHead("w").example_loss(labels, logits)
    np.testing.assert_allclose(losses, np.log1p(np.exp(-logits[..., 0])), rtol=1e-6)


def test_a_failed_update_changes_nothing() -> None:
    head = BinaryClassHead("w", thresholds=[0.5])
    data = sample(20)
    metrics = head.update_metrics(head.metrics(), **data.batch())
    before = {key: metric.result() for key, metric in metrics.items()}
    good = data.batch()
    for bad in (
        {"labels": np.full(20, 2)},
        {"logits": np.zeros((20, 2))},
        {"features": {}},
        {"features": {"w": np.ones(3)}},
    ):
        with pytest.raises(ValueError, match=" "):
            head.update_metrics(metrics, **{**good, **bad})
    with pytest.raises(KeyError, match="regularization_losses to both"):
        head.update_metrics(metrics, **good, regularization_losses=[1.0])
    with pytest.raises(KeyError, match="lacks 'auc'"):
        head.update_metrics({k: v for k, v in metrics.items() if k != "auc"}, **good)
    assert {key: metric.result() for key, metric in metrics.items()} == before


def test_metrics_of_equal_statistics_share_one_tally() -> None:
    metrics = BinaryClassHead("w", thresholds=[0.1, 0.2]).metrics([0.0])
    by_tally: dict[int, set[str]] = {}
    for key, metric in metrics.items():
        by_tally.setdefault(id(metric.tally), set()).add(key.split("/positive")[0])
    assert sorted(map(sorted, by_tally.values())) == [
        [
            "accuracy",
            "accuracy_baseline",
            "average_loss",
            "label/mean",
            "precision",
            "prediction/mean",
            "recall",
        ],
        ["auc", "auc_precision_recall"],
        ["regularization_loss"],
    ]


def test_regularization_loss_is_a_mean_over_batches() -> None:
    head = BinaryClassHead(name="a")
    metrics = head.metrics(regularization_losses=[])
    for losses in ([1.0, 2.0], [], [0.5]):
        head.update_metrics(metrics, {}, [[0.0]], [1], regularization_losses=losses)
    assert metrics["regularization_loss/a"].result() == pytest.approx(3.5 / 3)
    assert head.loss([1], [[0.0]], regularization_losses=[1, np.float64(2)]) == pytest.approx(
        math.log(2) + 3
    )


def test_scores_at_a_threshold_are_below_it() -> None:
    # sigmoid(0) is 0.5 and is not above 0.5; the likelier class of 1e-9 is 1 all the same.
    actual = results(
        BinaryClassHead("w", thresholds=[0.5]),
        Rows(np.array([[0.0], [1e-9]]), np.array([0, 0]), np.ones(2)),
    )
    assert actual["accuracy/positive_threshold_0.5"] == 1
    assert actual["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"thresholds": [0.5, float("nan")]}, ValueError, "thresholds not in"),
        ({"thresholds": ["0.5"]}, TypeError, "not supported"),
        ({"label_vocabulary": [0, 1]}, TypeError, "must hold strings"),
        ({"loss_fn": 3}, TypeError, "must be callable"),
        # The vocabulary is checked first, the loss function last.
        ({"label_vocabulary": "ab", "thresholds": [2]}, ValueError, "label_vocabulary"),
        ({"thresholds": [2], "loss_reduction": "none"}, ValueError, "thresholds"),
        ({"loss_reduction": "none", "loss_fn": abs}, ValueError, "loss_reduction"),
    ],
)
def test_bad_arguments(arguments: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        BinaryClassHead(**arguments)


def test_thresholds_may_be_any_iterable() -> None:
    keys = [set(BinaryClassHead(thresholds=t).metrics()) for t in ((0.2,), np.array([0.2]), {0.2})]
    assert keys[0] == keys[1] == keys[2]
    assert "recall/positive_threshold_0.2" in keys[0]


def test_heads_pickle() -> None:
    head = BinaryClassHead("w", thresholds=[0.2], label_vocabulary=["a", b"b"], name="n")
    data = sample(10)
    words = np.where(data.labels == 1, "b", "a")
    copied = pickle.loads(pickle.dumps(head))
    stream = Rows(data.logits, words, data.weights)
    assert results(copied, stream) == results(head, stream)
