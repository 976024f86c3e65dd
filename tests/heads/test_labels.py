"""Tests of labels: shapes, ranges, words, sparse labels, and error messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads import SparseLabels
from heads.labels import binary_labels, class_id_labels, class_names, indicator_labels
from tests.heads.streams import law

WORDS = ["aang", "iroh", "züko"]


@law
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["?", "u1", "i8", "f2", "f4", "f8"]),
)
def test_a_missing_last_axis_is_added(lead: list[int], last: bool, kind: str) -> None:
    given_labels = np.ones([*lead, 1] if last or len(lead) == 0 else lead, kind)
    processed = binary_labels(given_labels, (*lead, 1), None)
    assert processed.shape == (*lead, 1)
    assert processed.dtype == np.float32
    assert (processed == 1).all()


@pytest.mark.parametrize(
    ("shape", "logits_shape", "match"),
    [
        ((), (2, 1), "rank 0"),
        ((2,), (2, 1, 1), "labels must have rank at least 2. Received rank 1"),
        ((2, 3), (2, 1), "Expected labels dimension=1.  Received 3"),
        ((2, 1, 1), (2, 1), r"expected_labels_shape: \(2, 1\). labels_shape: \(2, 1, 1\)"),
        # A single row is not repeated for two.
        ((1, 1), (2, 1), r"labels_shape: \(1, 1\)"),
        ((2, 2), (2, 3, 1), "Expected labels dimension=1"),
    ],
)
def test_shapes_must_match(
    shape: tuple[int, ...], logits_shape: tuple[int, ...], match: str
) -> None:
    if match.startswith("Expected") and len(shape) == len(logits_shape) - 1:
        match = "labels_shape"
    with pytest.raises(ValueError, match=match):
        binary_labels(np.zeros(shape), logits_shape, None)


@pytest.mark.parametrize("kind", ["str", "bytes", "object", "list"])
def test_words_become_ids(kind: str) -> None:
    words: Any = ["züko", "aang", "iroh"]
    if kind == "bytes":
        words = np.array([word.encode() for word in words])
    elif kind == "object":
        words = np.array(["züko", b"aang", "iroh"], object)
    elif kind == "str":
        words = np.array(words)
    vocabulary = [WORDS[0], WORDS[1].encode(), WORDS[2]]
    assert class_id_labels(words, (3, 3), vocabulary, 3).tolist() == [[2], [0], [1]]


@pytest.mark.parametrize(
    ("labels", "vocabulary", "error", "match"),
    [
        ([0, 1.5], None, ValueError, r"<= 2 - 1. Given: .*1.5.* at \[1, 0\]"),
        ([0, np.nan], None, ValueError, "<= 2 - 1. Given: .*nan"),
        ([0, -1], None, ValueError, r">= 0. Given: .*-1.* at \[1, 0\]: the label is negative"),
        (["aang", "Iroh"], WORDS[:2], ValueError, ">= 0. Given: .*Iroh.*not in label_vocabulary"),
        ([0, 1], WORDS[:2], TypeError, "Labels must be strings"),
        (["aang", "iroh"], None, TypeError, "Labels must be numbers without a vocabulary"),
        (["aang", "aang"], ["aang", "aang"], ValueError, "words that repeat"),
        (None, None, ValueError, "Given: None"),
        (SparseLabels([[0, 0]], [1], [2, 1]), None, ValueError, "SparseTensor labels are not"),
    ],
)
def test_bad_binary_labels(
    labels: Any, vocabulary: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        binary_labels(labels, (2, 1), vocabulary)


def test_ranges_are_checked_after_rounding_to_float32() -> None:
    assert binary_labels(np.array([1 + 1e-9]), (1, 1), None).tolist() == [[1]]


@pytest.mark.parametrize(
    ("labels", "vocabulary", "match"),
    [
        ([0.0, 1.0], None, "should be integer. Instead got float64"),
        ([True, False], None, "should be integer. Instead got bool"),
        ([0, 1], WORDS, "should be string if there is a vocabulary. Instead got int64"),
        ([0, 3], None, "Labels must be <= 3 - 1. Given: .*3"),
        (["aang", "toph"], WORDS, "Labels must be >= 0. Given: .*toph"),
    ],
)
def test_bad_class_ids(labels: Any, vocabulary: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        class_id_labels(labels, (2, 3), vocabulary, 3)


def test_class_ids_keep_their_dtype() -> None:
    assert class_id_labels(np.array([2, 0], np.int32), (2, 3), None, 3).dtype == np.int32


@law
@given(st.data())
def test_sparse_labels_set_indicators(data: st.DataObject) -> None:
    lead = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)))
    entry = st.tuples(*(st.integers(0, size - 1) for size in lead), st.integers(0, 9))
    entries = data.draw(st.lists(st.tuples(entry, st.integers(0, 2)), max_size=8))
    wanted = np.zeros((*lead, 3), np.int64)
    for index, value in entries:
        wanted[(*index[:-1], value)] = 1
    indices = np.array([index for index, _ in entries], np.int64).reshape(-1, len(lead) + 1)
    values = np.array([value for _, value in entries], np.int64)
    labels = SparseLabels(indices, values, [*lead, 0])
    actual = indicator_labels(labels, (*lead, 3), None, 3)
    assert actual.dtype == np.int64
    assert actual.tolist() == wanted.tolist()
    names = SparseLabels(indices, np.array(WORDS)[values], [*lead, 0])
    assert indicator_labels(names, (*lead, 3), WORDS, 3).tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("indices", "values", "shape", "vocabulary", "error", "match"),
    [
        ([[0, 0]], [3], [2, 1], None, ValueError, r"values in \[0, 3\). Given: 3 at values\[0\]"),
        ([[0, 0]], [1.0], [2, 1], None, ValueError, "should be integer. Instead got float64"),
        ([[0, 0]], [True], [2, 1], None, ValueError, "should be integer. Instead got bool"),
        ([[0, 0]], ["aang"], [2, 1], None, TypeError, "no label_vocabulary"),
        ([[0, 0]], ["toph"], [2, 1], WORDS, ValueError, "toph.* is not in label_vocabulary"),
        ([[2, 0]], [1], [2, 1], None, ValueError, "outside dense_shape"),
        ([[-1, 0]], [1], [2, 1], None, ValueError, "outside dense_shape"),
        ([[0, 0]], [1], [3, 1], None, ValueError, r"labels_shape: \(3, 3\)"),
        ([[0]], [1], [1], None, ValueError, "Expected labels dimension=3"),
        ([[0, 0]], [1, 2], [2, 1], None, ValueError, r"indices \[m, 2\]"),
    ],
)
def test_bad_sparse_labels(
    indices: Any, values: Any, shape: Any, vocabulary: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        indicator_labels(SparseLabels(indices, values, shape), (2, 3), vocabulary, 3)


@pytest.mark.parametrize(
    ("labels", "error", "match"),
    [
        ([[0, 1, 2], [0, 1, 1]], ValueError, r"values in \[0, 1\]. Given: 2 at \[0, 2\]"),
        # Class ids: in range they have the wrong shape, else the range is reported first.
        ([0, 1], ValueError, "Expected labels dimension=3.  Received 1"),
        ([0, 2], ValueError, r"values in \[0, 1\]"),
        (np.array([["a", "b", "c"]] * 2), TypeError, "must be indicators"),
        ([[0.0, np.nan, 1.0]] * 2, ValueError, r"values in \[0, 1\]"),
    ],
)
def test_bad_indicators(labels: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        indicator_labels(labels, (2, 3), WORDS, 3)


def test_class_names() -> None:
    assert class_names(None, 12)[-1] == "11"
    assert class_names(("a", b"\xc3\xa9"), 2) == ("a", "é")
