"""The states of some slices, ready to be read, and the metrics read of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.metric import Metric
from heads.statistics import OVERALL, Key, State, Statistic
from pipeline.evaluation.head_plan import HeadPlan, ModelStatistic
from pipeline.results.readings import Mask, Readings, StateViews, read_metric
from pipeline.slicing.table import SliceTable


@dataclass(frozen=True, eq=False)
class SliceViews:
    """The merged states of some slices.

    Attributes:
        largest: bool `[s]`, which slices are among the largest of the run.
        states: the views of each state by what it is of.
    """

    largest: Mask
    states: Mapping[ModelStatistic, StateViews]

    def of(self, number: int, statistic: Statistic | None) -> StateViews | None:
        """The views of a statistic of a model, by its number; None if there are none."""
        return None if statistic is None else self.states.get(ModelStatistic(number, statistic))

    def has_all(self, number: int, statistic: Statistic | None) -> bool:
        """Whether a statistic of a model has every slice that it is measured in."""
        if statistic is None:
            return True
        wanted = np.ones(len(self.largest), bool)
        if statistic.coverage in ("largest_only", "small_only"):
            wanted = self.largest == (statistic.coverage == "largest_only")
        views = self.of(number, statistic)
        return not wanted.any() or (views is not None and bool((views.place[wanted] >= 0).all()))


def slice_views(
    table: SliceTable, keys: tuple[Key, ...], states: Mapping[ModelStatistic, State]
) -> SliceViews:
    """The states of some slices, ready to be read.

    Args:
        table: the slices.
        keys: which slices.
        states: merged states that hold them.
    """
    largest = np.array([key == OVERALL or key in table.largest for key in keys], bool)
    views = {measured: StateViews(state, keys, largest) for measured, state in states.items()}
    return SliceViews(largest, views)


def read_model(
    head: HeadPlan, number: int, views: SliceViews, *, weighted: bool = True
) -> dict[str, Readings]:
    """The metrics of one model, by name."""
    return {
        name: read_for_model(metric, number, views, weighted=weighted)
        for name, metric in head.models[number].metrics.items()
    }


def read_for_model(
    metric: Metric, number: int, views: SliceViews, *, weighted: bool = True
) -> Readings:
    """Reads a metric of the states of one model, by its number.

    Raises:
        RuntimeError: if states that it is read from are not there: they were lost.
    """
    if not can_read(metric, number, views):
        raise RuntimeError(
            f"'{metric.name}' is read from states that have not arrived, though the rows of their"
            " slices were counted: the runner lost states. Nothing was published; run again."
        )
    fine, coarse = (views.of(number, which) for which in (metric.statistic, metric.coarse))
    return read_metric(metric, fine, coarse, weighted=weighted)


def can_read(metric: Metric, number: int, views: SliceViews) -> bool:
    """Whether all that a metric of a model is read from is there.

    A run of another release may lack states of a metric that is new.
    """
    return all(views.has_all(number, which) for which in (metric.statistic, metric.coarse))
