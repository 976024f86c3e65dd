"""The settings that the metrics of one head depend on, and the statistics that they share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from heads.metrics.core.number_names import distinct_names, short_names
from heads.metrics.core.regression_context import COARSE_CELLS, RegressionContext
from heads.metrics.core.regression_context import HeadType as HeadType
from heads.metrics.core.regression_context import RegressionType as RegressionType
from heads.statistics import (
    ClassFlips,
    ClassOutcomes,
    ConfusionMatrix,
    Flips,
    RowSums,
    ScoreHistogram,
    Statistic,
    ThresholdCounts,
)
from heads.statistics.cuts import AUC_THRESHOLDS, ScoreSpace
from heads.statistics.distinct_scores import distinct_scores_of
from heads.statistics.score_histogram import MAX_CELLS

MAX_MATRIX_CLASSES = 500
"""A head of more classes has no confusion matrix: it would be too large to keep as a whole."""

MAX_FOLDED_CLASSES = 100
"""The counts by class of a head of more classes are not kept for every fold."""

# A histogram of several classes has only so many cells that it can cross a shuffle in one piece,
# even if all classes fill all of its cells.
_FINE_BYTES = 7_000_000
_LEAST_FINE_CELLS, _MOST_FINE_CELLS = 1024, 1 << 16
_COARSE_CELLS, _LEAST_COARSE_CELLS = 10 * COARSE_CELLS, 128
# The edges of the bins of the calibration error.
CALIBRATION_EDGES = tuple(i / 10 for i in range(1, 10))


@dataclass(frozen=True)
class Threshold:
    """A threshold that a probability, or a logit, must be above to be predicted positive.

    Attributes:
        value: the threshold.
        name: what the names of the metrics at the threshold end with.
        of_logit: whether the logit is compared, and not the probability.
    """

    value: float
    name: str
    of_logit: bool = False

    def above(self, space: ScoreSpace) -> float:
        """Returns the cut of the scores for `>`."""
        return space.above_logit(self.value) if self.of_logit else space.above(self.value)

    def at_least(self, space: ScoreSpace) -> float:
        """Returns the cut of the scores for `>=`."""
        return space.at_least_logit(self.value) if self.of_logit else space.at_least(self.value)


@dataclass(frozen=True)
class OperatingPoints:
    """The points of a curve at which rates are read from it.

    Attributes:
        recall: the recalls at which the precision is read.
        precision: the precisions at which the recall is read.
        specificity: the specificities at which the sensitivity is read.
        false_positive_rate: the false positive rates at which the recall is read.
        sensitivity: the sensitivities at which the specificity is read.
    """

    recall: tuple[float, ...] = ()
    precision: tuple[float, ...] = ()
    specificity: tuple[float, ...] = ()
    false_positive_rate: tuple[float, ...] = ()
    sensitivity: tuple[float, ...] = ()


@dataclass(frozen=True)
class MetricContext(RegressionContext):
    """The settings that the metrics of one head depend on.

    Attributes:
        head: the type of the head.
        class_names: the names of the classes, by id; the binary types have two classes.
        space: how probabilities relate to the stored scores.
        thresholds: the configured thresholds on the probability, in order.
        weighted: whether the rows have weights.
        named_classes: the ids of the classes for which there are separate metrics.
        class_suffixes: the endings of the names of those metrics, in the order of `named_classes`.
        report: whether the metrics of the report are computed, or only the estimator's.
        folds: the number of folds that standard errors are computed from; 1 if there are none.
        clustered: whether rows may depend on each other, so that they are put into folds by a key.
        at: the operating points.
        top: the numbers `k` of the highest scores that top-k metrics are of.
        plugins: the modules that offer metrics beside those of headcount, as they are loaded.
        baseline: how probabilities relate to the stored scores of the baseline model; None if
            there is no baseline.
        logit_thresholds: the configured thresholds on the logit, in order; only reports have them.
        pinball: the quantiles at which a regression head has the pinball loss.
        error_quantiles: the quantiles of the error that a regression head reports.
        interval: whether a regression model predicts an interval for the label.
    """

    head: HeadType
    class_names: tuple[str, ...]
    space: ScoreSpace
    thresholds: tuple[float, ...] = ()
    weighted: bool = False
    named_classes: tuple[int, ...] = ()
    class_suffixes: tuple[str, ...] = ()
    report: bool = False
    folds: int = 1
    clustered: bool = False
    at: OperatingPoints = OperatingPoints()
    top: tuple[int, ...] = ()
    plugins: tuple[str, ...] = ()
    baseline: ScoreSpace | None = None
    logit_thresholds: tuple[float, ...] = ()
    pinball: tuple[float, ...] = ()
    error_quantiles: tuple[float, ...] = ()
    interval: bool = False

    @property
    def columns(self) -> int:
        """The number of score columns: the number of classes, or 1 for two classes and numbers."""
        return len(self.class_names) if self.head in ("multi_class", "multi_label") else 1

    @cached_property
    def estimator_space(self) -> ScoreSpace:
        """The score space that compares in float32, as the estimator does."""
        return ScoreSpace(self.space.kind, float32=True)

    @cached_property
    def auc_cuts(self) -> tuple[float, ...]:
        """The cuts of the AUC thresholds 1 to 198.

        Thresholds 0 and 199 need no cut: every score is above the first, and none above the second.
        """
        inner = range(1, AUC_THRESHOLDS - 1)
        if self.head == "contrib_binary":
            return tuple(self.estimator_space.above(i / (AUC_THRESHOLDS - 1)) for i in inner)
        return tuple(self.estimator_space.bucket(i) for i in inner)

    @cached_property
    def calibration_cuts(self) -> tuple[float, ...]:
        """The cuts between the bins of the calibration error; a bin includes its lower edge."""
        return tuple(self.space.at_least(edge) for edge in CALIBRATION_EDGES)

    @cached_property
    def all_thresholds(self) -> tuple[Threshold, ...]:
        """The configured thresholds on the probability, then those on the logit."""
        # Two thresholds of six equal digits have one name with the estimator, which shows the last.
        names = distinct_names if self.report else short_names
        on_probability = zip(self.thresholds, names(self.thresholds), strict=True)
        on_logit = zip(self.logit_thresholds, names(self.logit_thresholds), strict=True)
        return (
            *(Threshold(t, f"positive_threshold_{name}") for t, name in on_probability),
            *(Threshold(t, f"positive_logit_threshold_{name}", True) for t, name in on_logit),
        )

    @cached_property
    def threshold_counts(self) -> ThresholdCounts:
        """The counts at the cut of the likelier class and at the configured thresholds.

        It also has the sums that weighted means are computed from.
        """
        cuts = {self.space.class_one()}
        for threshold in self.all_thresholds:
            cuts.add(threshold.above(self.space))
            if self.head == "contrib_binary":
                cuts.add(threshold.at_least(self.space))
        loss = ("loss",) if self.columns == 1 else ()
        error: tuple[str, ...] = ("squared_error",) if self.report else ()
        if self.report and self.columns == 1:
            error += ("absolute_error", "soft_product", "soft_square")
        if self.report and self.named_classes:
            loss = ("class_loss",)
        return ThresholdCounts(
            cuts=tuple(sorted(cuts)),
            classes=self.columns,
            by_class=self.columns > 1,
            values=(*loss, "probability", "soft_label", *error),
            weighted=self.weighted,
            keep_unweighted=self.report,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def auc_counts(self) -> ThresholdCounts:
        """The counts at the estimator's 200 thresholds."""
        return ThresholdCounts(
            cuts=tuple(sorted(set(self.auc_cuts))),
            classes=self.columns,
            by_class=bool(self.named_classes),
            weighted=self.weighted,
            folds=self.folds,
            coverage="largest",
        )

    @cached_property
    def calibration_counts(self) -> ThresholdCounts:
        """The counts and the sums of probabilities in the bins of the calibration error."""
        return ThresholdCounts(
            cuts=self.calibration_cuts,
            classes=self.columns,
            by_class=False,
            values=("probability", "soft_label"),
            weighted=self.weighted,
            keep_unweighted=True,
            squares=True,
            folds=self.folds,
            coverage="largest",
        )

    @cached_property
    def excess_sums(self) -> RowSums:
        """The sums that tell whether the squared errors are as large as the probabilities say."""
        return RowSums(
            values=("excess_brier", "excess_brier_variance"),
            weighted=self.weighted,
            keep_unweighted=True,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def difference_sums(self) -> RowSums:
        """The sums of how far the probabilities of this model and the baseline are apart."""
        return RowSums(
            values=("symmetric_difference",),
            weighted=self.weighted,
            keep_unweighted=True,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def row_sums(self) -> RowSums:
        """The sums of the values that each row has once, for a head of several classes."""
        row_values: tuple[str, ...] = ()
        if self.head == "multi_class":
            brier = ("class_brier",) if self.report else ()
            row_values = ("hit", *brier, *(f"top_{k}" for k in self.top))
        elif self.report:
            labels = ("labels", *(f"top_labels_{k}" for k in self.top)) if self.top else ()
            row_values = ("exact_match", "coverage", *labels)
        return RowSums(
            values=("loss", *row_values),
            weighted=self.weighted,
            keep_unweighted=self.report,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def class_sums(self) -> RowSums:
        """The labels and the sums of the probabilities of the named exclusive classes."""
        return RowSums(
            values=tuple(
                f"{value}_{group}"
                for group in self.named_classes
                for value in ("label", "probability")
            ),
            weighted=self.weighted,
            keep_unweighted=True,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def pair_counts(self) -> ThresholdCounts:
        """The counts at the thresholds of all pairs of a row and an exclusive class together."""
        space = ScoreSpace("probabilities")
        return ThresholdCounts(
            cuts=tuple(sorted(threshold.above(space) for threshold in self.all_thresholds)),
            classes=self.columns,
            by_class=False,
            of="class_probability",
            weighted=self.weighted,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def class_outcomes(self) -> ClassOutcomes:
        """The counts of right and wrong predictions and of labels, by exclusive class.

        Also those of rows by how far apart the two classes are.
        """
        return ClassOutcomes(
            classes=self.columns,
            distances=True,
            weighted=self.weighted,
            squares=self.folds > 1,
            folds=self.folds if self.columns <= MAX_FOLDED_CLASSES else 1,
        )

    @cached_property
    def label_counts(self) -> Statistic:
        """The counts of labels by class and fold, with their squared weights.

        Of many exclusive classes they are kept by fold in the largest slices, as the histograms
        are whose metrics need them.
        """
        if self.head != "multi_class":
            return self.threshold_counts
        if self.folds == self.class_outcomes.folds:
            return self.class_outcomes
        return replace(self.class_outcomes, folds=self.folds, coverage="largest")

    @cached_property
    def confusion_matrix(self) -> ConfusionMatrix:
        """The counts of rows by labelled and predicted class."""
        return ConfusionMatrix(
            classes=self.columns, weighted=self.weighted, coverage="largest_only"
        )

    @cached_property
    def score_histogram(self) -> ScoreHistogram:
        """The histogram that curves and rank metrics are computed from."""
        classes, cells = self.columns, MAX_CELLS
        if self.named_classes:
            row = 9 + 6 * self.weighted
            most = _FINE_BYTES // (2 * classes * row)
            cells = max(_LEAST_FINE_CELLS, min(_MOST_FINE_CELLS, most))
        return ScoreHistogram(
            classes=classes,
            max_cells=cells,
            by_class=bool(self.named_classes),
            of=self._divided,
            weighted=self.weighted,
            coverage="largest_only",
        )

    @property
    def _divided(self) -> Literal["logit", "probability", "class_probability"]:
        """What a score histogram divides into cells."""
        if self.head == "multi_class":
            return "class_probability"
        return "logit" if self.space.kind == "logits" else "probability"

    @cached_property
    def coarse_histogram(self) -> ScoreHistogram:
        """The score histogram with fewer cells.

        In the largest slices it is kept by fold, beside `score_histogram`; small slices have only
        this one.
        """
        named = max(1, len(self.named_classes))
        cells = min(COARSE_CELLS, max(_LEAST_COARSE_CELLS, _COARSE_CELLS // named))
        return self.coarse(self.score_histogram, cells)

    @property
    def histograms(self) -> tuple[ScoreHistogram, ...]:
        """The histograms that curves are read from: in each slice the first that has it."""
        coarse, fine = self.coarse_histogram, self.score_histogram
        if self.regression:
            coarse, fine = self.coarse_prediction_histogram, self.prediction_histogram
        return distinct_scores_of(coarse), fine, coarse

    @cached_property
    def flips(self) -> Flips:
        """The counts of what this model and the baseline predict.

        They predict at the cut of the likelier class and at the configured thresholds.
        """
        assert self.baseline is not None
        spaces = (self.space, self.baseline)
        cuts = [space.class_one() for space in spaces]
        for threshold in self.all_thresholds:
            cuts += [threshold.above(space) for space in spaces]
        return Flips(
            cuts=tuple(cuts),
            classes=self.columns,
            weighted=self.weighted,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def class_flips(self) -> ClassFlips:
        """The counts of rows by whether this model and the baseline predict the same class."""
        return ClassFlips(weighted=self.weighted, squares=self.folds > 1, folds=self.folds)
