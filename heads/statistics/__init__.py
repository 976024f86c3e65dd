"""What is counted, and how counts of parts become the count of the whole."""

from heads.statistics.base import STATISTICS, Elements, Statistic
from heads.statistics.confusion import ClassFlips, ClassOutcomes, ConfusionMatrix, Flips
from heads.statistics.score_histogram import ScoreHistogram
from heads.statistics.scored import OVERALL, Condition, Key, Scored, Segments
from heads.statistics.state import State, merge, same
from heads.statistics.sums import RowSums
from heads.statistics.threshold_counts import ThresholdCounts

__all__ = [
    "OVERALL",
    "STATISTICS",
    "ClassFlips",
    "ClassOutcomes",
    "Condition",
    "ConfusionMatrix",
    "Elements",
    "Flips",
    "Key",
    "RowSums",
    "Scored",
    "ScoreHistogram",
    "Segments",
    "State",
    "Statistic",
    "ThresholdCounts",
    "merge",
    "same",
]
