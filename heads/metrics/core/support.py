"""The rows that a metric is an average of, which decide how sure its standard error is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from heads.statistics import ClassOutcomes, State, Statistic
from heads.statistics.confusion import LABELLED
from heads.statistics.threshold_counts import LABEL_KINDS, ZERO

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SupportSums:
    """The sums of the rows that a metric is an average of, by segment and fold.

    Attributes:
        mass: `[s, f]`, the squared weights of those rows by fold, up to a factor of the segment.
        size: `[s]`, their effective number, as `A (1 - A) / (2 size^2)` takes it for an area.
        least: `[s]`, the effective number of rows of the scarcest of all their parts.
    """

    mass: Floats
    size: Floats
    least: Floats


@dataclass(frozen=True)
class Support(ABC):
    """The rows that a metric is an average of. They may have several parts, such as both labels.

    Attributes:
        statistic: the statistic that counts the rows by fold, with their weights and the squares of
            their weights.
    """

    # States of one statistic keep what was read of them by support.
    statistic: Statistic = field(compare=False)

    @abstractmethod
    def parts(self, state: State, column: str) -> Floats:
        """Returns the sums `[s, p]` of a column of a state of the statistic over each part."""

    def sums(self, weight: Floats, squared: Floats) -> SupportSums:
        """Returns the sums of the part that has the least effective rows.

        Args:
            weight: `[s, f, p]`, the weights of each part by fold.
            squared: `[s, f, p]`, the squared weights.
        """
        size = kish_size(weight, squared)
        if size.shape[1] == 1:
            return SupportSums(squared[..., 0], size[:, 0], size[:, 0])
        segments, scarcest = np.arange(len(size)), size.argmin(axis=1)
        mass, least = squared[segments, :, scarcest], size[segments, scarcest]
        return SupportSums(mass, least, least)


def kish_size(weight: Floats, squared: Floats) -> Floats:
    """Returns the effective numbers of rows `[s, p]`: (sum of w)^2 / sum of w^2; 0 for no rows.

    L. Kish, "Survey Sampling", 1965, section 11.7.

    Args:
        weight: `[s, f, p]`, the weights by fold.
        squared: `[s, f, p]`, the squared weights by fold.
    """
    total = fold_sums(weight)
    squares = total if squared is weight else fold_sums(squared)
    size: Floats = total / np.where(squares > 0, squares, 1.0) * total
    return np.where(squares > 0, size, 0.0)


def fold_sums(values: Floats) -> Floats:
    """Returns sums `[s, p]` over the folds of `[s, f, p]`, whatever else is in the array."""
    # Contiguous, so that no digit depends on how many segments or parts there are.
    total: Floats = np.ascontiguousarray(values.transpose(0, 2, 1)).sum(axis=-1)
    return total


@dataclass(frozen=True)
class EveryRow(Support):
    """All rows, as of a mean over rows.

    Attributes:
        group: the id of the class whose rows are meant; None for all.
    """

    group: int | None = None

    def parts(self, state: State, column: str) -> Floats:
        rows = None if self.group is None else state.group // LABEL_KINDS == self.group
        return state.by_segment(column, rows)[:, np.newaxis]


@dataclass(frozen=True)
class Positives(Support):
    """The rows whose label is positive, as of a mean over positive labels.

    Attributes:
        group: the id of the class that is positive; None for all labels that are not 0.
    """

    group: int | None = None

    def parts(self, state: State, column: str) -> Floats:
        return state.by_segment(column, _labelled(state, self.group)[0])[:, np.newaxis]


@dataclass(frozen=True)
class Negatives(Support):
    """The rows whose label is zero.

    Attributes:
        group: the id of the class that is positive; None for all labels that are not 0.
    """

    group: int | None = None

    def parts(self, state: State, column: str) -> Floats:
        return state.by_segment(column, _labelled(state, self.group)[1])[:, np.newaxis]


@dataclass(frozen=True)
class BothLabels(Positives):
    """The rows of the scarcer label, positive or zero, as of a share of pairs of both."""

    def parts(self, state: State, column: str) -> Floats:
        masks = _labelled(state, self.group)
        return np.stack([state.by_segment(column, mask) for mask in masks], axis=1)


@dataclass(frozen=True)
class MeanSupport(Support):
    """The rows that a plain mean of metrics is an average of, with their weights in it.

    Attributes:
        averaged: the supports of the metrics, which have equal numbers of parts.
    """

    averaged: tuple[Support, ...]

    def parts(self, state: State, column: str) -> Floats:
        """Returns the sums `[s, p]` of all parts, metric by metric."""
        return np.concatenate([part.parts(state, column) for part in self.averaged], axis=1)

    def sums(self, weight: Floats, squared: Floats) -> SupportSums:
        number = len(self.averaged)
        masses, sizes = self._by_metric(weight, squared)
        # The variances of independent metrics add up, each divided by the square of their number.
        inverse = np.where(sizes > 0, 1 / np.where(sizes > 0, sizes, 1.0) ** 2, np.inf)
        size = number / np.sqrt(inverse.sum(axis=1))
        return SupportSums(mean_mass(masses, sizes, np.ones(sizes.shape)), size, sizes.min(axis=1))

    def _by_metric(self, weight: Floats, squared: Floats) -> tuple[Floats, Floats]:
        """Returns the squared weights by fold `[s, f, m]`, and the sizes `[s, m]`, by metric."""
        number = len(self.averaged)
        weights, squares = (np.split(values, number, axis=2) for values in (weight, squared))
        sums = [
            part.sums(*of_part)
            for part, *of_part in zip(self.averaged, weights, squares, strict=True)
        ]
        return (
            np.stack([part.mass for part in sums], axis=2),
            np.stack([part.size for part in sums], axis=1),
        )


@dataclass(frozen=True)
class PrevalenceSupport(MeanSupport):
    """The rows that a mean of metrics of classes is an average of, by the labels of the classes."""

    def parts(self, state: State, column: str) -> Floats:
        """Returns the sums `[s, p + k]` of all parts, and of the labels of each class."""
        labels = [
            Positives(support.statistic, support.group).parts(state, column)
            for support in self.averaged
            if isinstance(support, Positives)
        ]
        return np.concatenate([super().parts(state, column), *labels], axis=1)

    def sums(self, weight: Floats, squared: Floats) -> SupportSums:
        number = len(self.averaged)
        labelled = fold_sums(weight[..., -number:])
        masses, sizes = self._by_metric(weight[..., :-number], squared[..., :-number])
        total = labelled.sum(axis=1, keepdims=True)
        share = labelled / np.where(total > 0, total, 1.0)
        counts = share > 0
        inverse = np.where(sizes > 0, share / np.where(sizes > 0, sizes, 1.0), np.inf)
        squares = np.where(counts, inverse, 0.0) ** 2
        spread = np.sqrt(np.ascontiguousarray(squares).sum(axis=1))
        size = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1.0), 0.0)
        least = np.where(counts, sizes, np.inf).min(axis=1)
        return SupportSums(
            mean_mass(masses, sizes, share), size, np.where(counts.any(axis=1), least, 0.0)
        )


def mean_mass(squared: Floats, size: Floats, factor: Floats) -> Floats:
    """Returns the squared weights `[s, f]` of rows in a weighted sum of averages.

    In an average a row has its share of the weights, whose squares have the sum 1 / size.

    Args:
        squared: `[s, f, p]`, the squared weights of the rows of each average by fold.
        size: `[s, p]`, the effective numbers of rows of the averages.
        factor: `[s, p]`, what each average is multiplied by.
    """
    total = fold_sums(squared)
    share = squared / np.where(total > 0, total, 1.0)[:, np.newaxis]
    squares = factor**2 / np.where(size > 0, size, 1.0)
    # Contiguous, so that no digit depends on how many segments there are.
    mass: Floats = np.ascontiguousarray(share * squares[:, np.newaxis]).sum(axis=-1)
    return mass


def _labelled(
    state: State, group: int | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Returns which table rows are of positive labels, and which are of zero labels, `[m]` each.

    Args:
        state: a state of `ThresholdCounts`, or of `ClassOutcomes` for exclusive classes.
        group: the id of the class; None for all row-class pairs of independent classes.
    """
    if isinstance(state.statistic, ClassOutcomes):
        labelled = state.cell == LABELLED
        positive = state.group == group
        return labelled & positive, labelled & ~positive
    of_class = np.ones(len(state), bool) if group is None else state.group // LABEL_KINDS == group
    zero = state.group % LABEL_KINDS == ZERO
    return of_class & ~zero, of_class & zero
