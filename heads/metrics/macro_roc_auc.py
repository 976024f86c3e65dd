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
)
from heads.metrics.core.registry import offers
from heads.metrics.core.support import MeanSupport, Support
from heads.metrics.roc_auc import AveragePrecision, RankMetric, RocAuc
from heads.statistics import State, Statistic


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
        parts = [area.bounds(state, area.compute(state).value) for area in self.by_class]
        lowest, highest = zip(*parts, strict=True)
        return _mean(lowest), _mean(highest)


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


@offers("multi_class", kind="report")
def macro_roc_auc(context: MetricContext) -> Iterator[Metric]:
    yield from _macro(context, {"roc_auc": (MacroRocAuc, RocAuc)})


@offers("multi_label", kind="report")
def macro_areas(context: MetricContext) -> Iterator[Metric]:
    areas = {"roc_auc": (MacroRocAuc, RocAuc), "average_precision": (MacroArea, AveragePrecision)}
    yield from _macro(context, areas)


def _macro(
    context: MetricContext, areas: Mapping[str, tuple[type[MacroArea], type[RankMetric]]]
) -> Iterator[Metric]:
    """Yields the mean of each area, but only if all classes have metrics of their own."""
    if len(context.named_classes) < context.columns:
        return
    fine, coarse, labels = context.score_histogram, context.coarse_histogram, context.label_counts
    for name, (macro, area) in areas.items():
        by_class = tuple(
            area(name, fine, coarse, group, labels=labels) for group in context.named_classes
        )
        yield macro(f"{name}/macro", fine, by_class)
