"""Running metrics: the values that `metrics` returns and `update_metrics` adds batches to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from heads.inputs import regularization_sum
from heads.metrics.core.metric import Metric
from heads.metrics.weighted_means import WeightedMean
from heads.statistics import OVERALL, RowSums, Scored, Segments, State, Statistic
from heads.statistics.measure import make_accumulator


class Tally:
    """The counts of a statistic over the batches so far; several metrics may read them."""

    def __init__(self, statistic: Statistic) -> None:
        self._accumulator = make_accumulator(statistic)
        self._state: State | None = None

    def add(self, scored: Scored) -> None:
        """Adds a batch."""
        self._accumulator.add(scored, Segments.overall(len(scored)))
        self._state = None

    @property
    def state(self) -> State:
        """The state of all batches; it has the overall segment even without rows."""
        if self._state is None:
            self._state = replace(self._accumulator.freeze(), keys=(OVERALL,))
        return self._state


class RunningMetric:
    """A metric of the batches that `update_metrics` has added so far.

    Sums are exact, so the result does not depend on how a stream is cut into batches.
    """

    def __init__(self, metric: Metric, tally: Tally) -> None:
        self._metric = metric
        self._tally = tally

    @property
    def tally(self) -> Tally:
        """The counts that the metric reads."""
        return self._tally

    def result(self) -> float:
        """Returns the value so far; most undefined values are 0.0, as in tf.estimator."""
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            return float(self._metric.compute(self._tally.state).value[0])


class RegularizationLoss(RunningMetric):
    """The metric of the unweighted mean over batches of the sum of regularization losses."""

    def __init__(self) -> None:
        statistic = RowSums(values=("loss",))
        super().__init__(WeightedMean("regularization_loss", statistic, "loss"), Tally(statistic))

    @staticmethod
    def scored(losses: Any) -> Scored:
        """Returns a scored batch of a single row: the sum of the regularization losses."""
        total = np.array([regularization_sum(losses)])
        nothing = np.zeros((1, 1))
        return Scored(score=nothing, probability=nothing, label=nothing, loss=total)
