"""Figures as people read them: values, intervals, and whether an interval is wide."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Figure = Mapping[str, Any]
"""A metric of a report as plain data: its `value`, and its interval or why there is none."""

ABOUT = "~"
LACKING = "?"
UNDEFINED = "-"

WIDE = 0.1
"""An interval is wide if its ends are further apart than this share of the value."""


def number(value: float) -> str:
    """Returns a number as text, with four decimals unless it is large, tiny or a count.

    >>> number(0.98772), number(-53.29144), number(2000.6), number(0.000123), number(0), number(12)
    ('0.9877', '-53.29', '2,001', '0.00012', '0.0000', '12')
    """
    size = abs(value)
    if size >= 1000 or (size >= 10 and value == int(value)):
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.2f}"
    return f"{value:.4f}" if size >= 0.001 or not value else f"{value:.2g}"


def figure(metric: Figure | None) -> str:
    """Returns the value of a metric as text, `-` where it is undefined or was not measured.

    A value whose bounds differ in the digits shown begins with `~`.
    """
    if metric is None or metric["value"] is None:
        return UNDEFINED
    lowest, highest = metric.get("rounded", (0.0, 0.0))
    about = ABOUT if number(lowest) != number(highest) else ""
    return about + number(metric["value"])


def is_wide(metric: Figure | None) -> bool:
    """Returns whether a metric has an interval that is wide for its value, or open."""
    if metric is None or "lower" not in metric:
        return False
    lower, upper = metric["lower"], metric["upper"]
    if lower is None or upper is None:
        return True
    return bool(upper - lower > WIDE * abs(metric["value"]))


def lacks_interval(metric: Figure | None, whole: Figure | None) -> bool:
    """Returns whether a metric has a value and no interval, though that of overall has one."""
    if metric is None or metric["value"] is None or "lower" in metric:
        return False
    return whole is not None and "lower" in whole


def interval(metric: Figure | None) -> str:
    """Returns the interval of a metric as text, empty where there is none.

    Its ends have as many decimals as its width has digits that matter.

    >>> interval({"lower": 0.1035, "upper": 0.1679}), interval({"lower": -0.5, "upper": 0.25})
    ('0.10-0.17', '-0.50 to 0.25')
    """
    if metric is None or "lower" not in metric:
        return ""
    lower, upper = metric["lower"], metric["upper"]
    if lower is None or upper is None:
        return between(lower, upper, 2)
    least = 2 if max(-lower, upper) < 10 else 0
    decimals = math.ceil(-math.log10((upper - lower) / 5)) if upper > lower else 4
    return between(lower, upper, min(max(decimals, least), 9))


def between(lower: float | None, upper: float | None, decimals: int) -> str:
    """Returns an interval as text; an end that is None is open."""
    if lower is None:
        return "any" if upper is None else f"at most {upper:,.{decimals}f}"
    if upper is None:
        return f"at least {lower:,.{decimals}f}"
    separator = "-" if lower >= 0 else " to "
    return f"{lower:,.{decimals}f}{separator}{upper:,.{decimals}f}"
