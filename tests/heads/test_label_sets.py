"""Tests of sparse labels: from what they are read, and what is refused."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from heads import BinaryClassHead, MultiClassHead, MultiLabelHead, SparseLabels
from heads.labels import indicator_labels
from tests.heads.streams import law

WORDS = ["aang", "iroh", "züko", "toph"]
IDS = [[0, 2], [], [3]]
INDICATORS = [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


class SparseTensorValue(NamedTuple):
    """As `tf.compat.v1.SparseTensorValue`, which is a tuple."""

    indices: Any
    values: Any
    dense_shape: Any


def of_objects(rows: Any) -> np.ndarray:
    out = np.empty(len(rows), object)
    out[:] = rows
    return out


def read(labels: Any, vocabulary: Any = None, lead: tuple[int, ...] = (3,)) -> Any:
    return indicator_labels(labels, (*lead, 4), vocabulary, 4).tolist()


@pytest.mark.parametrize(
    "labels",
    [
        SparseTensorValue([[0, 0], [0, 1], [2, 0]], [0, 2, 3], [3, 2]),
        IDS,
        tuple(map(tuple, IDS)),
        [{0, 2}, frozenset(), np.array([3])],
        of_objects(IDS),
        pa.array(IDS),
        pa.array(IDS, pa.large_list(pa.uint8())),
        pa.chunked_array([pa.array(IDS[:1]), pa.array(IDS[1:], pa.list_(pa.int64()))]),
        pa.array([[1], *IDS])[1:],
        scipy.sparse.csr_array(INDICATORS),
        scipy.sparse.coo_matrix(np.array(INDICATORS, bool)),
    ],
)
def test_sparse_labels_of_all_kinds(labels: Any) -> None:
    assert read(labels) == INDICATORS


def words_of(rows: list[list[int]]) -> list[list[str]]:
    return [[WORDS[i] for i in row] for row in rows]


@pytest.mark.parametrize(
    "labels",
    [
        words_of(IDS),
        pa.array(words_of(IDS)),
        of_objects(words_of(IDS)),
        [[word.encode() for word in row] for row in words_of(IDS)],
    ],
)
def test_lists_of_words(labels: Any) -> None:
    assert read(labels, WORDS) == INDICATORS
    with pytest.raises(TypeError, match="no label_vocabulary"):
        read(labels)


@law
@given(
    st.lists(st.lists(st.lists(st.integers(0, 3), max_size=6), min_size=2, max_size=2), min_size=1)
)
def test_lists_equal_sparse_labels(rows: list[list[list[int]]]) -> None:
    if all(len(ids) == 4 for row in rows for ids in row):
        rows[0][0] = []
    entries = [
        ((i, j, k), label)
        for i, row in enumerate(rows)
        for j, ids in enumerate(row)
        for k, label in enumerate(ids)
    ]
    sparse = SparseLabels(
        np.array([index for index, _ in entries], int).reshape(-1, 3),
        np.array([label for _, label in entries], int),
        [len(rows), 2, 6],
    )
    wanted = read(sparse, lead=(len(rows), 2))
    assert read(rows, lead=(len(rows), 2)) == wanted
    assert read(pa.array(rows, pa.list_(pa.list_(pa.int64()))), lead=(len(rows), 2)) == wanted


def test_lists_of_a_number_for_each_class_are_indicators() -> None:
    for labels in (INDICATORS, pa.array(INDICATORS), of_objects(INDICATORS)):
        assert read(labels) == INDICATORS
    soft = [[0.5, 0, 0, 1]] * 3
    assert read(soft) == read(pa.array(soft)) == read(scipy.sparse.csr_array(soft)) == soft
    # Words are no indicators, however many there are.
    assert read([WORDS] * 3, WORDS) == [[1, 1, 1, 1]] * 3


def test_two_classes_may_be_ambiguous() -> None:
    either: Any = [[0, 1], [1, 0]]
    # tf.estimator takes nested lists as an array.
    assert indicator_labels(either, (2, 2), None, 2).tolist() == either
    for labels in (pa.array(either), of_objects(either)):
        with pytest.raises(ValueError, match="may be indicators or class ids"):
            indicator_labels(labels, (2, 2), None, 2)
    for clear in ([[0, 1], [1, 1]], [[0.0, 1.0], [1.0, 0.0]]):
        assert indicator_labels(pa.array(clear), (2, 2), None, 2).tolist() == clear
    assert indicator_labels([[0], [0, 1]], (2, 2), None, 2).tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("labels", "error", "match"),
    [
        ([[0], [4], []], ValueError, r"values in \[0, 4\). Given: 4 at labels\[1, 0\]"),
        ([[0], [1, -1], []], ValueError, r"Given: -1 at labels\[1, 1\]"),
        ([[0.0], [1.0, 2.0], []], ValueError, "should be integer. Instead got float64"),
        ([[True], [], []], ValueError, "should be integer. Instead got bool"),
        ([["aang"], ["azula"], []], ValueError, r"'azula' at labels\[1, 0\] is not in label_voc"),
        ([["aang"], [1], []], TypeError, "labels mix words and other values"),
        ([[0], [1]], ValueError, "Given 2 lists instead of 3"),
        ([[0], None, [1]], ValueError, "missing"),
        (pa.array([[0], None, [1]]), ValueError, "missing"),
        (pa.array([[0], [None], [1]]), ValueError, "missing"),
        ([[[0]], [[1]], [[2]]], ValueError, "lists in lists in lists"),
        (["aang", "iroh", "toph"], TypeError, "Dense labels must be indicators.*a list of class"),
        (np.array([WORDS] * 3), TypeError, "Dense labels must be indicators.*an Arrow array"),
        ({"a": 1}, TypeError, "SparseLabels or any object with indices, values and dense_shape"),
        ([{"a": 1}, {}, {}], TypeError, "Dense labels must be indicators"),
        (np.array([[0], [2], [1]]), ValueError, r"values in \[0, 1\].*a matrix of scipy.sparse"),
        (scipy.sparse.csr_array((3, 10**15)), ValueError, "Expected labels dimension=4"),
        (scipy.sparse.csr_array(np.full((3, 4), 2)), ValueError, r"values in \[0, 1\]"),
        (SparseLabels([[0.5, 0]], [1], [3, 1]), TypeError, "indices of sparse labels must be int"),
        (
            SparseLabels([[0, 0]], np.ma.masked_array([1], [True]), [3, 1]),
            ValueError,
            "values of sparse labels have values that are masked",
        ),
    ],
)
def test_what_is_refused(labels: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        read(labels, WORDS)


@pytest.mark.parametrize(
    "labels",
    [SparseTensorValue([[0, 0]], [1], [3, 1]), scipy.sparse.csr_array(np.ones((3, 1), int))],
)
def test_other_heads_take_dense_labels_only(labels: Any) -> None:
    for head in (BinaryClassHead(), MultiClassHead(3)):
        with pytest.raises(ValueError, match="SparseTensor labels are not supported"):
            head.loss(labels, np.zeros((3, head.logits_dimension)))


def test_a_head_takes_lists() -> None:
    head = MultiLabelHead(4, label_vocabulary=WORDS)
    logits = np.linspace(-3, 3, 12).reshape(3, 4)
    wanted = head.loss(INDICATORS, logits)
    assert head.loss(pa.array(words_of(IDS)), logits) == head.loss(IDS, logits) == wanted
    metrics = head.update_metrics(head.metrics(), {}, logits, pa.array(IDS))
    assert metrics["average_loss"].result() == pytest.approx(wanted)
