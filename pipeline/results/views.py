"""The states of some slices, ready to be read, and the metrics read of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from heads.metrics.core.metric import Metric
from heads.statistics import OVERALL, Key, State
from pipeline.evaluation.head_plan import HeadPlan, ModelStatistic
from pipeline.results.readings import Readings, StateViews, has_all_slices, read_metric
from pipeline.slicing.table import SliceTable

Views = Mapping[ModelStatistic, StateViews]


def slice_views(
    table: SliceTable, keys: tuple[Key, ...], states: Mapping[ModelStatistic, State]
) -> Views:
    """The states of some slices, ready to be read.

    Args:
        table: the slices.
        keys: which slices.
        states: merged states that hold them.
    """
    largest = np.array([key == OVERALL or key in table.largest for key in keys], bool)
    return {key: StateViews(state, keys, largest) for key, state in states.items()}


def read_model(
    head: HeadPlan, number: int, views: Views, *, weighted: bool = True
) -> dict[str, Readings]:
    """The metrics of one model, by name."""
    return {
        name: read_for_model(metric, number, views, weighted=weighted)
        for name, metric in head.models[number].metrics.items()
    }


def read_for_model(metric: Metric, number: int, views: Views, *, weighted: bool = True) -> Readings:
    """Reads a metric of the states of one model, by its number.

    Raises:
        RuntimeError: if states that it is read from are not there: they were lost.
    """
    if not can_read(metric, number, views):
        raise RuntimeError(
            f"'{metric.name}' is read from states that have not arrived, though rows of their slices"
            " were counted: the runner lost states. Nothing was published; run again."
        )
    return read_metric(metric, *_views_of(metric, number, views), weighted=weighted)


def can_read(metric: Metric, number: int, views: Views) -> bool:
    """Whether all that a metric of a model is read from is there, for all slices.

    A run of another release may lack states of a metric that is new.
    """
    fine, coarse = _views_of(metric, number, views)
    if metric.coarse is not None and metric.coarse.coverage != "small_only" and coarse is None:
        return False
    return has_all_slices(fine, coarse)


def _views_of(
    metric: Metric, number: int, views: Views
) -> tuple[StateViews | None, StateViews | None]:
    """The views of the statistic of a metric, and of its coarser one."""
    coarse = None if metric.coarse is None else views.get(ModelStatistic(number, metric.coarse))
    return views.get(ModelStatistic(number, metric.statistic)), coarse
