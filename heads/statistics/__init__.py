"""Statistics: they say what to count, and their states merge from parts to the whole."""

from heads.statistics.confusion import ClassOutcomes, ConfusionMatrix
from heads.statistics.distinct_scores import DistinctScores
from heads.statistics.flips import ClassFlips, Flips
from heads.statistics.keys import OVERALL, Condition, Key
from heads.statistics.label_sums import LabelSums
from heads.statistics.row_sums import RowSums
from heads.statistics.same import same
from heads.statistics.score_histogram import ScoreHistogram
from heads.statistics.scored import Scored
from heads.statistics.segments import Segments
from heads.statistics.state import State, merge
from heads.statistics.statistic import STATISTICS, Elements, Statistic
from heads.statistics.threshold_counts import ThresholdCounts

__all__ = [
    "OVERALL",
    "STATISTICS",
    "ClassFlips",
    "ClassOutcomes",
    "Condition",
    "ConfusionMatrix",
    "DistinctScores",
    "Elements",
    "Flips",
    "Key",
    "LabelSums",
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
