"""Tests of logits and weights: dtypes, shapes and errors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from heads import BinaryClassHead, SparseLabels
from heads.inputs import as_logits, example_weights


class Column(NamedTuple):
    key: str
    normalizer_fn: Any = None


@pytest.mark.parametrize(
    "logits", [[[1], [0]], np.array([[1], [0]], "f8"), np.array([[True], [False]]), [[1.0], [0.0]]]
)
def test_logits_become_float32(logits: Any) -> None:
    array = as_logits(logits, 1)
    assert array.dtype == np.float32
    assert array.tolist() == [[1], [0]]


def test_logits_beyond_float32_are_infinite() -> None:
    assert as_logits([[1e39], [-1e39], [1e-46]], 1).tolist() == [[np.inf], [-np.inf], [0]]


def test_logits_in_any_layout_are_contiguous() -> None:
    array = as_logits(np.zeros((3, 4), np.float32).T, 3)
    assert array.flags.c_contiguous


@pytest.mark.parametrize(
    ("logits", "error", "match"),
    [
        ([1.0, 2.0], ValueError, r"Received rank 1, shape \(2,\)"),
        ([[1.0], [2.0]], ValueError, r"got \(2, 1\)"),
        ([["1.0", "2.0"]], TypeError, "must be numbers"),
        ([[None, None]], TypeError, "must be numbers"),
    ],
)
def test_bad_logits(logits: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        as_logits(logits, 2)


@pytest.mark.parametrize(
    ("weights", "shape"),
    [
        ([1, 2], (2, 1)),
        ([[1], [2]], (2, 1)),
        ([True, False], (2, 5)),
        ([1.0, 2.0], (2, 1, 1)),
        (np.ones((2, 3)), (2, 3, 1)),
        (np.ones((2, 3, 1)), (2, 3, 4)),
    ],
)
def test_weights_have_a_last_axis(weights: Any, shape: tuple[int, ...]) -> None:
    array = example_weights("w", {"w": weights}, shape)
    assert array is not None
    assert array.shape == (*shape[:-1], 1)
    assert array.dtype == np.float32
    assert np.array_equal(array.ravel(), np.ravel(weights).astype(np.float32))


def test_weights_are_not_checked() -> None:
    given = [0.0, -2.0, np.nan, np.inf]
    array = example_weights("w", {"w": given}, (4, 1))
    assert array is not None
    np.testing.assert_array_equal(array.ravel(), given)


@pytest.mark.parametrize(
    ("column", "features", "error", "match"),
    [
        ("w", {}, ValueError, "Feature w is not in features"),
        ("w", None, ValueError, "Feature w is not in features"),
        ("w", {"w": 1.0}, ValueError, "cannot have rank 0"),
        ("w", {"w": SparseLabels([[0, 0]], [1], [2, 1])}, ValueError, "nor be sparse"),
        ("w", {"w": ["1", "2"]}, TypeError, "Weights 'w' must be numbers"),
        ("w", {"w": [1, 2, 3]}, ValueError, "weights shape must be"),
        ("w", {"w": [[1, 2], [3, 4]]}, ValueError, "weights shape must be"),
        ("w", {"w": [1]}, ValueError, "weights shape must be"),
        (7, {"w": [1, 2]}, TypeError, "either a string or NumericColumn"),
    ],
)
def test_bad_weights(column: Any, features: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        example_weights(column, features, (2, 1))


def test_a_numeric_column_is_normalized_before_the_cast() -> None:
    # In float32, 1e9 + 1 and 1e9 are equal.
    column = Column("w", lambda weights: weights - 1e9)
    array = example_weights(column, {"w": np.array([1e9 + 1, 1e9])}, (2, 1))
    assert array is not None
    assert array.tolist() == [[1], [0]]
    head = BinaryClassHead(weight_column=Column("w"), loss_reduction="sum")
    assert head.loss([1, 1], [[0.0], [0.0]], {"w": [0.0, 2.0]}) == pytest.approx(2 * np.log(2))
