"""The rows that rates of classes and means of them over classes are averages of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.metrics.core.class_counts import RATES, ClassCounts, RateName, class_counts
from heads.metrics.core.metric import Floats
from heads.metrics.core.support import Support, SupportSums, fold_sums, kish_size, mean_mass
from heads.statistics import State


@dataclass(frozen=True)
class ClassSupport(Support):
    """The rows that a rate of a class is a share of, such as those labelled with it.

    Attributes:
        rate: the name of the rate.
        cut: the cut of the score above which an independent class is predicted.
        group: the id of the class.
    """

    rate: RateName
    cut: float
    group: int

    def parts(self, state: State, column: str) -> Floats:
        counts = class_counts(state, column, self.cut).of(self.group)
        return RATES[self.rate].share(counts)[1][:, np.newaxis]


@dataclass(frozen=True)
class ClassMargins(Support):
    """The rows of the scarcest label or prediction of some classes, without those that never occur.

    Attributes:
        cut: the cut of the score above which an independent class is predicted.
        group: the id of the class that is meant; None for all classes.
        labels: whether labels count.
        predictions: whether predictions count.
    """

    cut: float
    group: int | None = None
    labels: bool = True
    predictions: bool = True

    def parts(self, state: State, column: str) -> Floats:
        """Returns `[s, 2 * classes]`: the labels, and then the predictions, of each class."""
        counts = class_counts(state, column, self.cut)
        both = (counts.labelled, counts.predicted)
        chosen = slice(None) if self.group is None else slice(self.group, self.group + 1)
        return np.concatenate([part[:, chosen] for part in both], axis=1)

    def sums(self, weight: Floats, squared: Floats) -> SupportSums:
        classes = weight.shape[2] // 2
        size = kish_size(weight, squared)
        labelled, predicted = size[:, :classes], size[:, classes:]
        occurs = labelled + predicted > 0 if self.predictions else labelled > 0
        least = np.full(len(size), np.inf)
        for part, counts in ((labelled, self.labels), (predicted, self.predictions)):
            if counts:
                least = np.fmin(least, np.where(occurs, part, np.inf).min(axis=1))
        return SupportSums(squared[..., 0], least, least)


@dataclass(frozen=True)
class ClassMeanSupport(Support):
    """The rows that a mean over classes of a rate is an average of, with their weights in it.

    Attributes:
        rate: the name of the rate.
        cut: the cut of the score above which an independent class is predicted.
        by_labels: whether a class counts by the weight of its labels; else all count alike.
    """

    rate: RateName
    cut: float
    by_labels: bool = False

    def parts(self, state: State, column: str) -> Floats:
        """Returns `[s, 2 * classes]`: what the rates are shares of, and the labels of the class."""
        counts: ClassCounts = class_counts(state, column, self.cut)
        return np.concatenate([RATES[self.rate].share(counts)[1], counts.labelled], axis=1)

    def sums(self, weight: Floats, squared: Floats) -> SupportSums:
        classes = weight.shape[2] // 2
        size = kish_size(weight[..., :classes], squared[..., :classes])
        labelled = fold_sums(weight[..., classes:])
        factor = labelled if self.by_labels else np.ones(labelled.shape)
        mass = mean_mass(squared[..., :classes], size, factor)
        least = size.min(axis=1)
        return SupportSums(mass, least, least)
