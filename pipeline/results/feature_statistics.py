"""Distributions of the columns of one head in a slice."""

from __future__ import annotations

from dataclasses import dataclass

from heads.statistics import Key


@dataclass(frozen=True)
class Buckets:
    """A histogram.

    Attributes:
        edges: `[b + 1]`, ascending; a bucket holds its lower edge, the last one both.
        rows: `[b]`, values in each.
        weights: `[b]`, their weights; None without weights.
    """

    edges: tuple[float, ...]
    rows: tuple[int, ...]
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class NumericFeature:
    """A column of numbers; what is None is not known, and left out.

    Attributes:
        path: the column, and where in its lists the value is if only one is meant.
        whole: whether the numbers are integers.
        rows: rows, all of which have a value.
        per_row: values a row.
        mean: the mean of the values.
        std_dev: their standard deviation, of all values and not of a sample.
        low: the lowest value.
        high: the highest value.
        zeros: values that are 0.
        buckets: their histogram.
        weight: the sum of the weights of the rows; None without weights.
        weighted_mean: the mean with weights.
        weighted_std_dev: the standard deviation with weights.
        rounding: how far values were rounded for all of these but an exact mean, as a share of
            them; None where they were not.
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
    """A column of words.

    Attributes:
        path: the column.
        rows: rows, all of which have a value.
        per_row: words a row; None if that is not known.
        counts: rows by word; None if they are not known.
        weight: the sum of the weights of the rows; None without weights.
        weights: weights by word; None without weights.
    """

    path: tuple[str, ...]
    rows: int
    per_row: int | None = 1
    counts: tuple[tuple[str, int], ...] | None = None
    weight: float | None = None
    weights: tuple[tuple[str, float], ...] | None = None


@dataclass(frozen=True)
class SliceStatistics:
    """The columns of one head in one slice.

    Attributes:
        head: name of the head.
        key: the slice.
        rows: rows that the head scored.
        weight: the sum of their weights; None without weights.
        features: the columns.
    """

    head: str
    key: Key
    rows: int
    weight: float | None
    features: tuple[NumericFeature | TextFeature, ...]
