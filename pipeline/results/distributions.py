"""From merged states to the statistics of slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from heads.statistics import Key, State, Statistic
from heads.statistics.confusion import LABELLED
from heads.statistics.exact import add_columns
from heads.statistics.statistic import UNWEIGHTED
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO
from pipeline.config.heads import BinaryFields, MultiLabelHeadConfig
from pipeline.evaluation.head_plan import CANDIDATE, HeadPlan, ModelStatistic
from pipeline.results.feature_statistics import (
    Buckets,
    NumericFeature,
    SliceStatistics,
    TextFeature,
)
from pipeline.results.score_buckets import MOST_BUCKETS, moments, summarise_scores

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Squared weights are kept to 24 bits. Of a variance that is at least this share of their mean, the
# root is then known to four digits.
_LEAST_VARIANCE = 2.0**-12


def slice_statistics(
    head: HeadPlan, states: Mapping[int, State], keys: Sequence[Key]
) -> list[SliceStatistics]:
    """The statistics of the columns of a head in some slices of one piece.

    All are of the rows that the head scored. A binary head has the distribution of its scores (from
    the cells of the histogram; the mean of probabilities is exact), the counts of its labels, and
    the mean of its weights; heads of several classes have of these what was measured for their
    metrics: the scores as they are stored, all classes together, and rows by class of the label. A
    class that a list of labels names twice counts once. What was not measured is left out.

    Args:
        head: the head.
        states: its merged states of the piece, leveled, by position in what is measured.
        keys: which slices; those without rows are left out.

    Returns:
        One for each slice, in the order of `keys`.
    """
    measured = {head.measured[number]: _Sums(state) for number, state in states.items()}
    first = measured[head.measured[0]]
    return [_Slice(head, measured, first, key).statistics() for key in keys if key in first.place]


class _Sums:
    """A merged state, and its sums by slice, each made once for all slices.

    Args:
        state: the state.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.place = {key: at for at, key in enumerate(state.keys)}
        self._found: dict[tuple[str, int | None], Floats] = {}

    def of(self, key: Key, column: str, kind: int | None = None) -> float:
        """The sum of a column over a slice, of one kind of label or of all."""
        if (column, kind) not in self._found:
            rows = None if kind is None else self.state.group % LABEL_KINDS == kind
            self._found[column, kind] = self.state.by_segment(column, rows)
        return float(self._found[column, kind][self.place[key]])

    def taken(self, key: Key) -> State:
        """The state of one slice."""
        return self.state.take([self.place[key]])


