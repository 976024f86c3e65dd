"""How numbers are written in the names of metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def short_names(numbers: Sequence[float]) -> tuple[str, ...]:
    """Returns numbers in at most six digits, as the estimator writes them: `%g`."""
    return tuple(f"{number:g}" for number in numbers)


def distinct_names(numbers: Sequence[float]) -> tuple[str, ...]:
    """Returns numbers in at most six digits, and in all digits those that would be alike.

    >>> distinct_names([0.5, 0.9999999, 0.99999995])
    ('0.5', '0.9999999', '0.99999995')
    """
    names = short_names(numbers)
    times = Counter(names)
    return tuple(
        name if times[name] == 1 else repr(number)
        for name, number in zip(names, numbers, strict=True)
    )
