"""Formulas of the confusion matrix at a cut of the score, and what they need not to be 0.

Each is of the weights of rows by prediction and label, TP, FP, FN and TN, and gives `[s]`, 0 where
it is undefined. A label that is not 0 is positive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from heads.metrics.core.cut_counts import CutCounts
from heads.metrics.core.metric import Floats, divide

Part = Callable[[CutCounts], Floats]


@dataclass(frozen=True)
class Whole:
    """Counts that must not be 0 for a ratio to be defined.

    Attributes:
        of: the counts `[s]`.
        reason: why the ratio is undefined where they are 0.
    """

    of: Part
    reason: str


def positive(counts: CutCounts) -> Floats:
    return counts.true_positive + counts.false_negative


def negative(counts: CutCounts) -> Floats:
    return counts.true_negative + counts.false_positive


def predicted_positive(counts: CutCounts) -> Floats:
    return counts.true_positive + counts.false_positive


def predicted_negative(counts: CutCounts) -> Floats:
    return counts.true_negative + counts.false_negative


def everything(counts: CutCounts) -> Floats:
    return positive(counts) + negative(counts)


def either(counts: CutCounts) -> Floats:
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


def prevalence_threshold(counts: CutCounts) -> Floats:
    fall_out = np.sqrt(divide(counts.false_positive, negative(counts)))
    return divide(fall_out, np.sqrt(recall(counts)) + fall_out)


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
    return divide(recall(counts), divide(counts.false_positive, negative(counts)))


def negative_likelihood(counts: CutCounts) -> Floats:
    return divide(divide(counts.false_negative, positive(counts)), specificity(counts))


def odds_ratio(counts: CutCounts) -> Floats:
    odds = divide(counts.true_positive, counts.false_negative)
    return odds * divide(counts.true_negative, counts.false_positive)


def scaled(counts: CutCounts) -> CutCounts:
    """The counts by a power of two for which they sum to less than 1: no product overflows."""
    _, exponent = np.frexp(everything(counts))
    above, below = (np.ldexp(own, -exponent[:, None]) for own in (counts.above, counts.below))
    return CutCounts(above, below)


def covariance(counts: CutCounts) -> Floats:
    right = counts.true_positive * counts.true_negative
    return right - counts.false_positive * counts.false_negative


def matthews(counts: CutCounts) -> Floats:
    own = scaled(counts)
    labels = np.sqrt(positive(own)) * np.sqrt(negative(own))
    predictions = np.sqrt(predicted_positive(own)) * np.sqrt(predicted_negative(own))
    return divide(covariance(own), labels * predictions)


def chance_disagreement(counts: CutCounts) -> Floats:
    """What is proportional to how often labels and independent predictions would differ."""
    own = scaled(counts)
    missed = positive(own) * predicted_negative(own)
    return missed + negative(own) * predicted_positive(own)


def kappa(counts: CutCounts) -> Floats:
    return divide(2 * covariance(scaled(counts)), chance_disagreement(counts))


POSITIVE = Whole(positive, "no label is positive")
NEGATIVE = Whole(negative, "no label is zero")
PREDICTED_POSITIVE = Whole(predicted_positive, "nothing is predicted positive")
PREDICTED_NEGATIVE = Whole(predicted_negative, "nothing is predicted negative")
ALL = Whole(everything, "the weights sum to zero")
EITHER = Whole(either, "no label and no prediction is positive")
FALSE_POSITIVE = Whole(false_positive, "there is no false positive")
FALSE_NEGATIVE = Whole(false_negative, "there is no false negative")
TRUE_NEGATIVE = Whole(true_negative, "there is no true negative")
DISAGREEMENT = Whole(chance_disagreement, "all labels and predictions are the same")
LABELS = (POSITIVE, NEGATIVE)
PREDICTIONS = (PREDICTED_POSITIVE, PREDICTED_NEGATIVE)
