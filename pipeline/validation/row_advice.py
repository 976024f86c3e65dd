"""What to do about rows that are bad for a head, as YAML where that mends it."""

from __future__ import annotations

from pipeline.config.heads import (
    BinaryFields,
    HeadConfig,
    MultiClassHeadConfig,
    MultiLabelHeadConfig,
)
from pipeline.config.regression import RegressionFields
from pipeline.errors.problems import quote
from pipeline.errors.suggest import nearest
from pipeline.errors.wording import first_names
from pipeline.errors.yaml_words import yaml_list, yaml_word
from pipeline.validation.bad_rows import Seen

_MOST_WORDS = 20
_LEAVE_OUT = "max_bad_rows or max_bad_fraction says how many such rows may be left out"


def advice(head: HeadConfig, reason: str, seen: Seen) -> str:
    """Returns what to do about the bad rows of a head; empty if nothing can be said.

    Args:
        head: the configuration of the head.
        reason: the reason with its column, such as `null:label`.
        seen: what the rows hold, as far as it may be shown.
    """
    code, _, column = reason.partition(":")
    match code:
        case "null":
            return f"write a value, or leave the row out of the file; {_LEAVE_OUT}"
        case "wrong_length" if column in head.columns():
            return _wrong_length(head, column, seen)
        case "not_finite":
            return f"store a finite number, or leave the row out of the file; {_LEAVE_OUT}"
        case "not_a_probability":
            return _not_a_probability(head, column)
        case "out_of_range":
            return _out_of_range(head, column)
        case "not_a_class_id":
            return _not_a_class_id(head, column)
        case "not_in_vocabulary":
            return _not_in_vocabulary(head, seen)
        case "negative":
            return _negative(head, column)
        case "too_large":
            return (
                "the logit of a poisson head is the logarithm of what it predicts; if the column"
                f" holds the prediction itself, write prediction: {yaml_word(column)}"
            )
        case "above_upper":
            return _above_upper(head, column)
    return "schema_file says what is allowed: mend the data, or the schema"


def _wrong_length(head: HeadConfig, column: str, seen: Seen) -> str:
    name, classes = yaml_word(column), getattr(head, "n_classes", None)
    index = _index(head, column)
    if index is not None:
        return f"'index' is {index}, counted from 0, and needs a list of {index + 1} values or more"
    of_label = column == head.label.column
    if isinstance(head, MultiClassHeadConfig) and of_label:
        return (
            "a row has a single class id; lists with a 0 or 1 for each class are for type: "
            f"multi_label with label: {{column: {name}, form: multi_hot}}"
        )
    if classes is not None and (of_label or column != head.weight):
        same = seen.lowest == seen.highest and (seen.lowest or 0) > 1
        alone = f"; if there are so many classes, write n_classes: {seen.lowest:g}" if same else ""
        ids = ""
        if isinstance(head, MultiLabelHeadConfig) and of_label:
            ids = f"; lists of class ids are label: {{column: {name}, form: ids}}"
        return f"n_classes is {classes}, and a list has a number for each class{alone}{ids}"
    if of_label:
        return "a row has a single label"
    key = _score_key(head, column)
    if key is None:
        return "a row has a single value here"
    place = max(0, int(seen.highest or 1) - 1)
    return f"to take a number out of a list write {key}: {{column: {name}, index: {place}}}"


def _not_a_probability(head: HeadConfig, column: str) -> str:
    key = _score_key(head, column) or "prediction"
    of = "the logits" if getattr(head, "n_classes", None) else "the logit"
    return (
        f"{key} takes numbers from 0 to 1; if the column holds {of}, write logits:"
        f" {yaml_word(column)}, and if it holds percentages, divide them by 100"
    )


def _out_of_range(head: HeadConfig, column: str) -> str:
    if isinstance(head, MultiClassHeadConfig):
        return (
            f"class ids go from 0 to {head.n_classes - 1}, as n_classes is {head.n_classes}; ids"
            " that begin with 1 must be stored less 1"
        )
    if isinstance(head, MultiLabelHeadConfig):
        return (
            "a list of the form multi_hot has a 0 or 1 for each class; lists of class ids are"
            f" label: {{column: {yaml_word(column)}, form: ids}}"
        )
    if isinstance(head, BinaryFields):
        return (
            "a label is 0 or 1, or a share between; store -1 and 1, or 1 and 2, as 0 and 1. More"
            " than two classes are for type: multi_class, other numbers for type: regression"
        )
    return "a label of logistic_regression is a share from 0 to 1; others are for type: regression"


def _not_a_class_id(head: HeadConfig, column: str) -> str:
    last = getattr(head, "n_classes", 2) - 1
    if isinstance(head, MultiLabelHeadConfig):
        form = f"label: {{column: {yaml_word(column)}, form: multi_hot}}"
        return f"class ids are 0 to {last}; lists with a 0 or 1 for each class are {form}"
    return (
        f"class ids are whole numbers from 0 to {last}; a number with a fraction as label is for"
        " type: regression, a share for type: binary"
    )


def _not_in_vocabulary(head: HeadConfig, seen: Seen) -> str:
    words = getattr(head.label, "vocabulary", None) or ()
    shown = yaml_list(words[:_MOST_WORDS])
    if len(words) > _MOST_WORDS:
        shown = f"{shown[:-1]}, ...]"
    pairs = [(word, nearest(word, words)) for word in seen.words]
    near = [f"{quote(word)} is near {quote(meant)}" for word, meant in pairs if meant]
    hint = f"; {first_names(near, 5)}" if near else ""
    return f"the vocabulary is {shown}, and small and capital letters differ{hint}"


def _negative(head: HeadConfig, column: str) -> str:
    if column == head.weight:
        return "a weight is 0 or more: give the row a weight of 0, or none of the head"
    if column == head.label.column:
        return "a poisson head has counts as labels; other numbers are for type: regression"
    return (
        "a poisson head predicts a positive number; if the column holds its logarithm, write"
        f" logits: {yaml_word(column)}"
    )


def _above_upper(head: HeadConfig, column: str) -> str:
    assert isinstance(head, RegressionFields)
    for model in (head, head.baseline):
        if model is not None and model.interval is not None and model.interval[0] == column:
            lower, upper = map(yaml_word, model.interval)
            return f"if the ends are interchanged, write lower: {upper} and upper: {lower}"
    return ""


def _index(head: HeadConfig, column: str) -> int | None:
    """Returns the `index` of the scores that a head reads from a column; None for none."""
    for model in (head, head.baseline):
        if model is not None and model.source.column == column:
            index: int | None = getattr(model.source, "index", None)
            return index
    return None


def _score_key(head: HeadConfig, column: str) -> str | None:
    """Returns the key of the configuration that names a column of scores; None for others."""
    for model in (head, head.baseline):
        if model is not None and model.source.column == column:
            names = ("logits", "probability", "prediction")
            return next(name for name in names if getattr(model, name, None) is not None)
    return None
