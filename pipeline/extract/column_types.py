"""Refuses columns of a type that a head cannot read, and says what to do, as YAML if that helps."""

from __future__ import annotations

import pyarrow as pa

from pipeline.config.heads import BinaryFields, HeadConfig, MultiClassHeadConfig
from pipeline.config.regression import RegressionFields
from pipeline.errors.faults import ColumnError
from pipeline.errors.yaml_words import yaml_word
from pipeline.readers.arrow_types import is_list, is_number, is_text

AnyHead = HeadConfig | RegressionFields


def need_numbers(head: AnyHead, column: str, type_: pa.DataType, verb: str = "is") -> None:
    """Checks that values of a type are numbers.

    Args:
        head: the configuration of the head that reads the column.
        column: the name of the column.
        type_: the type of its values; null is a number that is missing.
        verb: `is`, or `holds` for the values of lists.

    Raises:
        ColumnError: if they are not.
    """
    if not is_number(type_) and not pa.types.is_null(type_):
        what = f"column '{column}' {verb} {type_}, and numbers are needed"
        raise ColumnError(f"{what}; {_instead_of_numbers(head, column, type_)}")


def need_words(head: AnyHead, column: str, type_: pa.DataType, verb: str = "is") -> None:
    """Checks that the values of a column with a vocabulary are words; arguments as above.

    Raises:
        ColumnError: if they are not.
    """
    if not is_text(type_) and not pa.types.is_null(type_):
        what = f"column '{column}' {verb} {type_}, and its vocabulary is of words"
        raise ColumnError(f"{what}; {_instead_of_words(head, column)}")


def need_lists(head: AnyHead, column: str, type_: pa.DataType) -> None:
    """Checks that a column is one of lists; arguments as above.

    Raises:
        ColumnError: if it is not.
    """
    if not is_list(type_):
        what = f"column '{column}' is {type_}, and lists are needed"
        raise ColumnError(f"{what}; {_instead_of_lists(head, column)}")


def _instead_of_numbers(head: AnyHead, column: str, type_: pa.DataType) -> str:
    if is_text(type_) and column == head.label.column and not isinstance(head, RegressionFields):
        return f"if it holds words, write label: {{column: {yaml_word(column)}, {_words(head)}"
    if is_text(type_):
        return "store it as numbers, as text is not converted"
    if pa.types.is_struct(type_):
        return "store the field that you mean as a column of its own"
    if is_list(type_):
        return "store one list of numbers a row, and no lists in lists"
    if pa.types.is_temporal(type_):
        return "dates and times are for slices; store what is meant as a number"
    return "store it as integers or floats"


def _words(head: HeadConfig) -> str:
    """Returns the end of a label of words, and what to put in it."""
    if isinstance(head, BinaryFields):
        return "vocabulary: [NEGATIVE, POSITIVE]} with the two words of the column"
    form = "" if isinstance(head, MultiClassHeadConfig) else "form: names, "
    return f"{form}vocabulary: [CLASS_0, CLASS_1, ...]}} with a word for each class"


def _instead_of_lists(head: AnyHead, column: str) -> str:
    classes = getattr(head, "n_classes", None)
    if classes is None:
        return (
            f"'index' is for a column of lists; for one of numbers write {yaml_word(column)} alone"
        )
    if column == head.label.column:
        return "store the labels of a row as one list, or use a head of type multi_class"
    return f"store the scores of a row, one for each of the {classes} classes, as one list"


def _instead_of_words(head: AnyHead, column: str) -> str:
    name = yaml_word(column)
    if isinstance(head, BinaryFields):
        return f"numbers, true and false need none: write label: {name}"
    if isinstance(head, MultiClassHeadConfig):
        short = f"label: {name}"
    else:
        short = f"label: {{column: {name}, form: ids}}"
    return f"class ids need none: write {short}, and the names of the classes as class_names"
