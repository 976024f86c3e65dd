"""Spiegelhalter's test of calibration, and what it tests as a mean over rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import Method, NoInterval
from heads.metrics.core.metric import Metric, Values, divide
from heads.metrics.core.registry import offers
from heads.metrics.weighted_means import WeightedMean
from heads.statistics import State

A_TEST = "a test of independent rows has no interval"


class ExcessBrierScore(WeightedMean):
    """The weighted mean of (y - p) (1 - 2p): the Brier score less what it is expected to be.

    If the probabilities are right, the expectation of (p - y)^2 is p (1 - p), and this mean is 0 on
    average. Above 0 they are too sure, below 0 not sure enough.
    """

    low, high = -1.0, 1.0

    @property
    def definition(self) -> str:
        return (
            "The weighted mean of (y - p) (1 - 2p), which is the Brier score less what it would be"
            " on average if the probabilities were right; above 0 they are too sure."
        )


class SpiegelhalterZ(Metric):
    """Sum of (y - p) (1 - 2p) over the root of the sum of (1 - 2p)^2 p (1 - p).

    If the probabilities are right it is a standard normal: beyond 1.96 on either side in 5 % of
    samples (D. J. Spiegelhalter, "Probabilistic prediction in patient management and clinical
    trials", 1986). It takes each row for one: with weights, or rows that depend on each other, the
    interval of `excess_brier_score` tells what this test cannot.
    """

    @property
    def definition(self) -> str:
        return (
            "Sum of (y - p) (1 - 2p) over the root of the sum of (1 - 2p)^2 p (1 - p); beyond 1.96"
            " on either side in 5 % of samples of independent rows whose probabilities are right."
        )

    @property
    def method(self) -> Method:
        return NoInterval(A_TEST)

    @property
    def comparable(self) -> bool:
        return False

    def compute(self, state: State) -> Values:
        excess, variance = (
            state.by_segment(name) for name in ("excess_brier", "excess_brier_variance")
        )
        weighted = np.full(len(state.keys), "weight" in state.sums)
        reasons = {
            "the rows have weights": weighted,
            "every probability is 0, 1/2 or 1": variance == 0,
        }
        value = divide(excess, np.sqrt(variance))
        return Values(np.where(weighted, 0.0, value), reasons)


@offers("binary", "contrib_binary", kind="report")
def spiegelhalter(context: MetricContext) -> Iterator[Metric]:
    yield ExcessBrierScore("excess_brier_score", context.excess_sums, "excess_brier")
    yield SpiegelhalterZ("spiegelhalter_z", context.excess_sums)
