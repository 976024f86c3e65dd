"""Tests of the reductions of losses, and of the signatures of loss functions."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from heads import BinaryClassHead
from heads.losses import (
    REDUCTIONS,
    call_loss_fn,
    check_loss_fn,
    check_reduction,
    reduce_loss,
)


def test_reductions() -> None:
    losses, weights = np.array([[1], [2], [4]], np.float32), np.array([[0], [1], [-3]], np.float32)
    assert reduce_loss(losses, weights, "sum") == -10
    for name in ("auto", "sum_over_batch_size"):
        assert reduce_loss(losses, weights, name) == np.float32(-10 / 3)
        assert reduce_loss(losses, None, name) == np.float32(7 / 3)
        assert reduce_loss(losses[:0], None, name) == 0
    assert reduce_loss(losses, None, "sum").dtype == np.float32
    wide = reduce_loss(losses.astype(np.float64) / 3, None, "sum")
    assert wide == pytest.approx(7 / 3, rel=1e-15)
    assert wide.dtype == np.float64
    # Integers are reduced as float32 and truncated: 7 / 3.
    assert reduce_loss(losses.astype(np.int64), None, "auto") == 2


@pytest.mark.parametrize("name", ["none", None, "SUM", "weighted_sum", "mean"])
def test_unknown_reduction(name: object) -> None:
    with pytest.raises(ValueError, match=f"Invalid loss_reduction: {name}. Use one of auto, sum"):
        check_reduction(name, REDUCTIONS)


class Loss:
    def __call__(self, labels, logits):
        return labels

    def method(self, logits, labels, features):
        return labels


def swapped(logits, labels, *args, keyword=None, **rest):
    return labels


def scaled(scale, labels, logits):
    return labels


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (Loss(), ("labels", "logits")),
        (Loss().method, ("logits", "labels", "features")),
        (swapped, ("logits", "labels")),
        (functools.partial(scaled, 2), ("labels", "logits")),
        (functools.partial(scaled, scale=2), ("labels", "logits")),
        (functools.partial(functools.partial(scaled), 2), ("labels", "logits")),
    ],
)
def test_arguments_of_a_loss_function(function: object, names: tuple[str, ...]) -> None:
    assert check_loss_fn(function, ("features",)) == names


@pytest.mark.parametrize(
    ("function", "error", "match"),
    [
        (lambda *args: args, ValueError, r"must contain argument: labels. Given arguments: \(\)"),
        (lambda labels: labels, ValueError, "must contain argument: logits"),
        (lambda labels, logits, w=1: 0, ValueError, r"unexpected args: \['w'\]"),
        (functools.partial(scaled, labels=1), ValueError, "must contain argument: labels"),
        ("loss", TypeError, "must be callable"),
    ],
)
def test_bad_loss_functions(function: object, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        check_loss_fn(function, ("features",))


def test_features_are_passed_only_where_named() -> None:
    labels, logits, features = np.ones((2, 1)), np.zeros((2, 1)), {"s": 3}
    given_features = call_loss_fn(
        lambda labels, logits, features: labels * features["s"],
        ("labels", "logits", "features"),
        labels,
        logits,
        features,
    )
    assert given_features.tolist() == [[3], [3]]
    without = call_loss_fn(
        lambda labels, logits: labels - logits, ("labels", "logits"), labels, logits, features
    )
    assert without.tolist() == [[1], [1]]
    with pytest.raises(ValueError, match=r"loss_shape: \(2,\)"):
        call_loss_fn(
            lambda labels, logits: labels[:, 0], ("labels", "logits"), labels, logits, features
        )


def test_a_reduction_is_passed_where_it_has_no_default() -> None:
    seen = []

    def needed(labels, logits, features, loss_reduction):
        seen.append((features, loss_reduction))
        return labels

    def kept(labels, logits, loss_reduction="kept"):
        seen.append(loss_reduction)
        return labels

    def by_name(labels, logits, *, features, loss_reduction, scale=1):
        seen.append((features, loss_reduction, scale))
        return labels

    def first(loss_reduction, logits, labels):
        seen.append(loss_reduction)
        return labels

    for function in (needed, kept, by_name, first, functools.partial(first, "bound")):
        head = BinaryClassHead(loss_fn=function, loss_reduction="sum")
        assert head.loss([1, 0], [[0.0], [1.0]], {"f": 1}) == 1
    features = {"f": 1}
    assert seen == [(features, "sum"), "kept", (features, "sum", 1), "sum", "bound"]


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda labels, logits, *, margin: labels, r"unexpected args: \['margin'\]"),
        # It does not tell its parameters.
        (max, r"must contain argument: labels. Given arguments: \(\)"),
    ],
)
def test_what_a_head_could_never_call_is_refused(function: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        BinaryClassHead(loss_fn=function)


@pytest.mark.parametrize(
    ("result", "error", "match"),
    [
        (np.ones((2, 1), complex), TypeError, "must return numbers. Given dtype: complex128"),
        (np.ones((2, 1), bool), TypeError, "must return numbers. Given dtype: bool"),
        ([["1"], ["2"]], TypeError, "must return numbers"),
        (None, ValueError, r"must return Tensor of shape .* loss_shape: \(\)"),
    ],
)
def test_what_a_loss_function_returns(result: object, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        BinaryClassHead(loss_fn=lambda labels, logits: result).loss([1, 0], [[0.0], [1.0]])
