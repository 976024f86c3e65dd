"""Readings of metrics whose slices are in two states."""

from __future__ import annotations

import numpy as np

from heads.metrics.core.metric import BinomialCounts, Metric, Values
from heads.statistics import OVERALL, Key, Scored, ScoreHistogram, Segments, State
from heads.statistics.measure import measure_state
from pipeline.results.readings import read_metric
from pipeline.results.state_views import StateViews

A: Key = (("g", "string", "a"),)


class Positive(Metric):
    """The share of labels that are positive."""

    def compute(self, state: State) -> Values:
        rows = state.by_segment("rows")
        share = state.by_segment("rows", state.group % 2 == 1) / rows
        return Values(share, {"there are none": rows == 0}, BinomialCounts(rows))


def test_a_share_has_its_rows_in_slices_of_either_state() -> None:
    statistic = ScoreHistogram()
    views = []
    for labels, key in (([1, 0, 0, 1, 1], OVERALL), ([0, 1], A)):
        label = np.array(labels, np.float64)[:, np.newaxis]
        scored = Scored(label, label, label, np.zeros(len(label)), None)
        segments = Segments(np.zeros(len(label), np.int64), [key])
        state = measure_state(statistic, scored, segments)
        views.append(StateViews(state, (OVERALL, A), np.ones(2, bool)))
    share = Positive("share", statistic)
    found = read_metric(share, views[0], views[1], None, None, weighted=True)
    assert found.value.tolist() == [0.6, 0.5]
    assert found.values.trials is not None
    assert found.values.trials.rows.tolist() == [5, 2]
