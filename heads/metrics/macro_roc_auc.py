"""Areas under the curves of single classes, averaged over all classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import (
    FEW,
    FEW_FOR_RATIOS,
    FEW_LABELS,
    FEW_OF_A_CLASS,
    Requirement,
)
from heads.metrics.core.metric import (
    OF_PAIRS,
    OF_PRECISION,
    Bounds,
    Floats,
    Metric,
    Values,
    divide,
    weight_column,
)
from heads.metrics.core.registry import offers
from heads.metrics.core.support import MeanSupport, PrevalenceSupport, Support
from heads.metrics.roc_auc import AveragePrecision, RankMetric, RocAuc, area_of
from heads.statistics import ScoreHistogram, State, Statistic
from heads.statistics.kept import kept_with_state


@dataclass(frozen=True)
class MacroArea(Metric):
    """The mean over all classes of an area of the class against all others.

    Where every cell of the histogram is a single score, it equals scikit-learn's
    `average="macro"`, for exclusive classes with `multi_class="ovr"`. It is undefined if the area
    of any class is undefined.

    Attributes:
        by_class: the metrics of the areas of the classes.
    """

    by_class: tuple[RankMetric, ...]

    area_factor = OF_PRECISION
    higher_is_better = True
    low, high = 0.0, 1.0

    @property
    def definition(self) -> str:
        return f"The mean over all classes. {self.by_class[0].definition}"

    @property
    def coarse(self) -> Statistic | None:
        return self.by_class[0].coarse

    @property
    def distinct(self) -> Statistic | None:
        return self.by_class[0].distinct

    @property
    def support(self) -> Support:
        return MeanSupport(self.by_class[0].labels, tuple(area.support for area in self.by_class))

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW_FOR_RATIOS, FEW_LABELS)

    def compute(self, state: State) -> Values:
        parts = [area.compute(state) for area in self.by_class]
        reasons = {
            f"of some class {text}": np.logical_or.reduce([part.reasons[text] for part in parts])
            for text in parts[0].reasons
        }
        return Values(_mean([part.value for part in parts]), reasons)

    def bounds(self, state: State, _: Floats) -> Bounds:
        lowest, highest = self._bounds_of_classes(state)
        return _mean(lowest), _mean(highest)

    def _bounds_of_classes(self, state: State) -> tuple[Sequence[Floats], Sequence[Floats]]:
        """Returns the lowest and the highest areas `[s]` of the classes."""
        parts = [area.bounds(state, area.compute(state).value) for area in self.by_class]
        lowest, highest = zip(*parts, strict=True)
        return lowest, highest


class WeightedArea(MacroArea):
    """The mean over classes, by the weight of their labels, of an area against all others.

    Where every cell of the histogram is a single score, it equals scikit-learn's
    `average="weighted"`, for exclusive classes with `multi_class="ovr"`. A class without labels
    does not count; it is undefined if the area of any other class is undefined.
    """

    @property
    def definition(self) -> str:
        return (
            f"The mean over classes, each as often as it is a label. {self.by_class[0].definition}"
        )

    @property
    def support(self) -> Support:
        supports = tuple(area.support for area in self.by_class)
        return PrevalenceSupport(self.by_class[0].labels, supports)

    def compute(self, state: State) -> Values:
        parts = [area.compute(state) for area in self.by_class]
        labelled = self._labelled(state)
        reasons = {"no label is positive": labelled.sum(axis=1) == 0}
        for text in parts[0].reasons:
            where = np.stack([part.reasons[text] for part in parts], axis=1)
            reasons[f"of some class {text}"] = (where & (labelled > 0)).any(axis=1)
        return Values(_weighted_mean([part.value for part in parts], labelled), reasons)

    def bounds(self, state: State, _: Floats) -> Bounds:
        lowest, highest = self._bounds_of_classes(state)
        labelled = self._labelled(state)
        return _weighted_mean(lowest, labelled), _weighted_mean(highest, labelled)

    def _labelled(self, state: State) -> Floats:
        """Returns the weight of the labels of each class, `[s, k]`."""
        # All classes are named, in any order.
        return _labelled(state)[:, [int(area.group or 0) for area in self.by_class]]


@kept_with_state(last=1)
def _labelled(state: State) -> Floats:
    """Returns the weight of the labels of each class, `[s, k]`."""
    counts = state.statistic
    assert isinstance(counts, ScoreHistogram)
    column = weight_column(state)
    weights = [state.by_segment(column, state.group == 2 * k + 1) for k in range(counts.classes)]
    return np.stack(weights, axis=1)


def _weighted_mean(values: Sequence[Floats], weight: Floats) -> Floats:
    """Returns the mean `[s]` of the values of all classes by their weights `[s, k]`."""
    by_segment = np.ascontiguousarray(np.stack(values, axis=1))
    return divide((by_segment * weight).sum(axis=1), weight.sum(axis=1))


def _mean(values: Sequence[Floats]) -> Floats:
    """Returns the mean `[s]` of the values of all classes."""
    # Contiguous by segment, so that no digit depends on how many segments there are.
    by_segment = np.ascontiguousarray(np.stack(values, axis=1))
    mean: Floats = by_segment.sum(axis=1) / len(values)
    return mean


class MacroRocAuc(MacroArea):
    """The mean over all classes of the share of pairs in the right order."""

    area_factor = OF_PAIRS

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW, FEW_OF_A_CLASS)


class WeightedRocAuc(WeightedArea):
    """The mean over classes, by their labels, of the share of pairs in the right order."""

    area_factor = OF_PAIRS

    @property
    def requirement(self) -> Requirement:
        return Requirement(self.support, 1.0, FEW, FEW_OF_A_CLASS)


AREAS: Mapping[str, tuple[type[RankMetric], type[MacroArea], type[WeightedArea]]] = {
    "roc_auc": (RocAuc, MacroRocAuc, WeightedRocAuc),
    "average_precision": (AveragePrecision, MacroArea, WeightedArea),
}
"""The area of a class, and its two averages over classes, by name."""


@offers("multi_class", "multi_label", kind="report")
def averages_of_areas(context: MetricContext) -> Iterator[Metric]:
    """Offers the averages over all classes, but only if all of them have metrics of their own."""
    if len(context.named_classes) < context.columns:
        return
    fine = context.score_histogram
    classes = list(zip(context.named_classes, context.class_suffixes, strict=True))
    for name, (area, macro, weighted) in AREAS.items():
        by_class = tuple(area_of(context, area, f"{name}/{suffix}", k) for k, suffix in classes)
        yield macro(f"{name}/macro", fine, by_class)
        yield weighted(f"{name}/weighted", fine, by_class)
