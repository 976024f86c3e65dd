"""Tests of MultiClassHead against scikit-learn, and of its laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from heads import MultiClassHead
from tests.heads.streams import Rows, bounds, law, results, rows


def sample(n: int = 400, classes: int = 5) -> Rows:
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 2, (n, classes)).astype(np.float32)
    weights = rng.uniform(0, 3, n).astype(np.float32)
    return Rows(logits, rng.integers(0, classes, (n, 1)), weights)


def test_loss_and_metrics_equal_scikit_learn() -> None:
    data = sample()
    head = MultiClassHead(5, "w")
    exact = np.exp(data.logits.astype(np.float64))
    p = exact / exact.sum(axis=1, keepdims=True)
    y, w = data.labels.ravel(), data.weights.astype(np.float64)
    loss = oracle.log_loss(y, p, sample_weight=w, normalize=False)
    assert head.loss(**data.batch()) == pytest.approx(loss / len(data))
    assert results(head, data) == pytest.approx(
        {
            "average_loss": loss / w.sum(),
            "accuracy": oracle.accuracy_score(y, p.argmax(axis=1), sample_weight=w),
        },
        rel=1e-6,
    )
    predictions = head.predictions(data.logits, ["probabilities"])
    np.testing.assert_allclose(predictions["probabilities"], p, rtol=1e-6)


@law
@given(st.data(), rows("multi_class", 4))
def test_batches_change_no_digit(data: st.DataObject, stream: Rows) -> None:
    head = MultiClassHead(4, "w")
    assert results(head, stream, data.draw(bounds(len(stream)))) == results(head, stream)


@law
@given(rows("multi_class", 3, least=1))
def test_words_are_class_ids(data: Rows) -> None:
    words = np.array(["a", "b", "ç"])
    named = Rows(data.logits, words[data.labels], data.weights)
    head = MultiClassHead(3, "w", label_vocabulary=words.tolist())
    assert results(head, named) == results(MultiClassHead(3, "w"), data)
    assert head.loss(**named.batch()) == MultiClassHead(3, "w").loss(**data.batch())
    encoded = Rows(data.logits, np.char.encode(words[data.labels]), data.weights)
    assert results(head, encoded) == results(head, named)
    predicted = head.predictions(data.logits, ["classes", "class_ids"])
    assert (predicted["classes"] == words[predicted["class_ids"]]).all()


@law
@given(rows("multi_class", 3, least=1))
def test_example_loss_by_row(data: Rows) -> None:
    losses = MultiClassHead(3).example_loss(data.labels, data.logits)
    alone = [
        MultiClassHead(3).example_loss(data.labels[i : i + 1], data.logits[i : i + 1])[0]
        for i in range(len(data))
    ]
    assert losses.tolist() == alone


def test_class_ids_of_any_width() -> None:
    wanted = MultiClassHead(3).loss([1, 2], [[0, 1, 2], [1, 5, 2]])
    for kind in "bBhHiIlLqQ":
        labels = np.array([1, 2], kind)
        assert MultiClassHead(3).loss(labels, [[0, 1, 2], [1, 5, 2]]) == wanted


def test_many_classes_stay_sparse() -> None:
    # A dense confusion matrix of 20,000 classes would take 3.2 GB.
    n = 20_000
    head = MultiClassHead(n)
    logits = np.zeros((2, n), np.float32)
    logits[:, 7] = 1
    metrics = head.update_metrics(head.metrics(), {}, logits, np.array([7, n - 1]))
    assert metrics["accuracy"].result() == 0.5


def test_nan_is_never_the_largest() -> None:
    nan, inf = np.nan, np.inf
    ids = MultiClassHead(3).predictions(
        [[nan, 0, 1], [nan, nan, nan], [-inf, nan, 0]], ["class_ids"]
    )
    assert ids["class_ids"].ravel().tolist() == [2, 0, 2]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        # A vocabulary of another length is reported before too few classes.
        ({"n_classes": 2, "label_vocabulary": ["a"]}, '"label_vocabulary" does not have'),
        ({"n_classes": 3, "label_vocabulary": []}, '"label_vocabulary" does not have'),
        ({"n_classes": 2, "loss_reduction": "mean"}, "Invalid loss_reduction: mean"),
        ({"n_classes": 2, "loss_fn": abs}, "loss_fn must contain"),
    ],
)
def test_bad_arguments(arguments: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        MultiClassHead(**arguments)
