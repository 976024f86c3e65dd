"""The contract of a metric: a pure function of a merged state."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from heads.statistics import State, Statistic

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BinomialCounts:
    """What a proportion is a share of, in every segment `[s]`, for the binomial interval.

    Attributes:
        rows: the rows.
        weight: their weights added up; None without weights.
        weight_squared: their squared weights added up; None without weights.
    """

    rows: Floats
    weight: Floats | None = None
    weight_squared: Floats | None = None


@dataclass(frozen=True, eq=False)
class Values:
    """A metric in every segment of a state.

    Attributes:
        value: float64 `[s]`, with the estimator's convention (mostly 0.0) where undefined.
        reasons: why the value is undefined, by text, and in which segments: bool `[s]`.
        trials: for a proportion, what it is a share of.
    """

    value: Floats
    reasons: Mapping[str, npt.NDArray[np.bool_]]
    trials: BinomialCounts | None = None

    def reason(self, segment: int) -> str | None:
        """Why the metric is undefined in a segment; None where it is defined."""
        for text, where in self.reasons.items():
            if where[segment]:
                return text
        return None


@dataclass(frozen=True)
class Metric(ABC):
    """A scalar computed from one state.

    Attributes:
        name: the key in the estimator's results and in the report.
        statistic: what it reads.
        higher_is_better: the good direction; None where there is none.
        low: the lowest value it can have.
        high: the highest.
        total: whether it is a sum over rows, which grows with them.
        headline: whether it is one to look at first; the estimator's always are.
    """

    name: str
    statistic: Statistic

    higher_is_better: ClassVar[bool | None] = None
    low: ClassVar[float] = -math.inf
    high: ClassVar[float] = math.inf
    total: ClassVar[bool] = False
    headline: ClassVar[bool] = False

    @property
    def definition(self) -> str:
        """What it is: the first paragraph of the docstring of its class."""
        return " ".join((inspect.getdoc(type(self)) or "").partition("\n\n")[0].split())

    @property
    def coarse(self) -> Statistic | None:
        """What it reads in small slices, and for its standard error; None if just `statistic`."""
        return None

    @property
    def comparable(self) -> bool:
        """Whether the difference of two models says something."""
        return True

    @abstractmethod
    def compute(self, state: State) -> Values:
        """The metric in every segment `[s]` of a state, all folds of it together.

        The statistic of the state is `statistic` or `coarse`, but without folds, and without
        weights where the metric of rows that are not weighted is wanted.
        """


def mass(state: State, groups: int, cells: int = 1) -> Floats:
    """What each cell weighs, float64 `[s, groups, cells]`: its weights, or its rows without."""
    return state.dense("weight" if "weight" in state.sums else "rows", groups, cells)


def total_mass(state: State) -> Floats:
    """What each segment weighs `[s]`: its weights, or its rows without; rounded once."""
    return state.by_segment("weight" if "weight" in state.sums else "rows")


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, and 0 where the denominator is 0: the estimator's `div_no_nan`."""
    out = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def ratio(
    numerator: Floats, denominator: Floats, reason: str, trials: BinomialCounts | None = None
) -> Values:
    """A quotient that is 0, and undefined for the reason given, where the denominator is 0."""
    return Values(divide(numerator, denominator), {reason: denominator == 0}, trials)
