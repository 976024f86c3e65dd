"""The nearest valid name, for "did you mean ...?"."""

from collections.abc import Iterable
from difflib import get_close_matches

# Two thirds of the letters of two names of one length agree, in order.
_LEAST_RATIO = 0.66
_LEAST_BEGINNING = 3


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `name` was most likely meant to be, or `None`.

    Names are compared by `difflib` without regard to case and with `-` read as `_`. Where none is
    near, a name that begins with `name`, or that `name` begins with, will do from three letters on.
    The order of `names` changes nothing.

    >>> nearest("treshold", ["label", "logits", "thresholds"])
    'thresholds'
    >>> nearest("Multi-Class", ["binary", "multi_class"])
    'multi_class'
    >>> nearest("prob", ["label", "probability"])
    'probability'
    >>> nearest("colour", ["label", "logits"]) is None
    True
    """
    target = _fold(name)
    folded = {_fold(candidate): candidate for candidate in sorted(names, reverse=True)}
    near = get_close_matches(target, folded, n=1, cutoff=_LEAST_RATIO)
    if near:
        return folded[near[0]]
    beginnings = [
        other
        for other in folded
        if min(len(target), len(other)) >= _LEAST_BEGINNING
        and (other.startswith(target) or target.startswith(other))
    ]
    return folded[min(beginnings)] if beginnings else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the end of an error, `"; did you mean 'x'?"`, or nothing where no name is near."""
    near = nearest(name, names)
    return "" if near is None else f"; did you mean {near!r}?"


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")
