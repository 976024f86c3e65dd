"""A metric of how far apart the scores of positive and of zero labels are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.curve_rates import rates, where_defined
from heads.metrics.core.metric import Floats, Metric
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve


class KolmogorovSmirnov(CurveMetric):
    """The largest distance of recall and false positive rate at one threshold, `max |R - FPR|`.

    It is the two-sample statistic of the scores of positive and of zero labels. Without weights it
    equals that of scipy's `ks_2samp`.
    """

    higher_is_better = True
    low, high = 0.0, 1.0

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        curve_rates = rates(curve)
        positive, negative = curve.positives, curve.negatives
        distance = np.abs(curve_rates.recall - curve_rates.false_positive_rate)
        largest = distance.max(axis=1, initial=0.0)
        reasons = {"no label is positive": positive == 0, "no label is zero": negative == 0}
        return where_defined(largest, reasons)


@offers("binary", "contrib_binary", kind="report")
def kolmogorov_smirnov(context: MetricContext) -> Iterator[Metric]:
    yield KolmogorovSmirnov("kolmogorov_smirnov", context.score_histogram, context.coarse_histogram)
