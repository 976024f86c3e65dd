"""Checks of labels: their shape and range, and the class ids of words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from heads.arrays import Array, as_array, is_scipy_sparse, is_sparse, is_sparse_tensor
from heads.label_sets import ACCEPTED, LabelSets, Shape, SparseLabels, dense_or_sets, sets_of_sparse
from heads.label_words import (
    Vocabulary,
    are_words,
    check_vocabulary_words,
    class_names,
    word_ids,
)

__all__ = [
    "SparseLabels",
    "Vocabulary",
    "binary_labels",
    "check_vocabulary_words",
    "class_id_labels",
    "class_names",
    "indicator_labels",
]


def binary_labels(
    labels: Any, logits_shape: Shape, vocabulary: Vocabulary | None
) -> npt.NDArray[np.float32]:
    """Returns labels of a binary head as float32 `lead + [1]` in [0, 1].

    Fractions are soft labels.

    Raises:
        TypeError: for words without a vocabulary, and for numbers with a vocabulary.
        ValueError: if the labels are None, sparse, of a wrong shape, outside [0, 1], NaN or not in
            the vocabulary.
    """
    given = _dense(labels, logits_shape, 1)
    if vocabulary is not None:
        ids: Array = word_ids(given, vocabulary)
    elif given.dtype.kind in "biuf":
        ids = given
    else:
        raise TypeError(
            f"Labels must be numbers without a vocabulary. Instead got {given.dtype}. Pass "
            "label_vocabulary to look words up."
        )
    with np.errstate(over="ignore"):
        processed = np.asarray(ids, np.float32, order="C")
    _check_range(processed, 2, given)
    return processed


def class_id_labels(
    labels: Any, logits_shape: Shape, vocabulary: Vocabulary | None, n_classes: int
) -> npt.NDArray[np.integer[Any]]:
    """Returns labels of a multi-class head as class ids `lead + [1]`; integers keep their dtype.

    Raises:
        ValueError: if the labels are None, sparse, of a wrong shape or dtype, outside
            [0, n_classes) or not in the vocabulary.
    """
    given = _dense(labels, logits_shape, 1)
    if vocabulary is None:
        if given.dtype.kind not in "iu":
            raise ValueError(
                f"Labels dtype should be integer. Instead got {given.dtype}. Convert class ids to "
                "integers, or pass label_vocabulary to look words up."
            )
        ids: Array = given
    else:
        if not are_words(given):
            raise ValueError(
                "Labels dtype should be string if there is a vocabulary. Instead got "
                f"{given.dtype}. Leave label_vocabulary None for labels that are class ids."
            )
        ids = word_ids(given, vocabulary)
    _check_range(ids, n_classes, given)
    return np.ascontiguousarray(ids)


def number_labels(
    labels: Any, logits_shape: Shape, size: int, allowed: tuple[float, float] | None
) -> npt.NDArray[np.float32]:
    """Returns labels of a regression head as float32 `lead + [size]`.

    Args:
        labels: the labels, numbers.
        logits_shape: `lead + [size]`.
        size: the number of labels of an example.
        allowed: the lowest and the highest label that the head takes; None for any number.

    Raises:
        TypeError: if the labels are not numbers.
        ValueError: if the labels are None, sparse, of a wrong shape, or not in the range.
    """
    given = _dense(labels, logits_shape, size)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"Labels must be numbers. Instead got {given.dtype}. Convert them first.")
    with np.errstate(over="ignore"):
        processed = np.asarray(given, np.float32, order="C")
    if allowed is not None:
        low, high = allowed
        outside = ~((processed >= low) & (processed <= high))
        if outside.any():
            at, value = _first(outside, given)
            where = f"in range [{low:g}, {high:g}]" if np.isfinite(high) else f">= {low:g}"
            raise ValueError(f"Labels must be {where}. Given: {value} at {at}. Correct it.")
    return processed


def indicator_labels(
    labels: Any, logits_shape: Shape, vocabulary: Vocabulary | None, n_classes: int
) -> Array:
    """Returns labels of a multi-label head as indicators `lead + [n_classes]` in [0, 1].

    Dense labels keep their dtype, but bool becomes int64; sparse labels become int64.

    Raises:
        TypeError: for dense words, and for sparse words without a vocabulary.
        ValueError: if the labels are None, of a wrong shape, or out of range.
    """
    _require_labels(labels)
    lead = logits_shape[:-1]
    if is_sparse_tensor(labels):
        given: Array | LabelSets = sets_of_sparse(labels)
    elif is_scipy_sparse(labels):
        # Checked before, as the dense matrix may be large.
        _labels_shape(labels.shape, logits_shape, n_classes)
        given = labels.toarray()
    else:
        given = dense_or_sets(labels, lead, n_classes)
    if isinstance(given, LabelSets):
        return _multi_hot(given, logits_shape, vocabulary, n_classes)
    if given.dtype.kind not in "biuf":
        raise TypeError(
            f"Dense labels must be indicators, numbers in [0, 1]. Instead got {given.dtype}. "
            f"{ACCEPTED}"
        )
    inside = (given >= 0) & (given <= 1)
    if not inside.all():
        at, value = _first(~inside, given)
        raise ValueError(
            "labels must be an integer indicator Tensor with values in [0, 1]. "
            f"Given: {value} at {at}. {ACCEPTED}"
        )
    indicators = given.astype(np.int64) if given.dtype.kind == "b" else given
    return np.ascontiguousarray(
        indicators.reshape(_labels_shape(given.shape, logits_shape, n_classes))
    )


def _multi_hot(
    sets: LabelSets, logits_shape: Shape, vocabulary: Vocabulary | None, n_classes: int
) -> npt.NDArray[np.int64]:
    values = sets.values
    if values.dtype.kind in "iu":
        outside = (values < 0) | (values >= n_classes)
        if outside.any():
            raise ValueError(
                f"labels must be an integer SparseTensor with values in [0, {n_classes}). "
                f"Given: {sets.first(outside)}. Check the class ids and n_classes."
            )
        ids = values.astype(np.int64)
    elif not are_words(values):
        raise ValueError(
            f"Labels dtype should be integer. Instead got {values.dtype}. Convert class ids to "
            "integers."
        )
    elif vocabulary is None:
        raise TypeError(
            "Sparse labels are words, but the head has no label_vocabulary to look them up in. "
            "Pass one, or pass class ids."
        )
    else:
        ids = word_ids(values, vocabulary)
        if (ids < 0).any():
            raise ValueError(
                f"Label {sets.first(ids < 0)} is not in label_vocabulary. Add the word, or drop "
                "the label."
            )
    indicators = np.zeros(_labels_shape((*sets.lead, n_classes), logits_shape, n_classes), np.int64)
    indicators[(*sets.example.T, ids)] = 1
    return indicators


def _require_labels(labels: Any) -> None:
    if labels is None:
        raise ValueError(
            "You must provide a labels Tensor. Given: None. Check that the data has the label "
            "column and that it is passed on."
        )


def _dense(labels: Any, logits_shape: Shape, size: int) -> Array:
    _require_labels(labels)
    if is_sparse(labels):
        raise ValueError(
            "SparseTensor labels are not supported. Labels must be dense, of shape "
            f"[D0, D1, ..., DN, {size}], for example [batch_size, {size}]. Only MultiLabelHead "
            "takes sparse labels."
        )
    given = as_array(labels, "labels")
    return given.reshape(_labels_shape(given.shape, logits_shape, size))


def _labels_shape(shape: Shape, logits_shape: Shape, size: int) -> Shape:
    """Returns the shape of labels with the last axis added if missing; checks it against logits."""
    if len(shape) == len(logits_shape) - 1:
        shape = (*shape, 1)
    if len(shape) < 2:
        raise ValueError(
            f"labels must have rank at least 2. Received rank {len(shape)}, shape {shape}. Reshape "
            f"them to [batch_size, {size}]."
        )
    if shape[-1] != size:
        raise ValueError(
            f"Mismatched label shape. Expected labels dimension={size}.  Received {shape[-1]}. "
            "Check n_classes of the head, and that one-hot labels are meant."
        )
    expected = (*logits_shape[:-1], size)
    if shape != expected:
        raise ValueError(
            f"labels shape must be [D0, D1, ... DN, {size}]. expected_labels_shape: {expected}. "
            f"labels_shape: {shape}. Give each row of the logits its label."
        )
    return shape


def _check_range(ids: Array, n_classes: int, given: Array) -> None:
    above = ~(ids <= n_classes - 1)
    if above.any():
        at, value = _first(above, given)
        raise ValueError(
            f"Labels must be <= {n_classes} - 1. Given: {value!r} at {at}. Correct the label or "
            "n_classes."
        )
    below = ids < 0
    if below.any():
        at, value = _first(below, given)
        why = "the word is not in label_vocabulary" if are_words(given) else "the label is negative"
        raise ValueError(f"Labels must be >= 0. Given: {value!r} at {at}: {why}. Correct it.")


def _first(bad: npt.NDArray[np.bool_], given: Array) -> tuple[list[int], Any]:
    """Returns the index of the first bad entry, and its value."""
    at = np.argwhere(bad)[0].tolist()
    return at, given[tuple(at)]
