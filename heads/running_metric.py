"""Running metrics: the values that `metrics` returns and `update_metrics` adds batches to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from heads.inputs import regularization_sum
from heads.keys import MetricKeys
from heads.metric_updates import is_mean, scored_pairs, scored_values
from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric, total_mass
from heads.metrics.weighted_means import WeightedMean
from heads.results import ResultFloat
from heads.statistics import OVERALL, RowSums, Scored, Segments, State, Statistic, merge
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import make_accumulator


class Tally:
    """The counts of a statistic over the batches so far; several metrics may read them.

    Attributes:
        statistic: the statistic.
        empty: whether no batch was added.
    """

    def __init__(self, statistic: Statistic) -> None:
        self.statistic = statistic
        self._accumulator = make_accumulator(statistic)
        self._state: State | None = None
        self.empty = True

    def add(self, scored: Scored) -> None:
        """Adds a batch; rows without weights have weight 1."""
        if scored.weight is None:
            scored = replace(scored, weight=np.ones(len(scored)))
        self._accumulator.add(scored, Segments.overall(len(scored)))
        self._state = None
        self.empty = False

    @property
    def state(self) -> State:
        """The state of all batches; it has the overall segment even without rows."""
        if self._state is None:
            self._state = replace(self._accumulator.freeze(), keys=(OVERALL,))
        return self._state


class Tallies:
    """The tallies of the metrics that a call of `metrics` returns: one for each statistic.

    A metric that is reset moves on to an empty tally, which others that are reset then share.
    """

    def __init__(self) -> None:
        self._latest: dict[Statistic, Tally] = {}

    def empty(self, statistic: Statistic) -> Tally:
        """Returns a tally without rows, shared by all that ask before it has some."""
        tally = self._latest.get(statistic)
        if tally is None or not tally.empty:
            tally = self._latest[statistic] = Tally(statistic)
        return tally


class RunningMetric:
    """A metric of the batches that `update_metrics` or `update_state` have added so far.

    Sums are exact, so the result does not depend on how a stream is cut into batches.

    Args:
        name: the key of the metric.
        metric: what is computed, from a statistic with weights.
        context: the settings of the head.
        tallies: the tallies that the metrics of the head share.
    """

    def __init__(self, name: str, metric: Metric, context: MetricContext, tallies: Tallies) -> None:
        self._name = name
        self._metric = metric
        self._context = context
        self._tallies = tallies
        self._tally = tallies.empty(metric.statistic)
        # What update_state added, to this metric alone.
        self._added: Tally | None = None

    @property
    def name(self) -> str:
        """The key of the metric in the dict that `metrics` returned."""
        return self._name

    @property
    def tally(self) -> Tally:
        """The counts of the batches that `update_metrics` added."""
        return self._tally

    def result(self) -> ResultFloat:
        """Returns the value so far, a float with `numpy()`.

        Most undefined values are 0.0, as in tf.estimator. After a weight that is NaN or infinite
        the value is NaN.
        """
        state = self._tally.state
        if self._added is not None:
            state = merge([state, self._added.state])
        if not np.isfinite(total_mass(state)[0]):
            return ResultFloat(np.nan)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            return ResultFloat(self._metric.compute(state).value[0])

    def reset_state(self) -> None:
        """Forgets all batches; other metrics keep theirs."""
        self._tally = self._tallies.empty(self._metric.statistic)
        self._added = None

    reset_states = reset_state

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r})"

    def _add(self, scored: Scored) -> None:
        if self._added is None:
            self._added = Tally(self._metric.statistic)
        self._added.add(scored)


class RunningMean(RunningMetric):
    """A running mean of values."""

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values to this metric alone.

        Args:
            values: numbers of any shape: losses, probabilities or labels, by the metric. An
                accuracy baseline takes labels.
            sample_weight: weights that can be broadcast to the values, or None.

        Raises:
            TypeError: if the arguments are not numbers.
            ValueError: if the weights do not fit the values.
        """
        self._add(scored_values(self._context, values, sample_weight))


class RunningComparison(RunningMetric):
    """A running metric of labels and predictions."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds labels and predictions to this metric alone.

        Args:
            y_true: labels as numbers: 0 and 1, or class ids for the accuracy of several classes.
            y_pred: class ids for `accuracy`, else probabilities, in the shape of the labels. The
                metrics of all classes of a multi-label head need `[..., n_classes]`.
            sample_weight: weights that can be broadcast to the labels, one for each example of a
                multi-label head; or None.

        Raises:
            TypeError: if the arguments are not numbers.
            ValueError: if shapes do not fit, or a probability is outside [0, 1].
        """
        self._add(scored_pairs(self._context, self._metric, y_true, y_pred, sample_weight))


class RegularizationLoss(RunningMean):
    """The metric of the unweighted mean over batches of the sum of regularization losses.

    Args:
        name: the key of the metric.
    """

    mean = WeightedMean(
        MetricKeys.LOSS_REGULARIZATION, RowSums(values=("loss",), weighted=True), "loss"
    )

    def __init__(self, name: str = MetricKeys.LOSS_REGULARIZATION) -> None:
        # Not the tallies of a head, which may have a sum of losses of the same statistic.
        context = MetricContext("binary", ("0", "1"), ScoreSpace())
        super().__init__(name, self.mean, context, Tallies())

    @staticmethod
    def scored(losses: Any) -> Scored:
        """Returns a scored batch of a single row: the sum of the regularization losses."""
        nothing = np.zeros((1, 1))
        total = np.array([regularization_sum(losses)])
        return Scored(score=nothing, probability=nothing, label=nothing, loss=total)


def running_metrics(
    metrics: Iterable[Metric], context: MetricContext, key: Callable[[str], str]
) -> dict[str, RunningMetric]:
    """Returns new running metrics by key, which share a tally for each statistic.

    Args:
        metrics: what is computed, from statistics with weights.
        context: the settings of the head, with weights.
        key: the function that returns the key of the name of a metric.
    """
    tallies = Tallies()
    running: dict[str, RunningMetric] = {}
    for metric in metrics:
        kind = RunningMean if is_mean(metric) else RunningComparison
        name = key(metric.name)
        running[name] = kind(name, metric, context, tallies)
    return running
