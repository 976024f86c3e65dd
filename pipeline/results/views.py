"""The states of some slices in a form that metrics can be read from, and reading the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from heads.metrics.core.metric import Metric
from heads.statistics import OVERALL, Key, State, Statistic
from pipeline.evaluation.head_plan import HeadPlan, ModelStatistic
from pipeline.results.readings import Mask, Readings, read_metric
from pipeline.results.state_views import StateViews
from pipeline.slicing.table import SliceTable


@dataclass(frozen=True, eq=False)
class SliceViews:
    """The views of the merged states of some slices, from which metrics are read.

    Attributes:
        largest: bool `[s]`, whether each slice is among the largest of the run.
        states: the views of each state, by the model and the statistic of the state.
    """

    largest: Mask
    states: Mapping[ModelStatistic, StateViews]

    # Metrics share their statistics, whose hash takes long if they have thousands of cuts.
    _found: dict[tuple[int, int], tuple[Statistic, StateViews | None, bool]] = field(
        default_factory=dict, repr=False
    )

    def of(self, number: int, statistic: Statistic | None) -> StateViews | None:
        """Returns the views of a statistic of a model; None if there are none.

        Args:
            number: the position of the model.
            statistic: the statistic, or None.
        """
        return None if statistic is None else self._find(number, statistic)[1]

    def has_all(self, number: int, statistic: Statistic | None) -> bool:
        """Returns whether a statistic of a model has every slice that it is measured in.

        Args:
            number: the position of the model.
            statistic: the statistic, or None, which lacks nothing.
        """
        return statistic is None or self._find(number, statistic)[2]

    def _find(self, number: int, statistic: Statistic) -> tuple[Statistic, StateViews | None, bool]:
        """Returns a statistic, its views, and whether they have every slice that they must have."""
        key = number, id(statistic)
        if key not in self._found:
            views = self.states.get(ModelStatistic(number, statistic))
            # The statistic is kept, so that no other gets its identity.
            self._found[key] = statistic, views, self._has_all(statistic, views)
        return self._found[key]

    def _has_all(self, statistic: Statistic, views: StateViews | None) -> bool:
        covered = np.ones(len(self.largest), bool)
        if statistic.coverage in ("largest_only", "small_only"):
            covered = self.largest == (statistic.coverage == "largest_only")
        return not covered.any() or (views is not None and bool(views.has[covered].all()))


def slice_views(
    table: SliceTable, keys: tuple[Key, ...], states: Mapping[ModelStatistic, State]
) -> SliceViews:
    """Returns the views of the merged states of some slices.

    Args:
        table: the slices of the run.
        keys: the keys of the slices to view, `s` in number.
        states: the merged states, by model and statistic.
    """
    largest = np.array([key == OVERALL or key in table.largest for key in keys], bool)
    views = {measured: StateViews(state, keys, largest) for measured, state in states.items()}
    return SliceViews(largest, views)


def read_model(
    head: HeadPlan, number: int, views: SliceViews, *, weighted: bool = True
) -> dict[str, Readings]:
    """Reads all metrics of one model, and returns the readings by the name of the metric.

    Args:
        head: the head.
        number: the position of the model.
        views: the states.
        weighted: whether rows count by their weights; if not, each counts once.
    """
    return {
        name: read_for_model(metric, number, views, weighted=weighted)
        for name, metric in head.models[number].metrics.items()
    }


def read_for_model(
    metric: Metric, number: int, views: SliceViews, *, weighted: bool = True
) -> Readings:
    """Reads a metric from the states of one model.

    Args:
        metric: the metric.
        number: the position of the model.
        views: the states.
        weighted: whether rows count by their weights; if not, each counts once.

    Raises:
        RuntimeError: if states that the metric is read from are missing: they were lost.
    """
    if not can_read(metric, number, views):
        raise RuntimeError(
            f"'{metric.name}' is read from states that have not arrived, though the rows of their"
            " slices were counted: the runner lost states. Nothing was published; run again."
        )
    found = (views.of(number, measured) for measured in metric.measured)
    return read_metric(metric, *found, weighted=weighted)


def can_read(metric: Metric, number: int, views: SliceViews) -> bool:
    """Returns whether all states that a metric of a model is read from are there.

    A run of another release may lack the states of a new metric.
    """
    return all(views.has_all(number, measured) for measured in metric.measured)
