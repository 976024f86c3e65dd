"""Extracts the scores, labels and weights of a head from columns, and finds faulty rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.config.heads import HeadConfig, MultiLabelHeadConfig
from pipeline.config.regression import RegressionBaseline, RegressionFields
from pipeline.config.scores import BinaryBaseline, ClassBaseline
from pipeline.errors.faults import ColumnError
from pipeline.extract.column_types import AnyHead, need_lists, need_numbers, need_words
from pipeline.readers.rows import (
    Floats,
    Mask,
    Rows,
    flat_values,
    list_lengths,
    numbers,
    words,
)

Model = HeadConfig | BinaryBaseline | ClassBaseline | RegressionBaseline
"""The configuration that says in which columns the scores of a model are."""

# The largest logit whose exponential float64 holds.
_MOST_LOGIT = float(np.log(np.finfo(np.float64).max))

Fault = tuple[str, Mask]
"""A reason, and a mask `[n]` of the rows that have this fault."""


@dataclass(frozen=True, eq=False)
class Extracted:
    """The inputs of a head for some rows, as numbers.

    Attributes:
        scores: float64 `[n, k]`, C-contiguous; the logits or probabilities.
        labels: float64 `[n, k]`; `[n, 1]` for a multi-class head.
        weights: float64 `[n]`; None for a head without weights.
        baseline: float64 `[n, k]`, the scores of the baseline; None for a head without a baseline.
        intervals: float64 `[n, 2]` for the candidate and for the baseline: the ends of the interval
            that a regression model predicts; None for a model without.
        faults: the faults of the rows; the values of a row with a fault have no meaning.
    """

    scores: Floats
    labels: Floats
    weights: Floats | None
    baseline: Floats | None
    intervals: tuple[Floats | None, Floats | None]
    faults: list[Fault]

    def without(self, bad: Mask) -> Extracted:
        """Returns the inputs of the rows for which the mask `bad`, `[n]`, is false."""
        if not bad.any():
            return self
        weights, baseline, lower, upper = (
            None if array is None else array[~bad]
            for array in (self.weights, self.baseline, *self.intervals)
        )
        intervals = lower, upper
        return Extracted(self.scores[~bad], self.labels[~bad], weights, baseline, intervals, [])


def extract(head: HeadConfig, rows: Rows) -> Extracted:
    """Returns the scores, labels and weights of a head, and the faults of the rows.

    Raises:
        ColumnError: if a column is of a type that the head cannot read; it names the column.
    """
    faults: list[Fault] = []
    scores = _scores(head, rows, faults)
    labels = _labels(head, rows, faults)
    weights = _weights(head, rows, faults)
    baseline = _baseline(head, rows, faults)
    intervals = _interval(head, rows, faults), _baseline_interval(head, rows, faults)
    return Extracted(scores, labels, weights, baseline, intervals, faults)


def type_problems(head: HeadConfig, rows: Rows) -> list[str]:
    """Returns a line for each kind of input that `extract` cannot read, because of its column type.

    Only the types of the columns matter, not the values of the rows.
    """
    problems = []
    for read_part in (_scores, _labels, _weights, _baseline, _interval, _baseline_interval):
        try:
            read_part(head, rows, [])
        except ColumnError as error:
            problems.append(str(error))
    return problems


def _scores(head: HeadConfig, rows: Rows, faults: list[Fault]) -> Floats:
    return _scores_of(head, head, rows, faults)


def _baseline(head: HeadConfig, rows: Rows, faults: list[Fault]) -> Floats | None:
    return None if head.baseline is None else _scores_of(head, head.baseline, rows, faults)


def _scores_of(head: HeadConfig, model: Model, rows: Rows, faults: list[Fault]) -> Floats:
    source = model.source
    column = source.column
    index = getattr(source, "index", None)
    classes = getattr(head, "n_classes", None)
    if classes is not None:
        scores = _list_matrix(head, rows, column, classes, faults)
    elif index is not None:
        scores = _list_element(head, rows, column, index, faults)
    else:
        scores = _single_numbers(head, rows, column, faults)[:, np.newaxis]
    finite = np.isfinite(scores)
    if not finite.all():
        _add_fault(faults, f"not_finite:{column}", _any_in_row(~finite))
    with np.errstate(invalid="ignore"):
        if head.type == "poisson":
            if model.logits is None:
                _add_fault(faults, f"negative:{column}", (scores < 0)[:, 0])
            else:
                _add_fault(faults, f"too_large:{column}", (scores > _MOST_LOGIT)[:, 0])
        elif model.logits is None and head.type != "regression":
            inside = (scores >= 0) & (scores <= 1)
            if not inside.all():
                _add_fault(faults, f"not_a_probability:{column}", _any_in_row(~inside))
    return scores


def _interval(head: HeadConfig, rows: Rows, faults: list[Fault]) -> Floats | None:
    return _interval_of(head, head, rows, faults) if isinstance(head, RegressionFields) else None


def _baseline_interval(head: HeadConfig, rows: Rows, faults: list[Fault]) -> Floats | None:
    if not isinstance(head, RegressionFields) or head.baseline is None:
        return None
    return _interval_of(head, head.baseline, rows, faults)


def _interval_of(
    head: AnyHead,
    model: RegressionFields | RegressionBaseline,
    rows: Rows,
    faults: list[Fault],
) -> Floats | None:
    """Returns the lower and the upper end of the predicted interval `[n, 2]`; None for none."""
    if model.interval is None:
        return None
    ends = np.empty((len(rows), 2))
    for end, column in enumerate(model.interval):
        ends[:, end] = _finite_numbers(head, rows, column, faults)
    with np.errstate(invalid="ignore"):
        _add_fault(faults, f"above_upper:{model.interval[0]}", ends[:, 0] > ends[:, 1])
    return ends


def _labels(head: HeadConfig, rows: Rows, faults: list[Fault]) -> Floats:
    if isinstance(head, RegressionFields):
        return _number_labels(head, rows, faults)
    label = head.label
    column = label.column
    if isinstance(head, MultiLabelHeadConfig):
        if head.label.form == "multi_hot":
            labels = _list_matrix(head, rows, column, head.n_classes, faults)
            _add_outside(faults, column, labels, 1.0)
            return labels
        return _indicators(rows, head, faults)
    if label.vocabulary is None:
        labels = _single_numbers(head, rows, column, faults)
        classes = getattr(head, "n_classes", None)
        if classes is None:
            _add_outside(faults, column, labels, 1.0)
        else:
            _add_outside(faults, column, labels, classes - 1.0)
            _add_fault(faults, f"not_a_class_id:{column}", labels != np.trunc(labels))
    else:
        array, several = rows.scalars(column)
        need_words(head, column, array.type)
        labels, null, unknown = words(array, label.vocabulary)
        _add_missing(faults, column, null, several)
        _add_fault(faults, f"not_in_vocabulary:{column}", unknown)
        if getattr(label, "positive", None) == label.vocabulary[0]:
            labels = 1.0 - labels
    return labels[:, np.newaxis]


def _number_labels(head: RegressionFields, rows: Rows, faults: list[Fault]) -> Floats:
    """Returns the labels `[n, 1]` of a regression head."""
    column = head.label.column
    labels = _finite_numbers(head, rows, column, faults)
    if head.type == "logistic_regression":
        _add_outside(faults, column, labels, 1.0)
    elif head.type == "poisson":
        with np.errstate(invalid="ignore"):
            _add_fault(faults, f"negative:{column}", labels < 0)
    return labels[:, np.newaxis]


def _weights(head: HeadConfig, rows: Rows, faults: list[Fault]) -> Floats | None:
    column = head.weight
    if column is None:
        return None
    weights = _finite_numbers(head, rows, column, faults)
    with np.errstate(invalid="ignore"):
        _add_fault(faults, f"negative:{column}", weights < 0)
    return weights


def _single_numbers(head: AnyHead, rows: Rows, column: str, faults: list[Fault]) -> Floats:
    """Returns the numbers `[n]` of a column that holds a single number per row."""
    array, several = rows.scalars(column)
    need_numbers(head, column, array.type)
    values, null = numbers(array)
    _add_missing(faults, column, null, several)
    return values


def _finite_numbers(head: AnyHead, rows: Rows, column: str, faults: list[Fault]) -> Floats:
    """Returns the numbers `[n]` of a column, which must be finite."""
    values = _single_numbers(head, rows, column, faults)
    _add_fault(faults, f"not_finite:{column}", ~np.isfinite(values))
    return values


def _lists(head: AnyHead, rows: Rows, column: str) -> pa.Array:
    array = rows.column(column)
    need_lists(head, column, array.type)
    return array


def _list_matrix(head: AnyHead, rows: Rows, column: str, width: int, faults: list[Fault]) -> Floats:
    """Returns the numbers `[n, width]` of a column that holds a list of `width` numbers per row."""
    array = _lists(head, rows, column)
    fits = list_lengths(array) == width
    if not fits.all() or array.null_count:
        _add_wrong_lengths(faults, column, array, ~fits)
        fits &= array.is_valid().to_numpy(zero_copy_only=False)
        array = array.filter(pa.array(fits))
    values, null = _list_numbers(head, array, column)
    if null is not None:
        missing = np.zeros(len(rows), bool)
        missing[fits] = null.reshape(-1, width).any(axis=1)
        _add_fault(faults, f"null:{column}", missing)
    values = values.reshape(-1, width)
    if fits.all():
        return values
    matrix = np.zeros((len(rows), width))
    matrix[fits] = values
    return matrix


def _list_element(
    head: AnyHead, rows: Rows, column: str, index: int, faults: list[Fault]
) -> Floats:
    """Returns the number at position `index` of the list of each row, `[n, 1]`."""
    array = _lists(head, rows, column)
    lengths = list_lengths(array)
    long_enough = lengths > index
    _add_wrong_lengths(faults, column, array, ~long_enough)
    starts = (np.cumsum(lengths) - lengths)[long_enough]
    values, null = _list_numbers(head, array, column)
    elements = np.zeros((len(rows), 1))
    elements[long_enough, 0] = values[starts + index]
    if null is not None:
        missing = np.zeros(len(rows), bool)
        missing[long_enough] = null[starts + index]
        _add_fault(faults, f"null:{column}", missing)
    return elements


def element_lengths(head: HeadConfig, rows: Rows) -> dict[str, tuple[int, int]]:
    """Returns the shortest and longest list length of the columns that `index` selects from.

    The lists of a column must have the same length in all rows of a run, which needs all batches to
    be compared. Null has no length.
    """
    lengths_by_column = {}
    for model in (head, head.baseline):
        source = None if model is None else model.source
        if getattr(source, "index", None) is None or not len(rows):
            continue
        assert source is not None
        array = _lists(head, rows, source.column)
        lengths = list_lengths(array.drop_null() if array.null_count else array)
        if len(lengths):
            lengths_by_column[source.column] = int(lengths.min()), int(lengths.max())
    return lengths_by_column


def _indicators(rows: Rows, head: MultiLabelHeadConfig, faults: list[Fault]) -> Floats:
    """Returns the labels of lists of class ids or class names, as zeros and ones `[n, k]`."""
    column = head.label.column
    array = _lists(head, rows, column)
    if array.null_count:
        _add_fault(faults, f"null:{column}", array.is_null().to_numpy(zero_copy_only=False))
    row = np.repeat(np.arange(len(rows)), list_lengths(array))
    values = flat_values(array)
    if head.label.vocabulary is not None:
        need_words(head, column, values.type, "holds")
        ids, null, wrong = (
            words(values, head.label.vocabulary) if len(values) else (np.zeros(0), None, None)
        )
        wrong_reason = f"not_in_vocabulary:{column}"
    else:
        ids, null = _list_numbers(head, array, column)
        wrong = ~((ids >= 0) & (ids < head.n_classes) & (ids == np.trunc(ids)))
        wrong_reason = f"not_a_class_id:{column}"
    good = np.ones(len(ids), bool)
    for mask, mask_reason in ((null, f"null:{column}"), (wrong, wrong_reason)):
        if mask is not None and mask.any():
            _add_fault(faults, mask_reason, np.bincount(row[mask & good], minlength=len(rows)) > 0)
            good &= ~mask
    labels = np.zeros((len(rows), head.n_classes))
    labels[row[good], ids[good].astype(np.int64)] = 1.0
    return labels


def _list_numbers(head: AnyHead, array: pa.Array, column: str) -> tuple[Floats, Mask | None]:
    values = flat_values(array)
    need_numbers(head, column, values.type, "holds")
    return numbers(values)


def _add_wrong_lengths(faults: list[Fault], column: str, array: pa.Array, wrong: Mask) -> None:
    """Adds the faults of lists: those that are null, and those that have a wrong length."""
    if array.null_count:
        null = array.is_null().to_numpy(zero_copy_only=False)
        _add_fault(faults, f"null:{column}", null)
        wrong = wrong & ~null
    _add_fault(faults, f"wrong_length:{column}", wrong)


def _add_missing(faults: list[Fault], column: str, null: Mask | None, several: Mask | None) -> None:
    if several is not None:
        _add_fault(faults, f"wrong_length:{column}", several)
    _add_fault(faults, f"null:{column}", null)


def _add_outside(faults: list[Fault], column: str, labels: Floats, highest: float) -> None:
    with np.errstate(invalid="ignore"):
        inside = (labels >= 0) & (labels <= highest)
    if not inside.all():
        # NaN, with which data frames say that a label is missing, is no label out of range.
        _add_fault(faults, f"not_finite:{column}", _any_in_row(~np.isfinite(labels)))
        _add_fault(faults, f"out_of_range:{column}", _any_in_row(~inside))


def _any_in_row(mask: Mask) -> Mask:
    """Returns a mask `[n]` of the rows in which any element of a mask `[n]` or `[n, k]` is true."""
    rows: Mask = np.logical_or.reduce(mask.reshape(len(mask), -1), axis=1)
    return rows


def _add_fault(faults: list[Fault], reason: str, rows: Mask | None) -> None:
    if rows is not None and rows.any():
        faults.append((reason, rows))


def first_faults(faults: list[Fault], rows: int) -> tuple[Mask, Iterator[Fault]]:
    """Returns a mask `[n]` of the bad rows, and faults that together have every bad row once.

    Args:
        faults: the faults; a row that has several is returned under the first of them.
        rows: the number of rows, `n`.
    """
    bad = np.zeros(rows, bool)
    for _, mask in faults:
        bad |= mask

    def faults_without_overlap() -> Iterator[Fault]:
        seen = np.zeros(rows, bool)
        for reason, mask in faults:
            new = mask & ~seen
            if new.any():
                yield reason, new
            seen |= mask

    return bad, faults_without_overlap()
