"""Formulas of the confusion matrix at a cut of the score, and the denominators they divide by.

A formula takes the weights of rows by prediction and label, TP, FP, FN and TN, and returns a value
for each segment, `[s]`, which is 0 where it is undefined. A label that is not 0 is positive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.cut_counts import CutCounts
from heads.metrics.core.metric import Floats, divide
from heads.metrics.core.wide import Wide

Formula = Callable[[CutCounts], Floats]


@dataclass(frozen=True)
class Denominator:
    """A quantity that a ratio divides by, so that the ratio is undefined where it is 0.

    Attributes:
        formula: the function that returns the quantity `[s]`.
        reason: the reason why the ratio is undefined where the quantity is 0.
    """

    formula: Formula
    reason: str


def positive(counts: CutCounts) -> Floats:
    """Returns the weight of the positive labels `[s]`."""
    return counts.true_positive + counts.false_negative


def negative(counts: CutCounts) -> Floats:
    """Returns the weight of the zero labels `[s]`."""
    return counts.true_negative + counts.false_positive


def predicted_positive(counts: CutCounts) -> Floats:
    return counts.true_positive + counts.false_positive


def predicted_negative(counts: CutCounts) -> Floats:
    return counts.true_negative + counts.false_negative


def total(counts: CutCounts) -> Floats:
    """Returns the weight of all labels `[s]`."""
    return positive(counts) + negative(counts)


def any_positive(counts: CutCounts) -> Floats:
    """Returns the weight of what is positive by its label, its prediction or both `[s]`."""
    return positive(counts) + counts.false_positive


def true_positive(counts: CutCounts) -> Floats:
    return counts.true_positive


def false_positive(counts: CutCounts) -> Floats:
    return counts.false_positive


def false_negative(counts: CutCounts) -> Floats:
    return counts.false_negative


def true_negative(counts: CutCounts) -> Floats:
    return counts.true_negative


def recall(counts: CutCounts) -> Floats:
    return divide(counts.true_positive, positive(counts))


def specificity(counts: CutCounts) -> Floats:
    return divide(counts.true_negative, negative(counts))


def _share(part: Floats, whole: Floats) -> Wide:
    """Returns a share `[s]`, which may be too small for float64."""
    return Wide.of(part).over(Wide.of(whole))


def prevalence_threshold(counts: CutCounts) -> Floats:
    fall_out = _share(counts.false_positive, negative(counts)).root()
    hits = _share(counts.true_positive, positive(counts)).root()
    return fall_out.over(hits.plus(fall_out)).to_float()


def balanced_accuracy(counts: CutCounts) -> Floats:
    return (recall(counts) + specificity(counts)) / 2


def f1(counts: CutCounts) -> Floats:
    return f_beta(counts, 1.0)


def f_half(counts: CutCounts) -> Floats:
    return f_beta(counts, 0.5)


def f2(counts: CutCounts) -> Floats:
    return f_beta(counts, 2.0)


def f_beta(counts: CutCounts, beta: float) -> Floats:
    hits = (1 + beta**2) * counts.true_positive
    return divide(hits, hits + beta**2 * counts.false_negative + counts.false_positive)


def fowlkes_mallows(counts: CutCounts) -> Floats:
    precision = divide(counts.true_positive, predicted_positive(counts))
    return np.sqrt(precision) * np.sqrt(recall(counts))


def informedness(counts: CutCounts) -> Floats:
    return recall(counts) + specificity(counts) - 1


def markedness(counts: CutCounts) -> Floats:
    precision = divide(counts.true_positive, predicted_positive(counts))
    return precision + divide(counts.true_negative, predicted_negative(counts)) - 1


def positive_likelihood(counts: CutCounts) -> Floats:
    hits = _share(counts.true_positive, positive(counts))
    return hits.over(_share(counts.false_positive, negative(counts))).to_float()


def negative_likelihood(counts: CutCounts) -> Floats:
    missed = _share(counts.false_negative, positive(counts))
    return missed.over(_share(counts.true_negative, negative(counts))).to_float()


def odds_ratio(counts: CutCounts) -> Floats:
    odds = _share(counts.true_positive, counts.false_negative)
    return odds.times(_share(counts.true_negative, counts.false_positive)).to_float()


def covariance(counts: CutCounts) -> Wide:
    """Returns the covariance of labels and predictions `[s]`, up to a factor."""
    right = Wide.of(counts.true_positive).times(Wide.of(counts.true_negative))
    return right.minus(Wide.of(counts.false_positive).times(Wide.of(counts.false_negative)))


def matthews(counts: CutCounts) -> Floats:
    # Divided by a power of two, so that the digits of the roots do not depend on the unit.
    unit = np.frexp(total(counts))[1]

    def root(part: Floats) -> Wide:
        return Wide.of(part).scaled(-unit).root()

    labels = root(positive(counts)).times(root(negative(counts)))
    predictions = root(predicted_positive(counts)).times(root(predicted_negative(counts)))
    both = covariance(counts).scaled(-2 * unit)
    return both.over(labels.times(predictions)).to_float()


def disagreement(counts: CutCounts) -> Wide:
    """Returns how often labels and independent predictions would differ, up to a factor."""
    parts = (positive, predicted_negative, negative, predicted_positive)
    labels, missed, others, called = (Wide.of(part(counts)) for part in parts)
    return labels.times(missed).plus(others.times(called))


def chance_disagreement(counts: CutCounts) -> Floats:
    """Returns a number `[s]` that is 0 where labels and predictions could not differ."""
    return disagreement(counts).factor


def kappa(counts: CutCounts) -> Floats:
    return covariance(counts).scaled(1).over(disagreement(counts)).to_float()


POSITIVE = Denominator(positive, "no label is positive")
NEGATIVE = Denominator(negative, "no label is zero")
PREDICTED_POSITIVE = Denominator(predicted_positive, "nothing is predicted positive")
PREDICTED_NEGATIVE = Denominator(predicted_negative, "nothing is predicted negative")
ALL = Denominator(total, "the weights sum to zero")
ANY_POSITIVE = Denominator(any_positive, "no label and no prediction is positive")
FALSE_POSITIVE = Denominator(false_positive, "there is no false positive")
FALSE_NEGATIVE = Denominator(false_negative, "there is no false negative")
TRUE_NEGATIVE = Denominator(true_negative, "there is no true negative")
DISAGREEMENT = Denominator(chance_disagreement, "all labels and predictions are the same")
LABELS = (POSITIVE, NEGATIVE)
PREDICTIONS = (PREDICTED_POSITIVE, PREDICTED_NEGATIVE)

MARGINS = (positive, negative, predicted_positive, predicted_negative)
"""The sums of labels and predictions of both kinds."""
POSITIVES = (positive, predicted_positive)
"""The sums that ratios are of that do not depend on true negatives."""


@dataclass(frozen=True)
class Ratio:
    """The way in which a ratio is computed.

    Attributes:
        definition: the text that defines it for users.
        formula: the function that returns its value `[s]`, or the numerator of a proportion.
        denominators: the quantities that the formula divides by; empty for proportions and counts.
        whole: the denominator of a proportion; None if it is not a proportion.
        parts: the sums whose scarcest decides how sure the error is; by default the denominators,
            and of a count the count itself.
        required: the sums of each of which there must be enough rows for an interval, unless it is
            a proportion or a count: by default the labels and the predictions of both kinds.
    """

    definition: str
    formula: Formula
    denominators: tuple[Denominator, ...] = ()
    whole: Denominator | None = None
    parts: tuple[Formula, ...] = ()
    required: tuple[Formula, ...] = MARGINS

    @property
    def support(self) -> tuple[Formula, ...]:
        """The functions that return the sums `[s]` whose scarcest is the support of the ratio."""
        denominators = self.denominators if self.whole is None else (self.whole,)
        divisors = tuple(denominator.formula for denominator in denominators)
        return self.parts or divisors or (self.formula,)
