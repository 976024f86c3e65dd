"""Functions that measure batches: they turn a statistic and batches into a state."""

from __future__ import annotations

from heads.statistics.accumulator import Accumulator, HistogramAccumulator
from heads.statistics.distinct_accumulator import DistinctAccumulator
from heads.statistics.distinct_scores import DistinctScores
from heads.statistics.score_histogram import ScoreHistogram
from heads.statistics.scored import Scored
from heads.statistics.segments import Segments
from heads.statistics.state import State
from heads.statistics.statistic import Statistic


def make_accumulator(statistic: Statistic) -> Accumulator:
    """Makes the accumulator that adds batches to the sums of a statistic."""
    if isinstance(statistic, DistinctScores):
        return DistinctAccumulator(statistic)
    if isinstance(statistic, ScoreHistogram):
        return HistogramAccumulator(statistic)
    return Accumulator(statistic)


def measure_state(statistic: Statistic, scored: Scored, segments: Segments) -> State:
    """Measures a batch and returns the state of its rows.

    Args:
        statistic: what to count.
        scored: the batch, of any number of rows.
        segments: the segment of each row.
    """
    accumulator = make_accumulator(statistic)
    accumulator.add(scored, segments)
    return accumulator.freeze()
