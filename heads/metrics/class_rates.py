"""Precision, recall, F1 and such rates of each class, and their averages over classes.

There is no micro average of predictions of exclusive classes: each row has one label and one
prediction, so that micro precision, recall and F1 are all equal to the accuracy. All other micro
averages are the metrics of all row-class pairs together, whose names have no ending.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from heads.metrics.accuracy_precision_recall import Accuracy
from heads.metrics.core.class_counts import RATES, ClassCounts, RateName, class_counts, trials
from heads.metrics.core.class_support import ClassMargins, ClassMeanSupport, ClassSupport
from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import cuts_and_suffixes
from heads.metrics.core.methods import FEW_FOR_RATIOS, FEW_OF_A_KIND, Requirement
from heads.metrics.core.metric import Floats, Metric, Values, divide, ratio, total_mass
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import Reasons
from heads.metrics.core.support import Support
from heads.statistics import ClassOutcomes, State


@dataclass(frozen=True)
class ByClass(Metric):
    """A metric that is computed from the counts by class.

    Attributes:
        rate: the name of the rate of a class.
        cut: a cut of its `ThresholdCounts`, for independent classes: a class whose score is above
            it is predicted.
    """

    rate: RateName
    cut: float = 0.0

    higher_is_better = True
    low, high = 0.0, 1.0


@dataclass(frozen=True)
class ClassRate(ByClass):
    """A rate of one class against all others.

    It equals that of scikit-learn's `precision_recall_fscore_support`, or `jaccard_score` for the
    threat score, with `average=None`.

    Attributes:
        group: the id of the class.
    """

    group: int = 0

    @property
    def definition(self) -> str:
        return f"{RATES[self.rate].text}, the class being positive and all others negative."

    @property
    def support(self) -> Support:
        return ClassSupport(self.statistic, self.rate, self.cut, self.group)

    @property
    def requirement(self) -> Requirement | None:
        if RATES[self.rate].proportion:
            return None
        rows = ClassMargins(self.statistic, self.cut, self.group)
        return Requirement(rows, 1.0, FEW_FOR_RATIOS, FEW_OF_A_KIND)

    def compute(self, state: State) -> Values:
        rate = RATES[self.rate]

        def share(column: str | None) -> tuple[Floats, Floats]:
            return rate.share(class_counts(state, column, self.cut).of(self.group))

        size = trials(state, lambda column: share(column)[1]) if rate.proportion else None
        return ratio(*share(None), rate.undefined, size)


class Average(ByClass):
    """A mean over classes of a rate of one class against all others; 0 where that is undefined."""

    @property
    def support(self) -> Support:
        return ClassMeanSupport(self.statistic, self.rate, self.cut)

    def rates(self, state: State) -> tuple[ClassCounts, Floats, Reasons]:
        """Returns what the average is computed from.

        Returns:
            The counts by class, the rates by class `[s, k]`, and where and why the average is
            undefined since every rate is.
        """
        rate, counts = RATES[self.rate], class_counts(state, cut=self.cut)
        part, whole = rate.share(counts)
        undefined = {
            "the weights sum to zero": total_mass(state) == 0,
            rate.undefined_everywhere: (whole == 0).all(axis=1),
        }
        return counts, divide(part, whole), undefined


class MacroAverage(Average):
    """The mean over classes of a rate of one class against all others.

    It equals scikit-learn's `average="macro"` with `zero_division=0`: a class whose rate is
    undefined counts as 0. The mean is over those exclusive classes that are a label or a prediction
    in any row, even in a row of weight 0, but over all independent classes.
    """

    @property
    def definition(self) -> str:
        classes = (
            "classes that occur in labels or predictions"
            if isinstance(self.statistic, ClassOutcomes)
            else "all classes"
        )
        return (
            f"The mean over {classes} of {RATES[self.rate].text}, the class being positive and all"
            " others negative; 0 for a class where that is undefined."
        )

    @property
    def requirement(self) -> Requirement | None:
        if self.rate == "specificity":
            # Nearly all rows are of other classes, however scarce the class is.
            return None
        of_labels, of_predictions = self.rate != "precision", self.rate != "recall"
        rows = ClassMargins(self.statistic, self.cut, labels=of_labels, predictions=of_predictions)
        return Requirement(rows, 1.0, FEW_FOR_RATIOS, FEW_OF_A_KIND)

    def compute(self, state: State) -> Values:
        counts, rates, undefined = self.rates(state)
        classes = counts.averaged.sum(axis=1).astype(np.float64)
        # Those that do not occur have a specificity, which does not count.
        total = np.where(counts.averaged, rates, 0.0).sum(axis=1)
        return Values(divide(total, classes), undefined)


class WeightedAverage(Average):
    """The mean over classes, by the weight of their labels, of a rate of one class.

    It equals scikit-learn's `average="weighted"` with `zero_division=0`: a class whose rate is
    undefined counts as 0.
    """

    @property
    def definition(self) -> str:
        return (
            f"The mean over classes, each as often as it is a label, of {RATES[self.rate].text};"
            " 0 for a class where that is undefined."
        )

    @property
    def support(self) -> Support:
        return ClassMeanSupport(self.statistic, self.rate, self.cut, by_labels=True)

    def compute(self, state: State) -> Values:
        counts, rates, undefined = self.rates(state)
        support = counts.labelled.sum(axis=1)
        value = divide((rates * counts.labelled).sum(axis=1), support)
        return Values(value, {**undefined, RATES["recall"].undefined_everywhere: support == 0})


@offers("multi_class", kind="report")
def rates_by_class(context: MetricContext) -> Iterator[Metric]:
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        for rate in RATES:
            yield ClassRate(f"{rate}/{suffix}", context.class_outcomes, rate, group=group)


@offers("multi_class", kind="report")
def averages_over_classes(context: MetricContext) -> Iterator[Metric]:
    for rate in RATES:
        yield MacroAverage(f"{rate}/macro", context.class_outcomes, rate)
        yield WeightedAverage(f"{rate}/weighted", context.class_outcomes, rate)


@offers("multi_label", kind="report")
def rates_by_label(context: MetricContext) -> Iterator[Metric]:
    counts = context.threshold_counts
    for cut, ending in cuts_and_suffixes(context):
        for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
            yield Accuracy(f"accuracy{ending}/{suffix}", counts, cut, group)
            for rate in RATES:
                yield ClassRate(f"{rate}{ending}/{suffix}", counts, rate, cut, group)


@offers("multi_label", kind="report")
def averages_over_labels(context: MetricContext) -> Iterator[Metric]:
    counts, cut = context.threshold_counts, context.space.class_one()
    for rate in RATES:
        yield MacroAverage(f"{rate}/macro", counts, rate, cut)
        yield WeightedAverage(f"{rate}/weighted", counts, rate, cut)
