"""The methods by which metrics have intervals: what a metric says, and `pipeline` computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from heads.metrics.core.support import Support

RateName = Literal["precision", "recall", "false_positive_rate"]


@dataclass(frozen=True)
class Jackknife:
    """The error is that of the values without each fold; right for smooth functions of sums."""


@dataclass(frozen=True)
class Linearised(Jackknife):
    """The error is that of the share of the rows up to a quantile, over their density there."""


@dataclass(frozen=True)
class Halves:
    """The error is that of the values of half-samples: right for figures at points of curves.

    One fold less moves a point by a row or two, a half of the folds by about a standard error.

    Attributes:
        centred: whether the value is the best of many, and hence too good: both halves are read,
            and the interval is around the value less what they say of that.
        distance: whether the value is the largest distance of recall and false positive rate, whose
            interval is another where few rows decide it.
    """

    centred: bool = False
    distance: bool = False


@dataclass(frozen=True)
class ThresholdTest:
    """The ends of a threshold are where tests reject that a rate is as demanded there.

    Attributes:
        rate: the rate that is demanded.
        demand: its value.
    """

    rate: RateName
    demand: float


@dataclass(frozen=True)
class RecallTest:
    """The ends of a recall at a precision are where tests reject the precision.

    Attributes:
        precision: the precision that is demanded.
    """

    precision: float


@dataclass(frozen=True)
class CalibrationTest:
    """The interval is that of a sum of squares of errors in bins of the probability.

    Attributes:
        cuts: the cuts between the bins.
        clustered: whether rows of one key may depend on each other.
    """

    cuts: tuple[float, ...]
    clustered: bool


@dataclass(frozen=True)
class NoInterval:
    """There is no interval that holds.

    Attributes:
        reason: why there is none.
    """

    reason: str


Method = Jackknife | Halves | ThresholdTest | RecallTest | CalibrationTest | NoInterval

BIASED = "by chance it is above 0 even if the model is calibrated"
AT_AN_END = "a single row decides where a rate of 0 or 1 is reached"
FEW = 10
"""The least effective number of labels of each kind for the interval of an area."""
FEW_BEYOND = 5
"""The least effective number of labels that a demand allows on the wrong side of the threshold."""
FEW_FOR_BINS = 50
"""The least effective number of labels of each kind for the interval of errors in bins."""
FEW_FOR_RATIOS = 15
"""The least effective number of rows of each label and prediction for the interval of a ratio."""
FEW_BESIDE_QUANTILE = 10
"""The least effective number of rows on either side of a quantile for its interval."""
FEW_OF_A_SIDE = f"fewer than {FEW_BESIDE_QUANTILE} rows on a side of the quantile"
FEW_FOR_ERRORS = 50
"""The least effective number of rows for the interval of a mean of errors, which may be skewed."""
FEW_ERRORS = f"fewer than {FEW_FOR_ERRORS} rows"
FEW_IN_A_DECILE = 50
"""The least effective number of rows in a tenth for the interval of a mean over it."""
FEW_OF_A_DECILE = f"fewer than {FEW_IN_A_DECILE} rows of a tenth"
FEW_FOR_MEANS = 100
"""The least effective number of labels of each kind for the interval of means by label."""
FEW_OF_A_CLASS_FOR_BINS = f"fewer than {FEW_FOR_BINS} rows of a class"
FEW_OF_A_CLASS_FOR_MEANS = f"fewer than {FEW_FOR_MEANS} rows of a class"
FEW_OF_A_CLASS = f"fewer than {FEW} rows of a class"
FEW_LABELS = f"fewer than {FEW_FOR_RATIOS} rows of a class"
FEW_OF_A_KIND = f"fewer than {FEW_FOR_RATIOS} rows of a label or of a prediction"
FEW_ALLOWED = f"fewer than {FEW_BEYOND} rows with zero labels are allowed above the threshold"
FEW_MISSED = f"fewer than {FEW_BEYOND} rows with positive labels are allowed below the threshold"


@dataclass(frozen=True)
class Requirement:
    """How many rows there must be for an interval, by counts and never by what is estimated.

    Attributes:
        rows: the rows that count; of several parts the scarcest.
        share: the share of their effective number that must be there.
        least: the least number.
        reason: why there is no interval where there are fewer.
    """

    rows: Support
    share: float
    least: float
    reason: str
