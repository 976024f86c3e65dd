"""Tests scores, labels and weights of all forms against an oracle that reads row by row."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.heads import HeadConfig
from pipeline.extract.head_inputs import element_lengths, extract, first_faults
from pipeline.readers.rows import Rows
from tests.pipeline.arrow_columns import NUMBERS, TEXTS, lists_of, matrix, numbers, scalars
from tests.pipeline.tables import head_of, law, rows_of


class Bad(Exception):
    """An exception that carries the reason of the first fault of a row."""


def single(value: Any) -> Any:
    """Returns the only value of a cell, which may be a list."""
    if isinstance(value, list):
        if len(value) > 1:
            raise Bad("wrong_length")
        value = value[0] if value else None
    if value is None:
        raise Bad("null")
    return value


def several(value: list[Any] | None, length: int) -> list[float]:
    if value is None:
        raise Bad("null")
    if len(value) != length:
        raise Bad("wrong_length")
    if None in value:
        raise Bad("null")
    return [float(item) for item in value]


def within(values: list[float], low: float, high: float, reason: str) -> list[float]:
    if not all(low <= value <= high for value in values):
        raise Bad(reason)
    return values


def finite(values: list[float]) -> list[float]:
    if not all(map(math.isfinite, values)):
        raise Bad("not_finite")
    return values


def scores_of(head: HeadConfig, row: dict[str, Any]) -> list[float]:
    source: Any = head.logits or head.probability
    value, index = row[source.column], getattr(source, "index", None)
    if hasattr(head, "n_classes"):
        scores = several(value, head.n_classes)
    elif index is None:
        scores = [float(single(value))]
    elif value is None:
        raise Bad("null")
    elif len(value) <= index:
        raise Bad("wrong_length")
    else:
        scores = [float(single(value[index]))]
    finite(scores)
    return scores if head.logits else within(scores, 0, 1, "not_a_probability")


def labels_of(head: HeadConfig, row: dict[str, Any]) -> list[float]:
    label: Any = head.label
    value, classes = row[label.column], getattr(head, "n_classes", None)
    form = getattr(label, "form", None)
    if form == "multi_hot":
        return within(finite(several(value, head.n_classes)), 0, 1, "out_of_range")
    if form is not None:
        if value is None or None in value:
            raise Bad("null")
        ids = [class_id(item, label.vocabulary, head.n_classes) for item in value]
        return [float(i in ids) for i in range(head.n_classes)]
    value = single(value)
    if label.vocabulary is None:
        number = within(finite([float(value)]), 0, (classes or 2) - 1, "out_of_range")[0]
        if classes and number != int(number):
            raise Bad("not_a_class_id")
        return [number]
    word = value.decode() if isinstance(value, bytes) else value
    if word not in label.vocabulary:
        raise Bad("not_in_vocabulary")
    positive = getattr(label, "positive", None)
    return [float(label.vocabulary.index(word) if positive is None else word == positive)]


def class_id(item: Any, vocabulary: tuple[str, ...] | None, classes: int) -> int:
    if vocabulary is None:
        if item in range(classes):
            return int(item)
        raise Bad("not_a_class_id")
    word = item.decode() if isinstance(item, bytes) else item
    if word in vocabulary:
        return vocabulary.index(word)
    raise Bad("not_in_vocabulary")


def weight_of(head: HeadConfig, row: dict[str, Any]) -> float:
    weight = float(single(row[head.weight]))
    return within(finite([weight]), 0, math.inf, "negative")[0]


def check(head: HeadConfig, rows: Rows) -> None:
    """Checks that `extract` gives the same values, bit by bit, and faults as the oracle."""
    good: list[tuple[list[float], list[float], float]] = []
    faults: dict[str, list[int]] = {}
    for position, row in enumerate(rows.batch.to_pylist()):
        column = (head.logits or head.probability).column
        try:
            scores = scores_of(head, row)
            column = head.label.column
            labels = labels_of(head, row)
            column = head.weight
            good.append((scores, labels, 1.0 if column is None else weight_of(head, row)))
        except Bad as bad:
            faults.setdefault(f"{bad}:{column}", []).append(position)

    extracted = extract(head, rows)
    bad_rows, first = first_faults(extracted.faults, len(rows))
    reported: dict[str, list[int]] = {}
    for reason, mask in first:
        reported[reason] = sorted(reported.get(reason, []) + np.flatnonzero(mask).tolist())
    assert reported == faults
    assert np.flatnonzero(bad_rows).tolist() == sorted(itertools.chain(*faults.values()))
    kept = extracted.without(bad_rows)
    width = getattr(head, "n_classes", 1)
    columns = width if getattr(head.label, "form", None) else 1
    assert kept.scores.dtype == kept.labels.dtype == np.float64
    assert kept.scores.flags.c_contiguous
    assert kept.labels.flags.c_contiguous
    assert kept.scores.shape == (len(good), width)
    assert kept.labels.shape == (len(good), columns)
    assert kept.scores.tolist() == [scores for scores, _, _ in good]
    assert kept.labels.tolist() == [labels for _, labels, _ in good]
    if head.weight is None:
        assert kept.weights is None
    else:
        assert kept.weights is not None
        assert kept.weights.tolist() == [weight for _, _, weight in good]


HEADS = [
    "type: binary, logits: s, label: y",
    "type: binary, probability: s, label: y, weight: w",
    "type: contrib_binary, probability: {column: s, index: 1}, label: y",
    "type: binary, logits: {column: s, index: 0}, label: {column: y, vocabulary: [no!, yes!]}",
    "type: binary, logits: s, label: {column: y, vocabulary: [no!, yes!], positive: no!}",
    "type: multi_class, n_classes: 3, logits: s, label: y, weight: w",
    "type: multi_class, n_classes: 3, probability: s,"
    " label: {column: y, vocabulary: [no!, yes!, größe]}",
    "type: multi_label, n_classes: 2, probability: s, label: {column: y, form: multi_hot}",
    "type: multi_label, n_classes: 3, logits: s, label: {column: y, form: ids}, weight: w",
    "type: multi_label, n_classes: 2, logits: s,"
    " label: {column: y, form: names, vocabulary: [yes!, größe]}",
]


@pytest.mark.slow
@pytest.mark.parametrize("keys", HEADS)
@settings(law, max_examples=40)
@given(st.data())
def test_against_the_oracle(keys: str, data: st.DataObject) -> None:
    head = head_of(keys)
    n = data.draw(st.integers(0, 8))
    draw: st.DrawFn = data.draw
    width = getattr(head, "n_classes", None)
    columns: dict[str, pa.Array] = {}

    score_type = draw(st.sampled_from(NUMBERS))
    items = numbers(score_type)
    if width or getattr(head.logits or head.probability, "index", None) is not None:
        columns["s"] = matrix(draw, n, width or 2, score_type, items)
    else:
        columns["s"] = scalars(draw, n, score_type, items)

    text = getattr(head.label, "vocabulary", None) is not None
    label_type = draw(st.sampled_from(TEXTS if text else NUMBERS))
    known = st.sampled_from(["no!", "yes!", "größe", "", "No!"])
    items = (
        known.map(lambda w: w.encode() if "binary" in str(label_type) else w)
        if text
        else numbers(label_type)
    )
    match getattr(head.label, "form", None):
        case None:
            columns["y"] = scalars(draw, n, label_type, items)
        case "multi_hot":
            columns["y"] = matrix(draw, n, width, label_type, items)
        case _:
            cell = st.lists(items | st.none(), max_size=3) | st.lists(items) | st.none()
            columns["y"] = lists_of(draw, draw(st.lists(cell, min_size=n, max_size=n)), label_type)

    if head.weight is not None:
        weight_type = draw(st.sampled_from(NUMBERS))
        columns["w"] = scalars(draw, n, weight_type, numbers(weight_type))

    batch = pa.record_batch(columns)
    match draw(st.sampled_from(["whole", "slice", "filter"])):
        case "slice":
            first = draw(st.integers(0, n))
            batch = batch.slice(first, draw(st.integers(0, n - first)))
        case "filter":
            keep = draw(st.lists(st.booleans(), min_size=n, max_size=n))
            batch = batch.filter(pa.array(keep, pa.bool_()))
    check(head, rows_of(batch))


def faults_of(head: HeadConfig, **columns: Any) -> dict[str, list[int]]:
    rows = rows_of(columns)
    _, first = first_faults(extract(head, rows).faults, len(rows))
    rows_by_reason: dict[str, list[int]] = {}
    for reason, mask in first:
        assert reason not in rows_by_reason
        rows_by_reason[reason] = np.flatnonzero(mask).tolist()
    return rows_by_reason


def test_a_row_is_counted_once_and_under_its_first_reason() -> None:
    head = head_of("type: binary, probability: s, label: y, weight: w")
    faults = faults_of(
        head,
        s=[None, math.nan, 2.0, 0.5, 0.5, 0.5, 0.5],
        y=[None, None, 7, 7, 1, 1, 0],
        w=[None, -1.0, -1.0, -1.0, math.inf, -1.0, 2.0],
    )
    assert faults == {
        "null:s": [0],
        "not_finite:s": [1],
        "not_a_probability:s": [2],
        "out_of_range:y": [3],
        "not_finite:w": [4],
        "negative:w": [5],
    }


def test_soft_labels_and_the_ends_of_probabilities_are_good() -> None:
    head = head_of("type: binary, probability: s, label: y, weight: w")
    assert faults_of(head, s=[0.0, -0.0, 1.0], y=[0.3, -0.0, 1.0], w=[0.0, -0.0, 5e-324]) == {}
    beyond = [math.nextafter(0, -1), math.nextafter(1, 2)]
    assert faults_of(head, s=beyond, y=[0, 1], w=[1, 1]) == {"not_a_probability:s": [0, 1]}


def test_an_all_null_column_is_bad_rows() -> None:
    head = head_of("type: binary, logits: s, label: {column: y, vocabulary: [a, b]}")
    assert faults_of(head, s=pa.nulls(2), y=pa.nulls(2)) == {"null:s": [0, 1]}
    assert faults_of(head, s=[1.0, 2.0], y=pa.nulls(2)) == {"null:y": [0, 1]}
    head = head_of(HEADS[8])
    lists = pa.array([[None], []], pa.list_(pa.null()))
    three = pa.array([[1.0] * 3] * 2)
    assert faults_of(head, s=three, y=lists, w=[1, 1]) == {"null:y": [0]}


def test_a_null_among_the_values_of_a_dictionary_is_null() -> None:
    head = head_of("type: binary, logits: s, label: {column: y, vocabulary: [a, b]}")
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None]))
    assert faults_of(head, s=[1.0, 2.0], y=words) == {"null:y": [1]}


def test_words_that_are_not_utf8_are_not_in_the_vocabulary() -> None:
    head = head_of("type: binary, logits: s, label: {column: y, vocabulary: [a, b]}")
    words = pa.array([b"a", b"\xff"])
    # Parquet does not check that a string column holds UTF-8.
    for type_ in (pa.binary(), pa.string()):
        assert faults_of(head, s=[1.0, 2.0], y=words.view(type_)) == {"not_in_vocabulary:y": [1]}


def test_the_first_of_two_words_can_be_the_positive_one() -> None:
    rows = rows_of({"s": [1.0, 2.0], "y": ["cat", "dog"]})
    for positive, expected in (("cat", [1.0, 0.0]), ("dog", [0.0, 1.0])):
        label = f"{{column: y, vocabulary: [cat, dog], positive: {positive}}}"
        extracted = extract(head_of(f"type: binary, logits: s, label: {label}"), rows)
        assert extracted.labels.ravel().tolist() == expected


BINARY = "type: binary, logits: s, label: y, weight: w"
GOOD = {"s": [1.0], "y": [1], "w": [1.0]}
REFUSED = [
    pa.array(["1"]),
    pa.array(["1"]).dictionary_encode(),
    pa.array([1], pa.date32()),
    pa.array([1], pa.duration("s")),
    pa.array([{"a": 1}]),
    pa.array([["1"]]),
    pa.array([[[1.0]]]),
]


@pytest.mark.parametrize("array", REFUSED, ids=lambda array: str(array.type))
@pytest.mark.parametrize("column", ["s", "y", "w"])
def test_numbers_of_other_types_are_refused(array: pa.Array, column: str) -> None:
    # Of no rows too: that is how columns are checked before a row is read.
    for values in (array, array.slice(1)):
        rows = rows_of(
            {name: pa.array(v)[: len(values)] for name, v in GOOD.items()} | {column: values}
        )
        with pytest.raises(TypeError, match=f"column '{column}' .*numbers are needed"):
            extract(head_of(BINARY), rows)


@pytest.mark.parametrize(
    ("keys", "column", "values", "message"),
    [
        (HEADS[3], "y", pa.array([1]), "its vocabulary is of words"),
        (HEADS[3], "y", pa.array([[1]]), "its vocabulary is of words"),
        (HEADS[3], "s", pa.array([1.0]), "lists are needed"),
        (HEADS[5], "s", pa.array([1.0]), "lists are needed"),
        (HEADS[5], "s", pa.array([["1"] * 3]), "numbers are needed"),
        (HEADS[7], "y", pa.array([1]), "lists are needed"),
        (HEADS[7], "y", pa.array([["a", "b"]]), "numbers are needed"),
        (HEADS[8], "y", pa.array(["a"]), "lists are needed"),
        (HEADS[8], "y", pa.array([["a"]]), "numbers are needed"),
        (HEADS[9], "y", pa.array([[1]]), "its vocabulary is of words"),
    ],
)
def test_lists_and_words_where_they_are_needed(
    keys: str, column: str, values: pa.Array, message: str
) -> None:
    head = head_of(keys)
    width = getattr(head, "n_classes", 2)
    good = {
        "s": pa.array([[1.0] * width]),
        "y": pa.array([["yes!"]]) if "vocabulary" in keys else pa.array([[1.0] * width]),
        "w": pa.array([1.0]),
    }
    if keys == HEADS[5]:
        good["y"] = pa.array([1])
    extract(head, rows_of(good))
    with pytest.raises(TypeError, match=f"column '{column}' .*{message}"):
        extract(head, rows_of(good | {column: values}))


def test_class_ids_far_away_are_bad_rows() -> None:
    head = head_of(HEADS[5])
    three = [[1.0, 2.0, 3.0]] * 4
    ids = [3, 2**62, -(2**63), 2]
    assert faults_of(head, s=three, y=ids, w=[1.0] * 4) == {"out_of_range:y": [0, 1, 2]}
    head = head_of(HEADS[8])
    lists = [[3], [0, 2**62], [-1], [2, 0]]
    assert faults_of(head, s=three, y=lists, w=[1.0] * 4) == {"not_a_class_id:y": [0, 1, 2]}


def test_class_ids_between_classes_are_bad_rows() -> None:
    ids = [0.0, 0.5, 1.0, math.nextafter(2, 0), 2.0]
    three = [[1.0, 2.0, 3.0]] * 5
    faults = faults_of(head_of(HEADS[5]), s=three, y=ids, w=[1.0] * 5)
    assert faults == {"not_a_class_id:y": [1, 3]}
    faults = faults_of(head_of(HEADS[8]), s=three, y=[[i] for i in ids], w=[1.0] * 5)
    assert faults == {"not_a_class_id:y": [1, 3]}


def test_lengths_of_lists_an_element_is_picked_from() -> None:
    head = head_of("type: binary, logits: {column: s, index: 1}, label: y")
    rows = rows_of({"s": [[1.0, 2.0], [1.0, 2.0, 3.0], [0.0, 1.0]], "y": [0, 1, 0]})
    assert element_lengths(head, rows) == {"s": (2, 3)}
    assert element_lengths(head, rows.where(np.zeros(3, bool))) == {}
    assert element_lengths(head_of(HEADS[0]), rows) == {}
    assert element_lengths(head_of(HEADS[5]), rows) == {}
    both = head_of(
        "type: binary, logits: s, label: y, baseline: {probability: {column: t, index: 0}}"
    )
    lists = rows_of({"s": [1.0, 2.0], "t": [[0.5], [0.5, 0.1]], "y": [0, 1]})
    assert element_lengths(both, lists) == {"t": (1, 2)}
    again = head_of(
        "type: binary, logits: {column: s, index: 0}, label: y,"
        " baseline: {logits: {column: s, index: 1}}"
    )
    assert element_lengths(again, rows) == {"s": (2, 3)}


def test_scores_of_a_baseline() -> None:
    head = head_of("type: binary, logits: s, label: y, baseline: {probability: q}")
    rows = rows_of({"s": [1.0, 2.0, 3.0], "q": [0.5, 1.5, None], "y": [0, 1, None]})
    extracted = extract(head, rows)
    assert extracted.baseline is not None
    assert extracted.baseline[0].tolist() == [0.5]
    reasons = {reason: np.flatnonzero(mask).tolist() for reason, mask in extracted.faults}
    assert reasons["not_a_probability:q"][0] == 1
    assert reasons["null:q"] == reasons["null:y"] == [2]
    good = extracted.without(np.array([False, True, True]))
    assert (good.scores.tolist(), good.baseline.tolist()) == ([[1.0]], [[0.5]])
    assert extract(head_of("type: binary, logits: s, label: y"), rows).baseline is None


def test_without_no_bad_row_is_the_same() -> None:
    extracted = extract(head_of(HEADS[0]), rows_of({"s": [1.0], "y": [1]}))
    assert extracted.without(np.zeros(1, bool)) is extracted