class _Slice:
    """What was measured of one slice.

    Args:
        head: the head.
        measured: its merged states.
        first: that which counts the rows of every slice.
        key: the slice.
    """

    def __init__(
        self, head: HeadPlan, measured: Mapping[ModelStatistic, _Sums], first: _Sums, key: Key
    ) -> None:
        self._head = head
        self._measured = measured
        self._first = first
        self._key = key
        self._rows = int(first.of(key, "rows"))
        self._weight = first.of(key, "weight") if head.context.weighted else None

    def statistics(self) -> SliceStatistics:
        features: dict[tuple[str, ...], NumericFeature | TextFeature] = {}
        for feature in (*self._scores(), self._labels(), *self._weights()):
            # A column that is two things at once is described as the first.
            features.setdefault(feature.path, feature)
        return SliceStatistics(
            self._head.name, self._key, self._rows, self._weight, tuple(features.values())
        )

    def _scores(self) -> Iterator[NumericFeature]:
        config = self._head.config
        for number, source in enumerate((config, config.baseline)):
            if source is None:
                continue
            score = source.logits or source.probability
            assert score is not None
            index = getattr(score, "index", None)
            path = (score.column,) if index is None else (score.column, str(index))
            yield self._score(number, path)

    def _score(self, number: int, path: tuple[str, ...]) -> NumericFeature:
        scope = self._head.models[number].context
        probabilities = scope.space.kind == "probabilities"
        per_row = scope.columns
        plain = NumericFeature(path, whole=False, rows=self._rows, per_row=per_row)
        plain = replace(plain, weight=self._weight)
        if probabilities:
            mean, weighted_mean = self._mean_probability(number)
            plain = replace(plain, mean=mean, weighted_mean=weighted_mean)
        if scope.score_histogram.of != "score" and not probabilities:
            # It is of probabilities, and these are logits.
            return plain
        own = self._own(number, scope.score_histogram) or self._own(number, scope.coarse_histogram)
        if own is None:
            return plain
        state = own.taken(self._key)
        found = summarise_scores(state, probabilities=probabilities)
        return replace(
            plain,
            mean=found.mean if plain.mean is None else plain.mean,
            std_dev=found.std_dev,
            low=found.low,
            high=found.high,
            zeros=found.zeros,
            buckets=found.buckets,
            weighted_mean=found.weighted_mean
            if plain.weighted_mean is None
            else plain.weighted_mean,
            weighted_std_dev=found.weighted_std_dev,
            rounding=2.0 ** (state.shift - 52) if state.shift else None,
        )

    def _mean_probability(self, number: int) -> tuple[float | None, float | None]:
        """The mean of probabilities, without weights and with them; None where it is not known."""
        scope = self._head.models[number].context
        own = self._own(number, scope.threshold_counts)
        if own is None:
            return None, None
        plain, weighted = self._sums(own, "probability")
        return (
            _share(plain, self._rows * scope.columns),
            _share(weighted, None if self._weight is None else self._weight * scope.columns),
        )

    def _labels(self) -> NumericFeature | TextFeature:
        config, scope = self._head.config, self._head.context
        path = (config.label.column,)
        form = config.label.form if isinstance(config, MultiLabelHeadConfig) else None
        if form == "multi_hot" or (
            isinstance(config, BinaryFields) and config.label.vocabulary is None
        ):
            return self._zero_to_one(path)
        per_row = None if form else 1
        if isinstance(config, BinaryFields):
            # Its words in the order of negative and positive, whatever that of the vocabulary.
            words: Sequence[str] | None = scope.class_names
            state = self._state(scope.threshold_counts)
            found = None if state is None else _by_class(state, state.group % LABEL_KINDS)
        else:
            words = config.label.vocabulary
            found = self._classes()
        if words is not None:
            return self._words(path, words, per_row, found)
        plain = NumericFeature(path, whole=True, rows=self._rows, per_row=per_row)
        plain = replace(plain, weight=self._weight)
        return plain if found is None else _class_ids(plain, found, scope.columns)

    def _zero_to_one(self, path: tuple[str, ...]) -> NumericFeature:
        """Labels from 0 to 1, which may lie between."""
        scope = self._head.context
        per_row, weight = scope.columns, self._weight
        plain = NumericFeature(path, False, self._rows, per_row, weight=weight)
        own = self._own(CANDIDATE, scope.threshold_counts)
        if own is None:
            return plain
        kinds = (ZERO, SOFT, ONE)
        zeros, soft, ones = rows = tuple(int(own.of(self._key, "rows", kind)) for kind in kinds)
        between, weighted_between = self._sums(own, "soft_label")
        mean = None if between is None else _share(ones + between, self._rows * per_row)
        weights = weighted_mean = None
        if weight is not None:
            weights = tuple(own.of(self._key, "weight", kind) for kind in kinds)
            if weighted_between is not None:
                weighted_mean = _share(weights[-1] + weighted_between, weight * per_row)
        # Of labels between 0 and 1 the sum alone is kept.
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

    def _classes(self) -> _Classes | None:
        """Rows by class of the label; None where they were not measured."""
        scope = self._head.context
        if scope.head == "multi_label":
            state = self._state(scope.threshold_counts)
            if state is None:
                return None
            class_, kind = np.divmod(state.group % state.statistic.groups, LABEL_KINDS)
            return _by_class(state, class_, kind == ONE)
        state = self._state(scope.class_outcomes)
        if state is not None:
            labelled = state.cell == np.uint64(LABELLED)
            return _by_class(state, state.group % state.statistic.groups, labelled)
        state = self._state(scope.confusion_matrix)
        return None if state is None else _by_class(state, state.group)

    def _words(
        self,
        path: tuple[str, ...],
        words: Sequence[str],
        per_row: int | None,
        found: _Classes | None,
    ) -> TextFeature:
        plain = TextFeature(path, self._rows, per_row, weight=self._weight)
        if found is None:
            return plain
        names = [words[class_] for class_ in found.ids.tolist()]
        counts = tuple(zip(names, found.rows.tolist(), strict=True))
        if found.weights is None:
            return replace(plain, counts=counts)
        weights = tuple(zip(names, found.weights.tolist(), strict=True))
        return replace(plain, counts=counts, weights=weights)

    def _weights(self) -> Iterator[NumericFeature]:
        if self._head.config.weight is None or self._weight is None:
            return
        mean, std_dev = self._weight / self._rows, None
        if "weight_squared" in self._first.state.sums:
            square = self._first.of(self._key, "weight_squared") / self._rows
            variance = square - mean * mean
            if variance > _LEAST_VARIANCE * square:
                std_dev = math.sqrt(variance)
        path = (self._head.config.weight,)
        yield NumericFeature(path, False, self._rows, mean=mean, std_dev=std_dev)

    def _own(self, number: int, statistic: Statistic) -> _Sums | None:
        """What was measured of a model in this slice; None if nothing was."""
        found = self._measured.get(ModelStatistic(number, statistic))
        return found if found is not None and self._key in found.place else None

    def _state(self, statistic: Statistic) -> State | None:
        """What was measured of the candidate in this slice alone."""
        own = self._own(CANDIDATE, statistic)
        return None if own is None else own.taken(self._key)

    def _sums(self, own: _Sums, value: str) -> tuple[float | None, float | None]:
        """The sum of a value without weights and with them; None where it is not kept."""
        if self._weight is None:
            return own.of(self._key, value), None
        plain = f"{UNWEIGHTED}{value}"
        unweighted = own.of(self._key, plain) if plain in own.state.sums else None
        return unweighted, own.of(self._key, value)


