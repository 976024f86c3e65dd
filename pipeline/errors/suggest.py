"""Finds the valid name that is nearest to a mistyped name, for "did you mean ...?"."""

from collections.abc import Iterable
from difflib import get_close_matches

# For two names of equal length: two thirds of their letters agree, in order.
_MIN_RATIO = 0.66
_MIN_BEGINNING = 3
# The time of a comparison grows with the number of names and with the square of their length.
_MOST_NAMES, _LONGEST_NAME = 2000, 200


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Returns the valid name that `name` was most likely meant to be, or None.

    `difflib` compares the names, without regard to case and with `-` read as `_`. If no name is
    near, a name counts that begins with `name`, or that `name` begins with, if the beginning has at
    least three letters. Of more than 2,000 names, only these count, and of longer names than 200
    letters none. The order of `names` does not matter.

    >>> nearest("treshold", ["label", "logits", "thresholds"])
    'thresholds'
    >>> nearest("Multi-Class", ["binary", "multi_class"])
    'multi_class'
    >>> nearest("prob", ["label", "probability"])
    'probability'
    >>> nearest("colour", ["label", "logits"]) is None
    True
    """
    return next(iter(nearest_names(name, names, 1)), None)


def nearest_names(name: str, names: Iterable[str], most: int) -> list[str]:
    """Returns the valid names that `name` may have been meant to be, as `nearest` finds them.

    Args:
        name: the mistyped name.
        names: the valid names.
        most: how many are returned at most; the nearest come first.
    """
    if len(name) > _LONGEST_NAME:
        return []
    target = _normalize(name)
    short = (candidate for candidate in names if len(candidate) <= _LONGEST_NAME)
    normalized = {_normalize(candidate): candidate for candidate in sorted(short, reverse=True)}
    if target in normalized:
        return [normalized[target]]
    few = len(normalized) <= _MOST_NAMES
    if few and (near := get_close_matches(target, normalized, n=most, cutoff=_MIN_RATIO)):
        return [normalized[word] for word in near]
    beginnings = [
        candidate
        for candidate in normalized
        if min(len(target), len(candidate)) >= _MIN_BEGINNING
        and (candidate.startswith(target) or target.startswith(candidate))
    ]
    return [normalized[word] for word in sorted(beginnings)[:most]]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Returns the end of an error message, `"; did you mean 'x'?"`, or "" if no name is near."""
    near = nearest(name, names)
    return "" if near is None else f"; did you mean {near!r}?"


def _normalize(name: str) -> str:
    return name.casefold().replace("-", "_")
