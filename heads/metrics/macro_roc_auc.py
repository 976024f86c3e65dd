"""Areas under the curves of single classes, averaged over all classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Bounds, Floats, Metric, Values
from heads.metrics.core.registry import offers
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

    higher_is_better = True
    low, high = 0.0, 1.0

    @property
    def definition(self) -> str:
        return f"The mean over all classes. {self.by_class[0].definition}"

    @property
    def coarse(self) -> Statistic | None:
        return self.by_class[0].coarse

    def compute(self, state: State) -> Values:
        parts = [area.compute(state) for area in self.by_class]
        reasons = {
            f"of some class {text}": np.logical_or.reduce([part.reasons[text] for part in parts])
            for text in parts[0].reasons
        }
        return Values(_mean([part.value for part in parts]), reasons)

    def bounds(self, state: State) -> Bounds:
        lowest, highest = zip(*(area.bounds(state) for area in self.by_class), strict=True)
        return _mean(lowest), _mean(highest)


def _mean(values: Sequence[Floats]) -> Floats:
    """Returns the mean `[s]` of the values of all classes."""
    # Contiguous by segment, so that no digit depends on how many segments there are.
    by_segment = np.ascontiguousarray(np.stack(values, axis=1))
    mean: Floats = by_segment.sum(axis=1) / len(values)
    return mean


@offers("multi_class", kind="report")
def macro_roc_auc(context: MetricContext) -> Iterator[Metric]:
    yield from _macro(context, {"roc_auc": RocAuc})


@offers("multi_label", kind="report")
def macro_areas(context: MetricContext) -> Iterator[Metric]:
    yield from _macro(context, {"roc_auc": RocAuc, "average_precision": AveragePrecision})


def _macro(context: MetricContext, areas: dict[str, type[RankMetric]]) -> Iterator[Metric]:
    """Yields the mean of each area, but only if all classes have metrics of their own."""
    if len(context.named_classes) < context.columns:
        return
    fine, coarse = context.score_histogram, context.coarse_histogram
    for name, area in areas.items():
        by_class = tuple(area(name, fine, coarse, group) for group in context.named_classes)
        yield MacroArea(f"{name}/macro", fine, by_class)
