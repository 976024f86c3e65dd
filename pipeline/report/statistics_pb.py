"""Writes the distributions of scores, labels and weights as tensorflow-metadata statistics."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeGuard

from tensorflow_metadata.proto.v0 import statistics_pb2

from heads.statistics import OVERALL, Key
from heads.statistics.keys import key_text
from pipeline.report.protobuf_text import protobuf_text
from pipeline.results.feature_statistics import (
    NumericFeature,
    SliceStatistics,
    TextFeature,
)
from pipeline.results.results import MAX_SLICES
from pipeline.slicing.names import slice_data, slice_name

ALL_EXAMPLES = "All Examples"
"""The name of the dataset of all rows; TFDV looks for this name."""

MOST_VALUES = 100
"""How many words of a label are listed at most: those with the most rows."""

_TOP_VALUES = 20


def statistics_bytes(slices: Sequence[SliceStatistics]) -> bytes:
    """Returns the bytes of a `DatasetFeatureStatisticsList`, the content of `statistics.pb`.

    The list has a dataset for each slice of each head: for overall and the 1,000 slices with the
    most rows. A dataset has the name of its slice, and `All Examples` for overall. If there are
    several heads, the name of the head comes first, because heads may leave out different rows and
    weigh rows differently. Slices whose names would read the same have their key as a name. Sums
    that are not finite are left out, and so are histograms that have any.

    Args:
        slices: the slices of all heads, in any order; every head must have overall among its own.
    """
    several = len({statistics.head for statistics in slices}) > 1
    message = statistics_pb2.DatasetFeatureStatisticsList()
    for head in sorted({statistics.head for statistics in slices}):
        of_head = [statistics for statistics in slices if statistics.head == head]
        of_head.sort(key=lambda slice_: (slice_.key != OVERALL, -slice_.rows, key_text(slice_.key)))
        of_head = of_head[: MAX_SLICES + 1]
        alike = Counter(_name(statistics.key) for statistics in of_head)
        for statistics in of_head:
            key = statistics.key
            name = _name(key)
            name = key_text(key) if alike[name] > 1 and key != OVERALL else name
            title = protobuf_text(f"{head}: {name}" if several else name)
            _fill_dataset(message.datasets.add(name=title), statistics)
    encoded: bytes = message.SerializeToString(deterministic=True)
    return encoded


def _name(key: Key) -> str:
    """Returns the name of a slice for people, which several slices may share."""
    return ALL_EXAMPLES if key == OVERALL else slice_name(slice_data(key))


def _fill_dataset(
    dataset: statistics_pb2.DatasetFeatureStatistics, statistics: SliceStatistics
) -> None:
    """Fills a dataset with the statistics of the columns of one slice."""
    dataset.num_examples = statistics.rows
    if _is_known(statistics.weight):
        dataset.weighted_num_examples = statistics.weight
    for feature in statistics.features:
        out = dataset.features.add()
        out.path.step.extend(map(protobuf_text, feature.path))
        if isinstance(feature, TextFeature):
            out.type = statistics_pb2.FeatureNameStatistics.STRING
            _fill_text(out.string_stats, feature)
        else:
            kinds = statistics_pb2.FeatureNameStatistics
            out.type = kinds.INT if feature.whole else kinds.FLOAT
            _fill_numeric(out.num_stats, feature)
            if feature.rounding:
                out.custom_stats.add(name="value_rounding", num=feature.rounding)


def _fill_common(
    out: statistics_pb2.CommonStatistics, feature: NumericFeature | TextFeature
) -> None:
    """Fills in how many rows have values, and how many values a row has."""
    out.num_non_missing = feature.rows
    per_row = feature.per_row
    if per_row is not None:
        out.min_num_values = out.max_num_values = per_row
        out.avg_num_values = per_row
        out.tot_num_values = feature.rows * per_row
    if _is_known(feature.weight):
        out.weighted_common_stats.num_non_missing = feature.weight
        if per_row is not None and _is_known(feature.weight * per_row):
            out.weighted_common_stats.avg_num_values = per_row
            out.weighted_common_stats.tot_num_values = feature.weight * per_row


def _fill_numeric(out: statistics_pb2.NumericStatistics, feature: NumericFeature) -> None:
    """Fills in the moments, the range and the histograms of a column of numbers."""
    _fill_common(out.common_stats, feature)
    moments_and_range = {
        "mean": feature.mean,
        "std_dev": feature.std_dev,
        "min": feature.low,
        "max": feature.high,
    }
    for name, value in moments_and_range.items():
        if _is_known(value):
            setattr(out, name, value)
    if feature.zeros is not None:
        out.num_zeros = feature.zeros
    buckets = feature.buckets
    if buckets is not None:
        _fill_histogram(out.histograms.add(), buckets.edges, buckets.rows)
    if feature.weight is None:
        return
    weighted = out.weighted_numeric_stats
    if _is_known(feature.weighted_mean):
        weighted.mean = feature.weighted_mean
    if _is_known(feature.weighted_std_dev):
        weighted.std_dev = feature.weighted_std_dev
    if buckets is not None and buckets.weights and all(map(_is_known, buckets.weights)):
        _fill_histogram(weighted.histograms.add(), buckets.edges, buckets.weights)


def _fill_histogram(
    out: statistics_pb2.Histogram, edges: Sequence[float], counts: Sequence[float]
) -> None:
    """Fills a histogram; `edges` has one item more than `counts`."""
    out.type = statistics_pb2.Histogram.STANDARD
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        out.buckets.add(low_value=low, high_value=high, sample_count=count)


def _fill_text(out: statistics_pb2.StringStatistics, feature: TextFeature) -> None:
    """Fills in the words of a column, ranked by rows and by weight."""
    _fill_common(out.common_stats, feature)
    if feature.counts is not None:
        out.unique = sum(1 for _, count in feature.counts if count)
        _fill_ranks(out, feature.counts)
    if feature.weights is not None and all(_is_known(weight) for _, weight in feature.weights):
        _fill_ranks(out.weighted_string_stats, feature.weights)


def _fill_ranks(
    out: statistics_pb2.StringStatistics | statistics_pb2.WeightedStringStatistics,
    counts: Sequence[tuple[str, float]],
) -> None:
    """Fills in the words with the highest counts, highest first, and equal counts by word."""
    ranked = sorted((-count, word) for word, count in counts if count)[:MOST_VALUES]
    for rank, (negative_count, word) in enumerate(ranked):
        label = protobuf_text(word)
        out.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, label=label, sample_count=-negative_count
        )
        if rank < _TOP_VALUES:
            out.top_values.add(value=label, frequency=-negative_count)


def _is_known(value: float | None) -> TypeGuard[float]:
    """Tells whether a value is there and is finite."""
    return value is not None and math.isfinite(value)
