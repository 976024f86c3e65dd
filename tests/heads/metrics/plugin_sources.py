"""Modules of users that offer metrics."""

from __future__ import annotations

GOOD = '''\
"""Metrics of a project."""

import numpy as np

from heads.metrics.core.metric import Metric, Values, ratio, total_mass
from heads.metrics.core.registry import offers


class RootBrier(Metric):
    """The root of the weighted mean of (probability - label) squared."""

    higher_is_better = False
    low, high = 0.0, 1.0
    headline = True

    def compute(self, state):
        squares = ratio(state.by_segment("squared_error"), total_mass(state), "no weight")
        return Values(np.sqrt(squares.value), squares.reasons)


@offers("binary", kind="report")
def root_brier(context):
    yield RootBrier("root_brier", context.threshold_counts)
'''
