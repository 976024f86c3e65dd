"""The loss functions that the recorded cases refer to by name."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def _last_mean(values: Floats) -> Floats:
    return values.mean(axis=-1, keepdims=True, dtype=np.float32)


def _single(values: Any) -> Floats:
    return np.asarray(values, np.float32)


def abs_error(labels: Any, logits: Any) -> Floats:
    return _last_mean(np.abs(_single(labels) - _single(logits)))


def squared_error(labels: Any, logits: Any) -> Floats:
    return _last_mean((_single(labels) - _single(logits)) ** 2)


def logits_first(logits: Any, labels: Any) -> Floats:
    return _last_mean(_single(labels) - 2 * _single(logits))


def scaled_by_feature(labels: Any, logits: Any, features: Any) -> Floats:
    return abs_error(labels, logits) * _single(features["scale"])


def default_loss_reduction(
    labels: Any, logits: Any, features: Any, loss_reduction: str = "unset"
) -> Floats:
    # If a head passed its reduction to the loss function, the loss would be off by 1000.
    return abs_error(labels, logits) + np.float32(0 if loss_reduction == "unset" else 1000)


def required_loss_reduction(labels: Any, logits: Any, features: Any, loss_reduction: str) -> Floats:
    return abs_error(labels, logits)


def label_probe(labels: Any, logits: Any) -> Floats:
    """Returns numbers that show the values and the rank of the processed labels."""
    assert np.asarray(labels).dtype.kind in "iuf"
    position = np.arange(1, labels.shape[-1] + 1, dtype=np.float32)
    total = (_single(labels) * position).sum(axis=-1, keepdims=True, dtype=np.float32)
    return total + np.float32(labels.ndim)


def constant_1_2(labels: Any, logits: Any) -> Floats:
    return np.array([[1], [2]], np.float32)


def var_keywords(labels: Any, logits: Any, **unused: Any) -> Floats:
    return squared_error(labels, logits)


def int_loss(labels: Any, logits: Any) -> npt.NDArray[np.int32]:
    return np.floor(abs_error(labels, logits)).astype(np.int32)


def float64_loss(labels: Any, logits: Any) -> npt.NDArray[np.float64]:
    return abs_error(labels, logits).astype(np.float64) + 1e-9


def wrong_rank(labels: Any, logits: Any) -> Floats:
    return abs_error(labels, logits).ravel()


def wrong_last_dim(labels: Any, logits: Any) -> Floats:
    return np.repeat(abs_error(labels, logits), 2, axis=-1)


def scalar_loss(labels: Any, logits: Any) -> np.float32:
    return np.float32(1)


def wrong_batch(labels: Any, logits: Any) -> Floats:
    return abs_error(labels, logits)[:1]


def missing_labels(logits: Any) -> Any:
    return logits


def missing_logits(labels: Any) -> Any:
    return labels


def extra_argument(labels: Any, logits: Any, name: str | None = None) -> Floats:
    return abs_error(labels, logits)


def weights_argument(labels: Any, logits: Any, features: Any, weights: Any) -> Floats:
    return abs_error(labels, logits)


def only_varargs(*args: Any) -> Floats:
    return abs_error(*args)


def _scaled(scale: float, labels: Any, logits: Any) -> Floats:
    return np.float32(scale) * abs_error(labels, logits)


class _Squared:
    def __call__(self, labels: Any, logits: Any) -> Floats:
        return squared_error(labels, logits) + np.float32(1)

    def method(self, labels: Any, logits: Any) -> Floats:
        return squared_error(labels, logits) + np.float32(2)


LOSS_FUNCTIONS: dict[str, Any] = {
    function.__name__: function
    for function in (
        abs_error,
        squared_error,
        logits_first,
        scaled_by_feature,
        default_loss_reduction,
        required_loss_reduction,
        label_probe,
        constant_1_2,
        var_keywords,
        int_loss,
        float64_loss,
        wrong_rank,
        wrong_last_dim,
        scalar_loss,
        wrong_batch,
        missing_labels,
        missing_logits,
        extra_argument,
        weights_argument,
        only_varargs,
    )
} | {
    "partial_keyword": partial(_scaled, scale=3.0),
    "partial_positional": partial(_scaled, 0.5),
    "callable_object": _Squared(),
    "bound_method": _Squared().method,
}
