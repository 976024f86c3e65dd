"""The contract of a metric, which is a pure function of a merged state."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from heads.metrics.core.methods import Jackknife, Method, Requirement
from heads.metrics.core.support import EveryRow, Support
from heads.statistics import State, Statistic

Floats = npt.NDArray[np.float64]
Bounds = tuple[Floats, Floats]
"""The lowest and the highest value that a metric may have in each segment, both `[s]`."""

OF_PAIRS, OF_PRECISION = 0.5, 1.0
"""The `area_factor` of areas under the ROC curve, and under the precision by recall."""


class Measured(NamedTuple):
    """The statistics that are read for a metric.

    Attributes:
        fine: that of the metric.
        coarse: the coarser one that is read in small slices and for errors, or None.
        counted: that of its support; None without folds.
        distinct: the one that is read instead of the others in slices that it has not closed, or
            None.
    """

    fine: Statistic
    coarse: Statistic | None
    counted: Statistic | None
    distinct: Statistic | None


@dataclass(frozen=True, eq=False)
class BinomialCounts:
    """The counts that a proportion is a share of, by segment `[s]`, for the binomial interval.

    Attributes:
        rows: the number of rows.
        weight: the sum of the weights of the rows; None without weights.
        weight_squared: the sum of the squared weights of the rows; None without weights.
    """

    rows: Floats
    weight: Floats | None = None
    weight_squared: Floats | None = None


@dataclass(frozen=True, eq=False)
class Values:
    """The values of a metric in every segment of a state.

    Attributes:
        value: float64 `[s]`; where the metric is undefined it holds the value that the estimator
            has there, mostly 0.0.
        reasons: for each text of a reason, in which segments the metric is undefined for it: bool
            `[s]`.
        trials: the counts that a proportion is a share of; None for other metrics.
    """

    value: Floats
    reasons: Mapping[str, npt.NDArray[np.bool_]]
    trials: BinomialCounts | None = None

    def reason(self, segment: int) -> str | None:
        """Returns why the metric is undefined in a segment; None where it is defined."""
        for text, where in self.reasons.items():
            if where[segment]:
                return text
        return None


@dataclass(frozen=True)
class Metric(ABC):
    """A scalar that is computed from the state of a statistic.

    Attributes:
        name: the key of the metric in the estimator's results and in the report.
        statistic: the statistic whose states the metric reads.
        higher_is_better: whether a higher value is better; None where no direction is good.
        low: the lowest value that the metric can have.
        high: the highest value that the metric can have.
        total: whether the metric is a sum over rows, which grows with their number and weights. Its
            values are in the unit of the segment (`State.exponents`), on which other metrics do not
            depend.
        headline: whether users should look at the metric first. The estimator's metrics are
            headlines, whatever this says.
        area_factor: for an area under a curve, how often A (1 - A) / m^2 is added to its squared
            error, for an area of A and m labels of the scarcer kind: of few, the error from folds
            is too small. It is 0 for what is no area.
    """

    name: str
    statistic: Statistic

    higher_is_better: ClassVar[bool | None] = None
    low: ClassVar[float] = -math.inf
    high: ClassVar[float] = math.inf
    total: ClassVar[bool] = False
    headline: ClassVar[bool] = False
    area_factor: ClassVar[float] = 0.0

    @property
    def definition(self) -> str:
        """The text that defines the metric: the first paragraph of the docstring of its class."""
        return " ".join((inspect.getdoc(type(self)) or "").partition("\n\n")[0].split())

    @property
    def coarse(self) -> Statistic | None:
        """The statistic that is read in small slices and for the standard error.

        It is None where `statistic` is read there too.
        """
        return None

    @property
    def distinct(self) -> Statistic | None:
        """The statistic that is read instead where it has not closed a slice; None for none."""
        return None

    @property
    def support(self) -> Support:
        """The rows that the metric is an average of: of several parts, the scarcest counts."""
        return EveryRow(self.statistic)

    @property
    def method(self) -> Method:
        """The method by which the metric has intervals."""
        return Jackknife()

    @property
    def requirement(self) -> Requirement | None:
        """How many rows there must be for an interval; None if no count tells."""
        return None

    @property
    def share_of(self) -> Support | None:
        """The rows that the metric is a share of, up to the factor `high`.

        It is None if the metric is no share, or says by its `trials` what it is a share of.
        """
        return None

    @property
    def measured(self) -> Measured:
        """The statistics that are read for the metric.

        Without folds there is no error, and no support is read.
        """
        counted = self.support.statistic
        return Measured(
            self.statistic, self.coarse, counted if counted.folds > 1 else None, self.distinct
        )

    @property
    def comparable(self) -> bool:
        """Whether the difference of the values of two models has a meaning."""
        return True

    def bounds(self, state: State, value: Floats) -> Bounds | None:  # noqa: ARG002
        """Returns the bounds of the values in every segment, where the state has rounded scores.

        They are certain: in whatever way the rows had their scores rounded, the value without
        rounding is between them. Where they are equal, the value is exact. None says that all
        values are.

        Args:
            state: a state as for `compute`.
            value: the values `[s]` that `compute` returned.
        """
        return None

    @abstractmethod
    def compute(self, state: State) -> Values:
        """Returns the values of the metric in every segment of a state.

        Args:
            state: a state of `statistic` or `coarse` over all folds, so that its statistic has no
                folds. It has no weights where the metric without weights is computed.
        """


def weight_column(state: State) -> str:
    """Returns the name of the column to count: "weight", or "rows" where a state has no weights."""
    return "weight" if "weight" in state.sums else "rows"


def mass(state: State, groups: int, cells: int = 1) -> Floats:
    """Returns the weight of each cell, float64 `[s, groups, cells]`; without weights its rows."""
    return state.dense(weight_column(state), groups, cells)


def total_mass(state: State) -> Floats:
    """Returns the weight of each segment `[s]`, rounded once; without weights its rows."""
    return state.by_segment(weight_column(state))


def in_unit(state: State, weight: float) -> Floats:
    """Returns a weight in the unit of each segment, float64 `[s]`."""
    if state.exponents is None:
        return np.full(len(state.keys), weight)
    out: Floats = np.ldexp(weight, -state.exponents)
    return out


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Returns the quotient, and 0 where the denominator is 0, as TensorFlow's `div_no_nan`."""
    out = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def ratio(
    numerator: Floats, denominator: Floats, reason: str, trials: BinomialCounts | None = None
) -> Values:
    """Returns a quotient that is 0, and undefined for `reason`, where the denominator is 0."""
    return Values(divide(numerator, denominator), {reason: denominator == 0}, trials)
