"""A metric of how far apart the scores of positive and of zero labels are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.curve_rates import highest_rates, rates, where_defined
from heads.metrics.core.methods import Halves, Method
from heads.metrics.core.metric import Bounds, Floats, Metric
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve


class KolmogorovSmirnov(CurveMetric):
    """The largest distance of recall and false positive rate at one threshold, `max |R - FPR|`.

    It is the two-sample statistic of the scores of positive and of zero labels. Without weights it
    equals that of scipy's `ks_2samp`.
    """

    higher_is_better = True
    low, high = 0.0, 1.0

    @property
    def method(self) -> Method:
        return Halves(centred=True, distance=True)

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        curve_rates = rates(curve)
        positive, negative = curve.positives, curve.negatives
        distance = np.abs(curve_rates.recall - curve_rates.false_positive_rate)
        largest = distance.max(axis=1, initial=0.0)
        reasons = {"no label is positive": positive == 0, "no label is zero": negative == 0}
        return where_defined(largest, reasons)

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        known = rates(curve)
        # Within a cell, the distance is largest where the labels of either kind all come first.
        hits_first = highest_rates(curve)
        missed = known.true_positive - np.where(curve.rounded, curve.positive, 0.0)[:, ::-1]
        hits_last = replace(known, true_positive=missed)
        lowest, *hidden = (
            np.abs(curve_rates.recall - curve_rates.false_positive_rate).max(axis=1, initial=0.0)
            for curve_rates in (known, hits_first, hits_last)
        )
        return lowest, np.maximum(lowest, np.maximum(*hidden))


@offers("binary", "contrib_binary", kind="report")
def kolmogorov_smirnov(context: MetricContext) -> Iterator[Metric]:
    fine, coarse, labels = context.score_histogram, context.coarse_histogram, context.label_counts
    yield KolmogorovSmirnov("kolmogorov_smirnov", fine, coarse, labels=labels)
