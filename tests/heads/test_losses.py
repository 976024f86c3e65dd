"""Probabilities, losses and reductions against exact arithmetic; signatures of loss functions."""

from __future__ import annotations

import functools
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.losses import (
    REDUCTIONS,
    call_loss_fn,
    check_loss_fn,
    check_reduction,
    reduce_loss,
    sigmoid,
    sigmoid_cross_entropy,
    softmax,
    softmax_cross_entropy,
)
from tests.heads.streams import law

single = st.floats(-200, 200, width=32)


def exact_sigmoid(x: float) -> Decimal:
    with localcontext() as context:
        context.prec = 120
        return 1 / (1 + (-Decimal(x)).exp())


@law
@given(st.lists(single, min_size=1, max_size=20))
def test_sigmoid_is_rounded_once(values: list[float]) -> None:
    logits = np.array(values, np.float32)
    wanted = [np.float32(float(exact_sigmoid(float(x)))) for x in logits]
    np.testing.assert_allclose(sigmoid(logits), wanted, rtol=6e-8, atol=1.5e-45)


@law
@given(single, st.sampled_from([0.0, 1.0]))
def test_sigmoid_cross_entropy_of_hard_labels(x: float, y: float) -> None:
    p = exact_sigmoid(float(np.float32(x)))
    with localcontext() as context:
        context.prec = 120
        wanted = float(-(p if y else 1 - p).ln())
    actual = sigmoid_cross_entropy(np.array([y]), np.array([x], np.float32))
    np.testing.assert_allclose(actual, [np.float32(wanted)], rtol=2e-7, atol=1.5e-45)


@law
@given(st.lists(single, min_size=3, max_size=3), st.integers(0, 2))
def test_softmax_and_its_loss(values: list[float], label: int) -> None:
    logits = np.array([values], np.float32)
    exact = np.exp(np.longdouble(logits) - np.longdouble(logits).max())
    exact /= exact.sum()
    np.testing.assert_allclose(softmax(logits), exact, rtol=4e-5, atol=1e-37)
    loss = softmax_cross_entropy(np.array([[label]]), logits)
    assert loss.shape == (1, 1)
    np.testing.assert_allclose(loss, -np.log(exact[:, [label]]), rtol=1e-6, atol=1e-6)


@law
@given(st.integers(0, 2**32 - 1))
def test_a_row_does_not_depend_on_its_batch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    logits = rng.normal(0, 10, (n, 5)).astype(np.float32)
    labels, ids = rng.random((n, 5)), rng.integers(0, 5, (n, 1))
    cut = int(rng.integers(0, n))
    for function in (
        lambda rows: sigmoid(logits[rows]),
        lambda rows: softmax(logits[rows]),
        lambda rows: sigmoid_cross_entropy(labels[rows], logits[rows]),
        lambda rows: softmax_cross_entropy(ids[rows], logits[rows]),
    ):
        parts = np.concatenate([function(slice(cut)), function(slice(cut, None))])
        assert np.array_equal(function(slice(None)), parts)


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
