"""The states of some slices, ready to be read, and the metrics read of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heads.metrics.core.metric import Metric
from heads.statistics import OVERALL, Key, State
from pipeline.evaluation.head_plan import HeadPlan, ModelStatistic
from pipeline.results.readings import Readings, StateViews, read_metric
from pipeline.slicing.table import SliceTable

Views = Mapping[ModelStatistic, StateViews]


def slice_views(
    head: HeadPlan, table: SliceTable, keys: tuple[Key, ...], states: Mapping[int, State]
) -> Views:
    """The states of some slices, ready to be read.

    Args:
        head: the head.
        table: the slices.
        keys: which slices.
        states: merged states that hold them, by position in what is measured.
    """
    largest = np.array([key == OVERALL or key in table.largest for key in keys], bool)
    return {
        head.measured[number]: StateViews(state, keys, largest)
        for number, state in sorted(states.items())
    }


def read_model(
    head: HeadPlan, number: int, views: Views, *, weighted: bool = True
) -> dict[str, Readings]:
    """The metrics of one model, by name."""
    return {
        name: read_for_model(metric, number, views, weighted=weighted)
        for name, metric in head.models[number].metrics.items()
    }


def read_for_model(metric: Metric, number: int, views: Views, *, weighted: bool = True) -> Readings:
    """Reads a metric of the states of one model, by its number."""
    coarse = None if metric.coarse is None else views.get(ModelStatistic(number, metric.coarse))
    fine = views.get(ModelStatistic(number, metric.statistic))
    return read_metric(metric, fine, coarse, weighted=weighted)
