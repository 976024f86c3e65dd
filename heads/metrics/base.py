"""The contract of a metric: a pure function of a merged state."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from heads.statistics import (
    ClassSums,
    ConfusionMatrix,
    Hits,
    LossSums,
    ScoreHistogram,
    State,
    Statistic,
    ThresholdCounts,
)
from heads.statistics.cuts import AUC_THRESHOLDS, ScoreSpace

Floats = npt.NDArray[np.float64]
HeadType = Literal["binary", "multi_class", "multi_label", "contrib_binary"]


@dataclass(frozen=True, eq=False)
class Values:
    """A metric in every segment of a state.

    Attributes:
        value: float64 `[s]`, with the estimator's convention (mostly 0.0) where undefined.
        reasons: why the value is undefined, by text, and in which segments: bool `[s]`.
    """

    value: Floats
    reasons: Mapping[str, npt.NDArray[np.bool_]]

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
    """

    name: str
    statistic: Statistic

    @property
    def definition(self) -> str:
        """What it is: the first paragraph of the docstring of its class."""
        return " ".join((inspect.getdoc(type(self)) or "").partition("\n\n")[0].split())

    @abstractmethod
    def compute(self, state: State) -> Values:
        """The metric in every segment `[s]` of a state of its statistic."""


@dataclass(frozen=True)
class Scope:
    """What the metrics of one head depend on.

    Attributes:
        head: type of the head.
        class_names: a name for each class; two for the binary types.
        space: how probabilities relate to the scores that are stored.
        thresholds: the configured thresholds, in order.
        weighted: whether rows carry weights.
        named_classes: classes, by id, that have metrics of their own.
        class_suffixes: what the names of those metrics end with, by id.
    """

    head: HeadType
    class_names: tuple[str, ...]
    space: ScoreSpace
    thresholds: tuple[float, ...] = ()
    weighted: bool = False
    named_classes: tuple[int, ...] = ()
    class_suffixes: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Columns of the score: 1 for the binary types, else the number of classes."""
        return 1 if self.head in ("binary", "contrib_binary") else len(self.class_names)

    @cached_property
    def estimator_space(self) -> ScoreSpace:
        """The score space in which float32 decides, as it does in the estimator."""
        return ScoreSpace(self.space.kind, single=True)

    @cached_property
    def auc_cuts(self) -> tuple[float, ...]:
        """The cuts of AUC thresholds 1 to 198; everything is above 0 and nothing above 199."""
        inner = range(1, AUC_THRESHOLDS - 1)
        if self.head == "contrib_binary":
            return tuple(self.estimator_space.above(i / (AUC_THRESHOLDS - 1)) for i in inner)
        return tuple(self.estimator_space.bucket(i) for i in inner)

    @cached_property
    def threshold_counts(self) -> ThresholdCounts:
        cuts = {self.space.class_one(), *self.auc_cuts}
        cuts.update(self.space.above(t) for t in self.thresholds)
        if self.head == "contrib_binary":
            cuts.update(self.space.at_least(t) for t in self.thresholds)
        return ThresholdCounts(
            tuple(sorted(cuts)), self.columns, self.weighted, by_class=bool(self.named_classes)
        )

    @cached_property
    def loss_sums(self) -> LossSums:
        return LossSums(self.weighted)

    @cached_property
    def class_sums(self) -> ClassSums:
        return ClassSums(self.columns, self.weighted)

    @cached_property
    def hits(self) -> Hits:
        return Hits(self.weighted)

    @cached_property
    def confusion_matrix(self) -> ConfusionMatrix:
        return ConfusionMatrix(len(self.class_names), self.weighted)

    @cached_property
    def score_histogram(self) -> ScoreHistogram:
        return ScoreHistogram(self.columns, self.weighted, by_class=bool(self.named_classes))


def mass(state: State, groups: int, cells: int = 1) -> Floats:
    """What each cell weighs, float64 `[s, groups, cells]`: its weights, or its rows without."""
    return state.dense("weight" if "weight" in state.sums else "rows", groups, cells)


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, and 0 where the denominator is 0: the estimator's `div_no_nan`."""
    out = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def ratio(numerator: Floats, denominator: Floats, reason: str) -> Values:
    """A quotient that is 0, and undefined for the reason given, where the denominator is 0."""
    return Values(divide(numerator, denominator), {reason: denominator == 0})
