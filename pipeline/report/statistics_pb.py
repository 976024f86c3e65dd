"""Distributions of scores, labels and weights as tensorflow-metadata statistics."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeGuard

from tensorflow_metadata.proto.v0 import statistics_pb2

from heads.statistics import OVERALL, Key
from heads.statistics.keys import key_text
from pipeline.results.feature_statistics import (
    NumericFeature,
    SliceStatistics,
    TextFeature,
)
from pipeline.results.results import MAX_SLICES
from pipeline.slicing.names import slice_data, slice_name

ALL_EXAMPLES = "All Examples"
"""The name of the dataset of all rows, where TFDV looks for it."""

MOST_VALUES = 100
"""So many words of a label are listed, those of most rows."""

_TOP_VALUES = 20


def statistics_bytes(slices: Sequence[SliceStatistics]) -> bytes:
    """The bytes of a `DatasetFeatureStatisticsList` (`statistics.pb`) of slices in any order.

    There is a dataset for each slice of each head: overall and the 1,000 slices of most rows. It
    has the name of the slice, `All Examples` for overall; the name of the head goes before it where
    there are several heads, which may leave out different rows and weigh them differently. Slices
    that people would read alike have their key for a name. Sums that are not finite are left out.

    Args:
        slices: the slices of all heads; overall must be among those of each.
    """
    several = len({each.head for each in slices}) > 1
    out = statistics_pb2.DatasetFeatureStatisticsList()
    for head in sorted({each.head for each in slices}):
        own = [each for each in slices if each.head == head]
        own.sort(key=lambda each: (each.key != OVERALL, -each.rows, key_text(each.key)))
        own = own[: MAX_SLICES + 1]
        alike = Counter(_name(each.key) for each in own)
        for each in own:
            name = _name(each.key)
            name = key_text(each.key) if alike[name] > 1 and each.key != OVERALL else name
            _add_dataset(out.datasets.add(name=_utf8(f"{head}: {name}" if several else name)), each)
    encoded: bytes = out.SerializeToString(deterministic=True)
    return encoded


def _name(key: Key) -> str:
    return ALL_EXAMPLES if key == OVERALL else slice_name(slice_data(key))


def _add_dataset(dataset: statistics_pb2.DatasetFeatureStatistics, each: SliceStatistics) -> None:
    dataset.num_examples = each.rows
    if _is_known(each.weight):
        dataset.weighted_num_examples = each.weight
    for feature in each.features:
        out = dataset.features.add()
        out.path.step.extend(map(_utf8, feature.path))
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
    out.num_non_missing = feature.rows
    each = feature.per_row
    if each is not None:
        out.min_num_values = out.max_num_values = each
        out.avg_num_values = each
        out.tot_num_values = feature.rows * each
    if _is_known(feature.weight):
        out.weighted_common_stats.num_non_missing = feature.weight
        if each is not None:
            out.weighted_common_stats.avg_num_values = each
            out.weighted_common_stats.tot_num_values = feature.weight * each


def _fill_numeric(out: statistics_pb2.NumericStatistics, feature: NumericFeature) -> None:
    _fill_common(out.common_stats, feature)
    known = {
        "mean": feature.mean,
        "std_dev": feature.std_dev,
        "min": feature.low,
        "max": feature.high,
    }
    for name, value in known.items():
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
    if buckets is not None and buckets.weights is not None:
        _fill_histogram(weighted.histograms.add(), buckets.edges, buckets.weights)


def _fill_histogram(
    out: statistics_pb2.Histogram, edges: Sequence[float], counts: Sequence[float]
) -> None:
    out.type = statistics_pb2.Histogram.STANDARD
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        out.buckets.add(low_value=low, high_value=high, sample_count=count)


def _fill_text(out: statistics_pb2.StringStatistics, feature: TextFeature) -> None:
    _fill_common(out.common_stats, feature)
    if feature.counts is not None:
        out.unique = sum(1 for _, count in feature.counts if count)
        _fill_ranks(out, feature.counts)
    if feature.weights is not None:
        _fill_ranks(out.weighted_string_stats, feature.weights)


def _fill_ranks(
    out: statistics_pb2.StringStatistics | statistics_pb2.WeightedStringStatistics,
    counts: Sequence[tuple[str, float]],
) -> None:
    ranked = sorted((-count, word) for word, count in counts if count)[:MOST_VALUES]
    for rank, (less, word) in enumerate(ranked):
        label = _utf8(word)
        out.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, label=label, sample_count=-less
        )
        if rank < _TOP_VALUES:
            out.top_values.add(value=label, frequency=-less)


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _utf8(text: str) -> str:
    """A text that protobuf takes; the names of columns need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
