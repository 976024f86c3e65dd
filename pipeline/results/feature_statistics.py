"""Describes the distributions of the columns that one head reads, in one slice."""

from __future__ import annotations

from dataclasses import dataclass

from heads.statistics import Key


@dataclass(frozen=True)
class Buckets:
    """A histogram of the values of a column.

    Attributes:
        edges: `[b + 1]`, the edges in ascending order. A bucket includes its lower edge; the last
            bucket includes both of its edges.
        rows: `[b]`, the number of values in each bucket.
        weights: `[b]`, the sum of the weights of these values; None without weights.
    """

    edges: tuple[float, ...]
    rows: tuple[int, ...]
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class NumericFeature:
    """The distribution of a column of numbers; an attribute that is not known is None.

    Attributes:
        path: the name of the column; then, if the head reads a single value of each list, the
            position of that value.
        whole: whether the numbers are integers.
        rows: the number of rows; all of them have a value.
        per_row: the number of values in a row; None if it is not known.
        mean: the mean of the values.
        std_dev: the standard deviation of the values as a whole population, not as a sample.
        low: the lowest value.
        high: the highest value.
        zeros: the number of values that are 0.
        buckets: the histogram of the values.
        weight: the sum of the weights of the rows; None without weights.
        weighted_mean: the weighted mean of the values.
        weighted_std_dev: the weighted standard deviation of the values.
        rounding: how far the values were rounded at most, as a share of them; None if they were
            not. It holds for all other attributes, except for a mean that is exact.
    """

    path: tuple[str, ...]
    whole: bool
    rows: int
    per_row: int | None = 1
    mean: float | None = None
    std_dev: float | None = None
    low: float | None = None
    high: float | None = None
    zeros: int | None = None
    buckets: Buckets | None = None
    weight: float | None = None
    weighted_mean: float | None = None
    weighted_std_dev: float | None = None
    rounding: float | None = None


@dataclass(frozen=True)
class TextFeature:
    """The distribution of a column of words.

    Attributes:
        path: the name of the column.
        rows: the number of rows; all of them have a value.
        per_row: the number of words in a row; None if it is not known.
        counts: pairs of a word and the number of its rows; None if they are not known.
        weight: the sum of the weights of the rows; None without weights.
        weights: pairs of a word and the sum of the weights of its rows; None without weights.
    """

    path: tuple[str, ...]
    rows: int
    per_row: int | None = 1
    counts: tuple[tuple[str, int], ...] | None = None
    weight: float | None = None
    weights: tuple[tuple[str, float], ...] | None = None


@dataclass(frozen=True)
class SliceStatistics:
    """The distributions of the columns of one head in one slice.

    Attributes:
        head: the name of the head.
        key: the key of the slice.
        rows: the number of rows that the head scored.
        weight: the sum of the weights of these rows; None without weights.
        features: the distributions of the columns.
    """

    head: str
    key: Key
    rows: int
    weight: float | None
    features: tuple[NumericFeature | TextFeature, ...]
