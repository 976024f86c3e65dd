"""The counts of the confusion matrix at a cut of the score, and ratios of these counts.

Formulas are in TP, FP, FN and TN, the weights of rows by prediction and label. A label that is not
0 is positive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from heads.metrics.core import confusion_formulas as formulas
from heads.metrics.core.confusion_formulas import (
    ALL,
    ANY_POSITIVE,
    DISAGREEMENT,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    LABELS,
    MARGINS,
    NEGATIVE,
    POSITIVE,
    POSITIVES,
    PREDICTED_NEGATIVE,
    PREDICTED_POSITIVE,
    PREDICTIONS,
    TRUE_NEGATIVE,
    Denominator,
    Formula,
    Ratio,
)
from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import CutMetric, CutSupport, cuts_and_suffixes
from heads.metrics.core.methods import FEW_FOR_RATIOS, FEW_OF_A_KIND, Requirement
from heads.metrics.core.metric import Metric, Values, divide
from heads.metrics.core.registry import offers
from heads.metrics.core.support import Support
from heads.statistics import State


@dataclass(frozen=True)
class ConfusionRatio(CutMetric):
    """A ratio of the counts above and below a cut of the score.

    Attributes:
        ratio: the way in which the ratio is computed.
    """

    ratio: Ratio = field(kw_only=True)

    @property
    def definition(self) -> str:
        return self.ratio.definition

    @property
    def support(self) -> Support:
        return CutSupport(self.statistic, self.cut, self.group, self.ratio.support)

    @property
    def requirement(self) -> Requirement | None:
        if self.total or self.ratio.whole is not None:
            return None
        rows = CutSupport(self.statistic, self.cut, self.group, self.ratio.required)
        return Requirement(rows, 1.0, FEW_FOR_RATIOS, FEW_OF_A_KIND)

    def compute(self, state: State) -> Values:
        counts, ratio = self.counts(state), self.ratio
        value, trials = ratio.formula(counts), None
        if ratio.whole is not None:
            value = divide(value, ratio.whole.formula(counts))
            trials = self.trials(state, ratio.whole.formula)
        denominators = ratio.denominators if ratio.whole is None else (ratio.whole,)
        reasons = {
            denominator.reason: denominator.formula(counts) == 0 for denominator in denominators
        }
        for undefined in reasons.values():
            value = np.where(undefined, 0.0, value)
        return Values(value, reasons, trials)


class HighShare(ConfusionRatio):
    """A share, from 0 to 1, of which a higher value is better."""

    higher_is_better = True
    low, high = 0.0, 1.0


class LowShare(ConfusionRatio):
    """A share, from 0 to 1, of which a lower value is better."""

    higher_is_better = False
    low, high = 0.0, 1.0


class PlainShare(ConfusionRatio):
    """A share, from 0 to 1, of which no value is better than another."""

    low, high = 0.0, 1.0


class Coefficient(ConfusionRatio):
    """A measure of agreement from -1 to 1."""

    higher_is_better = True
    low, high = -1.0, 1.0


class GoodCount(ConfusionRatio):
    """A sum of weights, of which a higher value is better."""

    higher_is_better = True
    low = 0.0
    total = True


class BadCount(ConfusionRatio):
    """A sum of weights, of which a lower value is better."""

    higher_is_better = False
    low = 0.0
    total = True


class HighRatio(ConfusionRatio):
    """A ratio without an upper bound, of which a higher value is better."""

    higher_is_better = True
    low = 0.0


class LowRatio(ConfusionRatio):
    """A ratio without an upper bound, of which a lower value is better."""

    higher_is_better = False
    low = 0.0


def _share(definition: str, part: Formula, whole: Denominator) -> Ratio:
    return Ratio(definition, part, whole=whole)


PREVALENCE = _share(
    "The weighted share of labels that are not 0, `(TP + FN) / (TP + FP + FN + TN)`.",
    formulas.positive,
    ALL,
)
F1 = Ratio(
    "The harmonic mean of precision and recall, `2 * TP / (2 * TP + FP + FN)`; scikit-learn's"
    " `f1_score`.",
    formulas.f1,
    (ANY_POSITIVE,),
    required=POSITIVES,
)
MATTHEWS = Ratio(
    "The correlation of labels and predictions, `(TP * TN - FP * FN) / sqrt((TP + FP) * (TP + FN)"
    " * (TN + FP) * (TN + FN))`; scikit-learn's `matthews_corrcoef`.",
    formulas.matthews,
    (*LABELS, *PREDICTIONS),
)

RATIOS: dict[str, tuple[type[ConfusionRatio], Ratio]] = {
    "true_positives": (
        GoodCount,
        Ratio(
            "The weight of positive labels that are predicted positive, TP.", formulas.true_positive
        ),
    ),
    "true_negatives": (
        GoodCount,
        Ratio("The weight of zero labels that are predicted negative, TN.", formulas.true_negative),
    ),
    "false_positives": (
        BadCount,
        Ratio(
            "The weight of zero labels that are predicted positive, FP.", formulas.false_positive
        ),
    ),
    "false_negatives": (
        BadCount,
        Ratio(
            "The weight of positive labels that are predicted negative, FN.",
            formulas.false_negative,
        ),
    ),
    "specificity": (
        HighShare,
        _share(
            "The share of zero labels that are predicted negative, `TN / (TN + FP)`;"
            " scikit-learn's `recall_score` of label 0.",
            formulas.true_negative,
            NEGATIVE,
        ),
    ),
    "false_positive_rate": (
        LowShare,
        _share(
            "The share of zero labels that are predicted positive, `FP / (FP + TN)`.",
            formulas.false_positive,
            NEGATIVE,
        ),
    ),
    "false_negative_rate": (
        LowShare,
        _share(
            "The share of positive labels that are predicted negative, `FN / (FN + TP)`.",
            formulas.false_negative,
            POSITIVE,
        ),
    ),
    "negative_predictive_value": (
        HighShare,
        _share(
            "The share of negative predictions whose label is 0, `TN / (TN + FN)`; scikit-learn's"
            " `precision_score` of label 0.",
            formulas.true_negative,
            PREDICTED_NEGATIVE,
        ),
    ),
    "false_discovery_rate": (
        LowShare,
        _share(
            "The share of positive predictions whose label is 0, `FP / (FP + TP)`.",
            formulas.false_positive,
            PREDICTED_POSITIVE,
        ),
    ),
    "false_omission_rate": (
        LowShare,
        _share(
            "The share of negative predictions whose label is positive, `FN / (FN + TN)`.",
            formulas.false_negative,
            PREDICTED_NEGATIVE,
        ),
    ),
    "predicted_positive_rate": (
        PlainShare,
        _share(
            "The share of rows that are predicted positive, `(TP + FP) / (TP + FP + FN + TN)`.",
            formulas.predicted_positive,
            ALL,
        ),
    ),
    "prevalence_threshold": (
        LowShare,
        Ratio(
            "The prevalence below which the precision falls steeply, `sqrt(1 - S) / (sqrt(R) +"
            " sqrt(1 - S))` with recall R and specificity S (Balayla, 2020).",
            formulas.prevalence_threshold,
            (*LABELS, PREDICTED_POSITIVE),
            required=(*MARGINS, formulas.false_positive),
        ),
    ),
    "threat_score": (
        HighShare,
        _share(
            "The critical success index, `TP / (TP + FN + FP)`; scikit-learn's `jaccard_score`.",
            formulas.true_positive,
            ANY_POSITIVE,
        ),
    ),
    "balanced_accuracy": (
        HighShare,
        Ratio(
            "The mean of recall and specificity; scikit-learn's `balanced_accuracy_score`.",
            formulas.balanced_accuracy,
            LABELS,
        ),
    ),
    "f1": (HighShare, F1),
    "f0.5": (
        HighShare,
        Ratio(
            "F-beta for beta 1/2, to which precision counts more: `1.25 * TP / (1.25 * TP +"
            " 0.25 * FN + FP)`; scikit-learn's `fbeta_score`.",
            formulas.f_half,
            (ANY_POSITIVE,),
            required=POSITIVES,
        ),
    ),
    "f2": (
        HighShare,
        Ratio(
            "F-beta for beta 2, to which recall counts more: `5 * TP / (5 * TP + 4 * FN + FP)`;"
            " scikit-learn's `fbeta_score`.",
            formulas.f2,
            (ANY_POSITIVE,),
            required=POSITIVES,
        ),
    ),
    "fowlkes_mallows_index": (
        HighShare,
        Ratio(
            "The geometric mean of precision and recall, `TP / sqrt((TP + FP) * (TP + FN))`.",
            formulas.fowlkes_mallows,
            (POSITIVE, PREDICTED_POSITIVE),
            required=POSITIVES,
        ),
    ),
    "informedness": (
        Coefficient,
        Ratio("Youden's J, recall + specificity - 1.", formulas.informedness, LABELS),
    ),
    "markedness": (
        Coefficient,
        Ratio(
            "Precision + negative predictive value - 1 (Powers, 2011).",
            formulas.markedness,
            PREDICTIONS,
        ),
    ),
    "positive_likelihood_ratio": (
        HighRatio,
        Ratio(
            "Recall / false positive rate; the first of scikit-learn's `class_likelihood_ratios`.",
            formulas.positive_likelihood,
            (*LABELS, FALSE_POSITIVE),
        ),
    ),
    "negative_likelihood_ratio": (
        LowRatio,
        Ratio(
            "False negative rate / specificity; the second of scikit-learn's"
            " `class_likelihood_ratios`.",
            formulas.negative_likelihood,
            (*LABELS, TRUE_NEGATIVE),
        ),
    ),
    "diagnostic_odds_ratio": (
        HighRatio,
        Ratio(
            "The odds of a positive prediction for positive labels over those for zero labels,"
            " `(TP / FN) / (FP / TN)`.",
            formulas.odds_ratio,
            (*LABELS, FALSE_POSITIVE, FALSE_NEGATIVE),
            parts=(
                formulas.true_positive,
                formulas.false_positive,
                formulas.false_negative,
                formulas.true_negative,
            ),
        ),
    ),
    "matthews_correlation": (Coefficient, MATTHEWS),
    "cohen_kappa": (
        Coefficient,
        Ratio(
            "The agreement of labels and predictions beyond chance, `2 * (TP * TN - FP * FN) /"
            " ((TP + FN) * (FN + TN) + (FP + TN) * (TP + FP))`; scikit-learn's"
            " `cohen_kappa_score`.",
            formulas.kappa,
            (ALL, DISAGREEMENT),
            parts=(formulas.positive, formulas.negative),
        ),
    ),
}
"""The class and the formula of every ratio that is computed at every cut, by its name."""


@offers("binary", "contrib_binary", kind="report")
def confusion_ratios(context: MetricContext) -> Iterator[Metric]:
    counts = context.threshold_counts
    yield PlainShare("prevalence", counts, context.space.class_one(), ratio=PREVALENCE)
    for cut, suffix in cuts_and_suffixes(context):
        for name, (kind, ratio) in RATIOS.items():
            yield kind(f"{name}{suffix}", counts, cut, ratio=ratio)
