"""Rates of all pairs of a row and a class together, which are micro averages over classes."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.accuracy_precision_recall import RATES
from heads.metrics.confusion_ratios import RATIOS
from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import cuts_and_suffixes
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import offers
from heads.statistics import Statistic
from heads.statistics.cuts import ScoreSpace

OF_PAIRS = ("f1", "matthews_correlation", "specificity", "threat_score")
"""The names of the ratios that are computed from pairs, beside accuracy, precision and recall."""


@offers("multi_label", kind="report")
def rates_of_pairs(context: MetricContext) -> Iterator[Metric]:
    """Offers the rates that the estimator does not have."""
    counts = context.threshold_counts
    for name, rate in RATES.items():
        yield rate(name, counts, context.space.class_one())
    for cut, suffix in cuts_and_suffixes(context):
        yield from _ratios(counts, cut, suffix)


@offers("multi_class", kind="report")
def one_against_the_rest(context: MetricContext) -> Iterator[Metric]:
    """Offers rates of exclusive classes, any of which is predicted that is above a threshold."""
    counts, space = context.pair_counts, ScoreSpace("probabilities")
    for threshold in context.all_thresholds:
        cut, suffix = threshold.above(space), f"/{threshold.name}"
        for name, rate in RATES.items():
            yield rate(f"{name}{suffix}", counts, cut)
        yield from _ratios(counts, cut, suffix)


def _ratios(counts: Statistic, cut: float, suffix: str) -> Iterator[Metric]:
    for name in OF_PAIRS:
        kind, ratio = RATIOS[name]
        yield kind(f"{name}{suffix}", counts, cut, ratio=ratio)
