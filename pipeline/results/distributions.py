"""Computes from merged states how scores, labels and weights are distributed in slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from heads.statistics import Key, State, Statistic
from heads.statistics.confusion import LABELLED
from heads.statistics.label_sums import ZERO_LABEL
from heads.statistics.statistic import UNWEIGHTED
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO
from heads.statistics.units import in_units
from pipeline.config.heads import BinaryFields, MultiLabelHeadConfig
from pipeline.config.regression import RegressionFields
from pipeline.evaluation.head_plan import CANDIDATE, HeadPlan, ModelStatistic
from pipeline.results.class_rows import ClassRows, describe_class_ids, rows_by_class
from pipeline.results.feature_statistics import (
    Buckets,
    NumericFeature,
    SliceStatistics,
    TextFeature,
)
from pipeline.results.score_buckets import summarise_scores
from pipeline.results.wide_sums import SliceSums, WideSum

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Squared weights are rounded to 24 bits. If a variance is at least this share of their mean, its
# root is still right to four digits.
_LEAST_VARIANCE = 2.0**-12


def slice_statistics(
    head: HeadPlan, states: Mapping[ModelStatistic, State], keys: Sequence[Key]
) -> list[SliceStatistics]:
    """Returns the distributions of the columns of a head in some slices.

    They describe the rows that the head scored. For a binary head they are the distribution of its
    scores (from the cells of the histogram; the mean of probabilities is exact), the counts of its
    labels, and the mean of its weights. For a head with several classes they are what was measured
    for its metrics: the scores as they are stored, over all classes together, and the rows by class
    of the label. A class that a list of labels names twice counts once. What was not measured is
    left out.

    Args:
        head: the plan of the head.
        states: the merged and aligned states of the head in one partition.
        keys: the keys of the slices; those without rows are left out.

    Returns:
        The statistics of each slice that has rows, in the order of `keys`.
    """
    measured = {key: SliceSums(state) for key, state in states.items()}
    row_counts = measured[head.counting]
    return [
        _SliceColumns(head, measured, row_counts, key).statistics()
        for key in keys
        if key in row_counts.place
    ]


class _SliceColumns:
    """The columns of a head in one slice, described from what was measured there.

    Args:
        head: the plan of the head.
        measured: the merged states of the head, by what is measured.
        row_counts: the state that counts the rows of every slice.
        key: the key of the slice.
    """

    def __init__(
        self,
        head: HeadPlan,
        measured: Mapping[ModelStatistic, SliceSums],
        row_counts: SliceSums,
        key: Key,
    ) -> None:
        self._head = head
        self._measured = measured
        self._row_counts = row_counts
        self._key = key
        self._rows = int(float(row_counts.total(key, "rows")))
        self._wide = row_counts.total(key, "weight") if head.context.weighted else None
        self._weight = None if self._wide is None else float(self._wide)

    def statistics(self) -> SliceStatistics:
        """Returns the distributions of all columns in this slice."""
        features: dict[tuple[str, ...], NumericFeature | TextFeature] = {}
        for feature in (*self._scores(), self._labels(), *self._weights()):
            # A column that has several roles is described in the first of them alone.
            features.setdefault(feature.path, feature)
        return SliceStatistics(
            self._head.name, self._key, self._rows, self._weight, tuple(features.values())
        )

    def _scores(self) -> Iterator[NumericFeature]:
        """Yields the distributions of the scores of every model."""
        config = self._head.config
        for number, source in enumerate((config, config.baseline)):
            if source is None:
                continue
            score = source.source
            index = getattr(score, "index", None)
            path = (score.column,) if index is None else (score.column, str(index))
            yield self._score(number, path)

    def _score(self, number: int, path: tuple[str, ...]) -> NumericFeature:
        """Returns the distribution of the scores of one model, by the number of the model."""
        context = self._head.models[number].context
        per_row = context.columns
        plain = NumericFeature(path, whole=False, rows=self._rows, per_row=per_row)
        plain = replace(plain, weight=self._weight)
        if context.space.kind != "logits":
            mean, weighted_mean = self._mean_score(number)
            plain = replace(plain, mean=mean, weighted_mean=weighted_mean)
        linked = context.score_histogram.probabilities or (
            context.regression and context.head != "regression"
        )
        if linked and context.space.kind == "logits":
            # The histogram is of what is behind the link, but the scores of the column are logits.
            return plain
        found = (self._find(number, histogram) for histogram in context.histograms)
        states = (sums.taken(self._key) for sums in found if sums is not None)
        state = next((state for state in states if not state.closed[0]), None)
        if state is None:
            return plain
        state = in_units(state)
        summary = summarise_scores(state)
        return replace(
            plain,
            mean=summary.mean if plain.mean is None else plain.mean,
            std_dev=summary.std_dev,
            low=summary.low,
            high=summary.high,
            zeros=summary.zeros,
            buckets=summary.buckets,
            weighted_mean=summary.weighted_mean
            if plain.weighted_mean is None
            else plain.weighted_mean,
            weighted_std_dev=summary.weighted_std_dev,
            rounding=2.0 ** (state.shift - 52) if state.shift else None,
        )

    def _mean_score(self, number: int) -> tuple[float | None, float | None]:
        """Returns the mean probability or prediction, without weights and with them.

        Both are None where they are not known.
        """
        context = self._head.models[number].context
        statistic = context.label_sums if context.regression else context.threshold_counts
        counts = self._find(number, statistic)
        if counts is None:
            return None, None
        name = "prediction" if context.regression else "probability"
        plain, weighted = self._sums(counts, name)
        return self._mean(plain, context.columns), self._weighted_mean(weighted, context.columns)

    def _mean(self, total: WideSum | None, per_row: int) -> float | None:
        """Returns a sum over all values of a column by their number; None if it is not known."""
        return None if total is None else total.over(WideSum(float(self._rows * per_row)))

    def _weighted_mean(self, total: WideSum | None, per_row: int) -> float | None:
        """Returns a sum over all values of a column by their weight; None if it is not known."""
        if total is None or self._wide is None:
            return None
        return total.over(self._wide.times(per_row))

    def _labels(self) -> NumericFeature | TextFeature:
        """Returns the distribution of the labels: of numbers, of class ids or of words."""
        config, context = self._head.config, self._head.context
        path = (config.label.column,)
        if isinstance(config, RegressionFields):
            return self._numbers(path)
        form = config.label.form if isinstance(config, MultiLabelHeadConfig) else None
        if form == "multi_hot" or (
            isinstance(config, BinaryFields) and config.label.vocabulary is None
        ):
            return self._zero_to_one(path)
        per_row = None if form else 1
        if isinstance(config, BinaryFields):
            # The negative word comes first here, in whatever order the vocabulary has them.
            words: Sequence[str] | None = context.class_names
            state = self._state(context.threshold_counts)
            classes = None if state is None else rows_by_class(state, state.group % LABEL_KINDS)
        else:
            words = config.label.vocabulary
            classes = self._classes()
        if words is not None:
            return self._words(path, words, per_row, classes)
        plain = NumericFeature(path, whole=True, rows=self._rows, per_row=per_row)
        plain = replace(plain, weight=self._weight)
        return plain if classes is None else describe_class_ids(plain, classes, context.columns)

    def _numbers(self, path: tuple[str, ...]) -> NumericFeature:
        """Returns the distribution of the labels of a regression head."""
        context = self._head.context
        plain = NumericFeature(path, False, self._rows, weight=self._weight)
        sums, state = self._find(CANDIDATE, context.label_sums), self._state(context.label_sums)
        if sums is None or state is None:
            return plain
        total, weighted = self._sums(sums, "label")
        zero = state.group % state.statistic.groups == ZERO_LABEL
        return replace(
            plain,
            mean=self._mean(total, 1),
            weighted_mean=self._weighted_mean(weighted, 1),
            zeros=int(state.by_segment("rows", zero)[0]),
        )

    def _zero_to_one(self, path: tuple[str, ...]) -> NumericFeature:
        """Returns the distribution of labels that are numbers from 0 to 1.

        Labels between 0 and 1, which are called soft, are known by their count and their sum only;
        so their standard deviation, and often their lowest and highest value, are not known.
        """
        context = self._head.context
        per_row, weight = context.columns, self._weight
        plain = NumericFeature(path, False, self._rows, per_row, weight=weight)
        counts = self._find(CANDIDATE, context.threshold_counts)
        if counts is None:
            return plain
        kinds = (ZERO, SOFT, ONE)
        zeros, soft, ones = rows = tuple(
            int(float(counts.total(self._key, "rows", kind))) for kind in kinds
        )
        soft_sum, weighted_soft_sum = self._sums(counts, "soft_label")
        mean = None
        if soft_sum is not None:
            mean = self._mean(soft_sum.plus(WideSum(float(ones))), per_row)
        weights = weighted_mean = None
        if weight is not None:
            wide = [counts.total(self._key, "weight", kind) for kind in kinds]
            weights = tuple(map(float, wide))
            if weighted_soft_sum is not None:
                weighted_mean = self._weighted_mean(wide[-1].plus(weighted_soft_sum), per_row)
        # The three buckets hold the labels that are 0, those between, and those that are 1.
        hard = not soft
        edges: tuple[float, ...] = (0.0, math.ulp(0.0), 1.0, 1.0)
        if hard:
            edges, rows = (0.0, 0.5, 1.0), rows[::2]
            weights = None if weights is None else weights[::2]
        return replace(
            plain,
            mean=mean,
            std_dev=_spread(mean) if hard else None,
            low=0.0 if zeros else 1.0 if hard else None,
            high=1.0 if ones else 0.0 if hard else None,
            zeros=zeros,
            buckets=Buckets(edges, rows, weights),
            weighted_mean=weighted_mean,
            weighted_std_dev=_spread(weighted_mean) if hard else None,
        )

    def _classes(self) -> ClassRows | None:
        """Returns the rows by class of the label; None if they were not measured."""
        context = self._head.context
        if context.head == "multi_label":
            state = self._state(context.threshold_counts)
            if state is None:
                return None
            class_, kind = np.divmod(state.group % state.statistic.groups, LABEL_KINDS)
            return rows_by_class(state, class_, kind == ONE)
        state = self._state(context.class_outcomes)
        if state is not None:
            labelled = state.cell == np.uint64(LABELLED)
            return rows_by_class(state, state.group % state.statistic.groups, labelled)
        state = self._state(context.confusion_matrix)
        return None if state is None else rows_by_class(state, state.group)

    def _words(
        self,
        path: tuple[str, ...],
        words: Sequence[str],
        per_row: int | None,
        classes: ClassRows | None,
    ) -> TextFeature:
        """Returns the distribution of labels that are words; `words` has one for each class id."""
        plain = TextFeature(path, self._rows, per_row, weight=self._weight)
        if classes is None:
            return plain
        names = [words[class_] for class_ in classes.ids.tolist()]
        counts = tuple(zip(names, classes.rows.tolist(), strict=True))
        if classes.weights is None:
            return replace(plain, counts=counts)
        weights = tuple(zip(names, classes.shown(classes.weights), strict=True))
        return replace(plain, counts=counts, weights=weights)

    def _weights(self) -> Iterator[NumericFeature]:
        """Yields the distribution of the weights, if rows have any."""
        if self._head.config.weight is None or self._wide is None:
            return
        # In this unit, squares are within the range of float64.
        unit = self._wide.exponent
        mean, std_dev = self._wide.factor / self._rows, None
        if "weight_squared" in self._row_counts.state.sums:
            squares = self._row_counts.total(self._key, "weight_squared")
            mean_square = float(WideSum(squares.factor / self._rows, squares.exponent - 2 * unit))
            variance = mean_square - mean * mean
            if variance > _LEAST_VARIANCE * mean_square:
                std_dev = float(WideSum(math.sqrt(variance), unit))
        path = (self._head.config.weight,)
        shown = float(WideSum(mean, unit))
        yield NumericFeature(path, False, self._rows, mean=shown, std_dev=std_dev)

    def _find(self, number: int, statistic: Statistic) -> SliceSums | None:
        """Returns the state of a model's statistic; None if it does not have this slice."""
        sums = self._measured.get(ModelStatistic(number, statistic))
        return sums if sums is not None and self._key in sums.place else None

    def _state(self, statistic: Statistic) -> State | None:
        """Returns the state of the candidate in this slice alone, in units; None without one."""
        sums = self._find(CANDIDATE, statistic)
        return None if sums is None else in_units(sums.taken(self._key))

    def _sums(self, sums: SliceSums, value: str) -> tuple[WideSum | None, WideSum | None]:
        """Returns the sum of a value without weights and with them; None where it is not kept."""
        if self._weight is None:
            return sums.total(self._key, value), None
        plain = f"{UNWEIGHTED}{value}"
        unweighted = sums.total(self._key, plain) if plain in sums.state.sums else None
        return unweighted, sums.total(self._key, value)


def _spread(mean: float | None) -> float | None:
    """Returns the standard deviation of values that are all 0 or 1, from their mean."""
    return None if mean is None else math.sqrt(max(0.0, mean * (1.0 - mean)))
