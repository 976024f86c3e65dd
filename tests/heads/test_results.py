"""Tests of what heads return: arrays and scalars of NumPy that have `numpy()`, as tensors do."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

from heads import BinaryClassHead, MultiLabelHead, binary_classification_head
from heads.results import as_result

LOGITS, LABELS = [[1.0], [-2.0]], [[1], [0]]


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g", "i4", "u8"])
def test_a_scalar_is_one_of_numpy_too(kind: str) -> None:
    plain = np.array(["1", "2"]).astype(kind)[1]
    result = as_result(plain)
    for same in (
        result,
        copy.copy(result),
        copy.deepcopy(result),
        pickle.loads(pickle.dumps(result)),
    ):
        assert isinstance(same, type(plain))
        assert type(same.numpy()) is type(plain)
        assert (same, hash(same), repr(same), str(same)) == (
            plain,
            hash(plain),
            repr(plain),
            str(plain),
        )
    assert as_result(result) is result


def test_a_float_is_one_of_python_too() -> None:
    metric = BinaryClassHead().metrics()["label/mean"]
    metric.update_state(np.float64(0.1))
    result = metric.result()
    plain = float(np.float32(0.1))
    for same in (result, copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert type(same.numpy()) is np.float64
        assert (same, same.numpy(), hash(same), repr(same)) == (
            plain,
            plain,
            hash(plain),
            repr(plain),
        )
    assert (json.dumps(result), f"{result:.2f}") == (repr(plain), "0.10")
    assert type(result + 1) is float


def test_an_array_is_one_of_numpy_too() -> None:
    array = as_result(np.arange(6.0).reshape(2, 3))
    assert type(array.numpy()) is np.ndarray
    assert array.numpy().base is not None
    assert array[0].numpy().tolist() == [0, 1, 2]
    # Other packages know scalars of NumPy by their exact type.
    assert {type(x) for x in (array[1, 2], *array[0], array.sum(), array.max())} == {np.float64}
    assert array.sum(axis=0).numpy().tolist() == [3, 5, 7]
    assert (array + 1).numpy().tolist() == [[1, 2, 3], [4, 5, 6]]
    assert repr(array) == repr(array.numpy())
    copied = pickle.loads(pickle.dumps(array))
    assert np.array_equal(copied.numpy(), array)
    assert as_result(np.array([["a", "b"]])).numpy()[0, 1] == "b"
    assert as_result(np.bool_(True)) is np.bool_(True)
    assert as_result(None) is None


def test_all_that_a_head_returns_has_numpy() -> None:
    head = BinaryClassHead("w", thresholds=[0.5])
    features = {"w": [1, 2]}
    returned: list[Any] = [
        head.loss(LABELS, LOGITS, features),
        head.loss(LABELS, LOGITS, features, regularization_losses=[0.5]),
        head.example_loss(LABELS, LOGITS),
        *head.predictions(LOGITS).values(),
    ]
    metrics = head.update_metrics(head.metrics([1.0]), features, LOGITS, LABELS, [1.0])
    returned += [metric.result() for metric in metrics.values()]
    infer = head.create_estimator_spec(features, "infer", LOGITS)
    exports = infer.export_outputs
    returned += [*infer.predictions.values(), *exports["predict"].outputs.values()]
    returned += [exports["classification"].scores, exports["classification"].classes]
    returned.append(exports["regression"].value)
    evaluated = head.create_estimator_spec(features, "eval", LOGITS, LABELS)
    returned += [evaluated.loss, *(m.result() for m in evaluated.eval_metric_ops.values())]
    trained: list[Any] = []
    head.create_estimator_spec(
        features, "train", LOGITS, LABELS, train_op_fn=lambda loss: trained.append(loss) or "op"
    )
    returned += [*trained, *binary_classification_head().create_loss({}, "eval", LOGITS, LABELS)]
    for value in returned:
        plain = value.numpy()
        assert type(plain) in (np.ndarray, np.float32, np.float64)
        assert np.array_equal(plain, value)
    assert type(returned[0].numpy()) is np.float32


def test_a_loss_of_another_dtype_keeps_it() -> None:
    def loss_fn(labels: Any, logits: Any) -> Any:
        # As with tensors.
        return np.abs(labels.numpy() - logits.numpy()).astype(np.float64)

    loss = BinaryClassHead(loss_fn=loss_fn).loss(LABELS, LOGITS)
    assert type(loss.numpy()) is np.float64
    assert loss == 1


def test_a_normalizer_gets_what_has_numpy() -> None:
    class Column:
        key = "w"

        @staticmethod
        def normalizer_fn(weights: Any) -> Any:
            return weights.numpy() * 2

    head = MultiLabelHead(2, Column(), loss_reduction="sum")
    loss = head.loss([[0, 1]], [[0.0, 0.0]], {"w": [1.5]})
    assert loss == pytest.approx(3 * np.log(2))
