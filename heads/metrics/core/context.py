"""What the metrics of one head depend on, and the statistics that they share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from heads.statistics import (
    ClassFlips,
    ClassOutcomes,
    ConfusionMatrix,
    Flips,
    RowSums,
    ScoreHistogram,
    ThresholdCounts,
)
from heads.statistics.cuts import AUC_THRESHOLDS, ScoreSpace
from heads.statistics.score_histogram import MAX_CELLS
from heads.statistics.statistic import Coverage

HeadType = Literal["binary", "multi_class", "multi_label", "contrib_binary"]

MAX_MATRIX_CLASSES = 500
"""Beyond this many classes a confusion matrix is no longer small enough to keep whole."""

MAX_FOLDED_CLASSES = 100
"""Beyond this many classes the counts by class are no longer kept by fold."""

COARSE_CELLS = 512
"""Cells of the histograms by fold, and of those of small slices."""

# Histograms of several classes have as many cells as can cross a shuffle in one piece, even if all
# classes fill all of them.
_FINE_BYTES = 7_000_000
_LEAST_FINE_CELLS, _MOST_FINE_CELLS = 1024, 1 << 16
_COARSE_CELLS, _LEAST_COARSE_CELLS = 10 * COARSE_CELLS, 128
# The edges of the bins of the calibration error.
CALIBRATION_EDGES = tuple(i / 10 for i in range(1, 10))


@dataclass(frozen=True)
class OperatingPoints:
    """Where on a curve to read it.

    Attributes:
        recall: recalls to give the precision at.
        precision: precisions to give the recall at.
        specificity: specificities to give the sensitivity at.
        false_positive_rate: false positive rates to give the recall at.
    """

    recall: tuple[float, ...] = ()
    precision: tuple[float, ...] = ()
    specificity: tuple[float, ...] = ()
    false_positive_rate: tuple[float, ...] = ()


@dataclass(frozen=True)
class MetricContext:
    """What the metrics of one head depend on.

    Attributes:
        head: type of the head.
        class_names: a name for each class; two for the binary types.
        space: how probabilities relate to the scores that are stored.
        thresholds: the configured thresholds, in order.
        weighted: whether rows carry weights.
        named_classes: classes, by id, that have metrics of their own.
        class_suffixes: what the names of those metrics end with, by id.
        report: whether the metrics of the report are wanted, and not the estimator's alone.
        folds: how many folds standard errors come from; 1 for none.
        at: the operating points.
        top: the numbers `k` of the top-k accuracy.
        baseline: how the scores of a second model are stored; None without one.
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
    at: OperatingPoints = OperatingPoints()
    top: tuple[int, ...] = ()
    baseline: ScoreSpace | None = None

    @property
    def columns(self) -> int:
        """Columns of the score: 1 for the binary types, else the number of classes."""
        return 1 if self.head in ("binary", "contrib_binary") else len(self.class_names)

    @cached_property
    def estimator_space(self) -> ScoreSpace:
        """The score space in which float32 decides, as it does in the estimator."""
        return ScoreSpace(self.space.kind, float32=True)

    @cached_property
    def auc_cuts(self) -> tuple[float, ...]:
        """The cuts of AUC thresholds 1 to 198; everything is above 0 and nothing above 199."""
        inner = range(1, AUC_THRESHOLDS - 1)
        if self.head == "contrib_binary":
            return tuple(self.estimator_space.above(i / (AUC_THRESHOLDS - 1)) for i in inner)
        return tuple(self.estimator_space.bucket(i) for i in inner)

    @cached_property
    def calibration_cuts(self) -> tuple[float, ...]:
        """The cuts of the bins of the calibration error: a bin holds its lower edge."""
        return tuple(self.space.at_least(edge) for edge in CALIBRATION_EDGES)

    @cached_property
    def threshold_counts(self) -> ThresholdCounts:
        """Counts at the configured thresholds and at the likelier class, and the sums of means."""
        cuts = {self.space.class_one()}
        cuts.update(self.space.above(t) for t in self.thresholds)
        if self.head == "contrib_binary":
            cuts.update(self.space.at_least(t) for t in self.thresholds)
        loss = ("loss",) if self.columns == 1 else ()
        error = ("squared_error",) if self.report else ()
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
        """Counts at the estimator's 200 thresholds."""
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
        """Counts and sums of probabilities in the bins of the calibration error."""
        return ThresholdCounts(
            cuts=self.calibration_cuts,
            classes=self.columns,
            by_class=False,
            values=("probability", "soft_label"),
            weighted=self.weighted,
            keep_unweighted=True,
            folds=self.folds,
            coverage="largest",
        )

    @cached_property
    def row_sums(self) -> RowSums:
        """Sums by row, of heads of several classes."""
        own: tuple[str, ...] = ()
        if self.head == "multi_class":
            own = ("hit", *(f"top_{k}" for k in self.top))
        elif self.report:
            own = ("exact_match", "coverage")
        return RowSums(
            values=("loss", *own),
            weighted=self.weighted,
            keep_unweighted=self.report,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def class_outcomes(self) -> ClassOutcomes:
        return ClassOutcomes(
            classes=self.columns,
            weighted=self.weighted,
            squares=self.folds > 1,
            folds=self.folds if self.columns <= MAX_FOLDED_CLASSES else 1,
        )

    @cached_property
    def confusion_matrix(self) -> ConfusionMatrix:
        return ConfusionMatrix(
            classes=self.columns, weighted=self.weighted, coverage="largest_only"
        )

    @cached_property
    def score_histogram(self) -> ScoreHistogram:
        """The histogram that curves and rank metrics come from."""
        own, cells = self.columns, MAX_CELLS
        if self.named_classes:
            row = 9 + 6 * self.weighted
            cells = max(_LEAST_FINE_CELLS, min(_MOST_FINE_CELLS, _FINE_BYTES // (2 * own * row)))
        return ScoreHistogram(
            classes=own,
            max_cells=cells,
            by_class=bool(self.named_classes),
            of="class_probability" if self.head == "multi_class" else "score",
            weighted=self.weighted,
            coverage="largest_only",
        )

    @cached_property
    def coarse_histogram(self) -> ScoreHistogram:
        """Its coarser twin: by fold in the largest slices, and all there is in the others."""
        own = max(1, len(self.named_classes))
        cells = min(COARSE_CELLS, max(_LEAST_COARSE_CELLS, _COARSE_CELLS // own))
        coverage: Coverage = "largest" if self.folds > 1 else "small_only"
        return replace(self.score_histogram, max_cells=cells, folds=self.folds, coverage=coverage)

    @cached_property
    def flips(self) -> Flips:
        """What this model and the baseline predict, at the likelier class and the thresholds."""
        assert self.baseline is not None
        own = [self.space.class_one(), *map(self.space.above, self.thresholds)]
        other = [self.baseline.class_one(), *map(self.baseline.above, self.thresholds)]
        return Flips(
            cuts=tuple(cut for pair in zip(own, other, strict=True) for cut in pair),
            classes=self.columns,
            weighted=self.weighted,
            squares=self.folds > 1,
            folds=self.folds,
        )

    @cached_property
    def class_flips(self) -> ClassFlips:
        return ClassFlips(weighted=self.weighted, squares=self.folds > 1, folds=self.folds)