@dataclass(frozen=True, eq=False)
class _Classes:
    """Rows by class of the label.

    Attributes:
        ids: int64 `[c]`, the classes that occur, ascending.
        rows: int64 `[c]`.
        weights: float64 `[c]`; None without weights.
    """

    ids: Ints
    rows: Ints
    weights: Floats | None


def _by_class(state: State, ids: Ints, chosen: npt.NDArray[np.bool_] | None = None) -> _Classes:
    """Adds up the table rows of each class; `chosen` says which, None for all."""
    rows = np.arange(len(state)) if chosen is None else np.flatnonzero(chosen)
    order = rows[np.argsort(ids[rows], kind="stable")]
    found, starts = np.unique(ids[order], return_index=True)
    if not len(found):
        return _Classes(found, found, np.zeros(0) if "weight" in state.sums else None)
    weights = None
    if "weight" in state.sums:
        weights = add_columns([state.sums["weight"]], starts, order).to_float()
    return _Classes(found, np.add.reduceat(state.counts["rows"][order], starts), weights)


def _class_ids(plain: NumericFeature, found: _Classes, classes: int) -> NumericFeature:
    """Class ids as numbers."""
    if not len(found.ids):
        return plain
    values = found.ids.astype(np.float64)
    mean, std_dev = moments(values, found.rows.astype(np.float64))
    weighted_mean = weighted_std_dev = weights = None
    width = -(-classes // MOST_BUCKETS)
    edges = (*range(0, classes, width), classes)
    bucket = found.ids // width
    rows = np.zeros(len(edges) - 1, np.int64)
    np.add.at(rows, bucket, found.rows)
    if found.weights is not None:
        weights = tuple(np.bincount(bucket, found.weights, len(rows)).tolist())
        if found.weights.any():
            weighted_mean, weighted_std_dev = moments(values, found.weights)
    return replace(
        plain,
        mean=mean,
        std_dev=std_dev,
        low=float(values[0]),
        high=float(values[-1]),
        zeros=int(found.rows[0]) if found.ids[0] == 0 else 0,
        buckets=Buckets(tuple(map(float, edges)), tuple(rows.tolist()), weights),
        weighted_mean=weighted_mean,
        weighted_std_dev=weighted_std_dev,
    )


def _share(total: float | None, of: float | None) -> float | None:
    return None if total is None or not of else total / of


def _spread(mean: float | None) -> float | None:
    """The standard deviation of values that are 0 or 1."""
    return None if mean is None else math.sqrt(max(0.0, mean * (1.0 - mean)))
