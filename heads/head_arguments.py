"""Checks of the arguments that make a head: what has the wrong type is refused at once."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

from heads.label_words import Vocabulary


def class_count(n_classes: Any) -> int:
    """Returns a number of classes as an int.

    Raises:
        TypeError: if it is no whole number, such as 3.0.
    """
    try:
        return operator.index(n_classes)
    except TypeError:
        raise TypeError(
            f"n_classes must be an int. Given: {n_classes!r} of type {type(n_classes)}."
        ) from None


def items_of(given: Any, name: str, what: str) -> tuple[Any, ...]:
    """Returns the items of a list or another iterable; none for None.

    Args:
        given: the argument.
        name: the name of the argument.
        what: what it must be a list of.

    Raises:
        TypeError: for a single item, for a text and for a mapping.
    """
    if given is None:
        return ()
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"{name} must be a list of {what}. Given: {given!r}. Make it a list.")
    try:
        return tuple(given)
    except TypeError:
        # An array of NumPy that is a single number calls itself iterable.
        raise TypeError(f"{name} must be a list of {what}. Given: {given!r}.") from None


def threshold_items(thresholds: Iterable[float] | None) -> tuple[float, ...]:
    """Returns thresholds as a tuple of floats, in any range.

    Raises:
        TypeError: if they are not a list of numbers.
    """
    items = items_of(thresholds, "thresholds", "numbers in (0, 1)")
    for item in items:
        if not isinstance(item, Real):
            raise TypeError(
                f"thresholds of {type(item)} are not supported. Given: {item!r}. Give numbers in "
                "(0, 1)."
            )
    return tuple(map(float, items))


def check_binary_vocabulary(vocabulary: Vocabulary | None) -> None:
    """Checks that a vocabulary of a binary head is not empty.

    Raises:
        ValueError: if it is empty.
    """
    if vocabulary is not None and not vocabulary:
        raise ValueError(
            "label_vocabulary is empty. List the words for class 0 and 1, or leave it None for "
            "labels that are 0 and 1."
        )
