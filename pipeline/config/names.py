"""The nearest valid name, for "did you mean ...?"."""

from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `name` was most likely meant to be, or `None`.

    Distance is the optimal string alignment distance (insert, delete, replace, swap neighbours)
    without regard to case and with `-` read as `_`; at most a third of the longer name may differ.
    Where nothing is that near, a name that begins with `name`, or that `name` begins with, will do
    from three letters on. Ties go to the first in alphabetical order.

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
    by_distance: list[tuple[int, str]] = []
    by_beginning: list[str] = []
    for candidate in names:
        folded = _fold(candidate)
        limit = max(len(target), len(folded)) // 3
        distance = _distance(target, folded, limit)
        if distance <= limit:
            by_distance.append((distance, candidate))
        shorter = min(target, folded, key=len)
        if len(shorter) >= 3 and target.startswith(shorter) and folded.startswith(shorter):
            by_beginning.append(candidate)
    if by_distance:
        return min(by_distance)[1]
    return min(by_beginning, default=None)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the end of an error, `"; did you mean 'x'?"`, or nothing where no name is near."""
    near = nearest(name, names)
    return "" if near is None else f"; did you mean {near!r}?"


def _fold(name: str) -> str:
    return name.casefold().replace("-", "_")


def _distance(a: str, b: str, limit: int) -> int:
    """Return the optimal string alignment distance, or `limit + 1` as soon as it must be more."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before, last = last, row
    return last[-1]
