"""One batch of rows in one pass: which rows each statistic measures, and in which segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.statistics import Scored, Segments
from heads.statistics.statistic import Coverage
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.extract.folds import Hashes, mix, row_identity
from pipeline.extract.head_inputs import Extracted
from pipeline.slicing.slicer import Pass

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def score_rows(head: HeadPlan, columns: Extracted, hashes: Hashes | None) -> Scored:
    """Returns the rows as the head scores them, with the scores of its baseline as `baseline`.

    Args:
        head: the head.
        columns: the columns of the head.
        hashes: uint64 `[n]`, the hash of the file and the number of each row; None if the rows
            need not be compared with those of another run.
    """
    by_model = zip(head.models, (columns.scores, columns.baseline), columns.intervals, strict=False)
    models = [
        replace(
            head.head.score(scores, columns.labels, columns.weights, model.context.space.kind),
            interval=interval,
        )
        for model, scores, interval in by_model
        if scores is not None
    ]
    identity = None if hashes is None else _identity(columns, hashes)
    baseline = replace(models[1], skip_weightless=True) if len(models) > 1 else None
    return replace(models[0], baseline=baseline, identity=identity, skip_weightless=True)


def _identity(columns: Extracted, hashes: Hashes) -> Hashes:
    """Returns a hash of the file, number, label and weight of each row, uint64 `[n]`."""
    classes = columns.labels.shape[1]
    factors = 2 * row_identity("columns", np.arange(classes + 1)) + np.uint64(1)
    if classes == 1:
        mixed = _bits(columns.labels[:, 0]) * factors[0]
    else:
        # Sums of whole numbers have no order.
        mixed = (_bits(columns.labels) * factors[:-1]).sum(axis=1, dtype=np.uint64)
    if columns.weights is not None:
        mixed += _bits(columns.weights) * factors[-1]
    return mix(hashes, mixed)


def _bits(values: Floats) -> Hashes:
    """Returns the bits of numbers as uint64, of the same shape.

    Small whole numbers differ only in their upper bits, which are therefore mixed into the lower.
    """
    # Adding zero makes -0.0 the same as 0.0.
    bits = (values + 0.0).view(np.uint64)
    bits ^= bits >> np.uint64(52)
    return bits


def measured_models(scored: Scored, passes: int) -> list[Scored]:
    """Returns the rows to measure for each model of a head.

    Args:
        scored: the rows as the head scored them.
        passes: how many passes over the rows there are.
    """
    models = (scored, scored.baseline)
    return [replace(model, passes=passes) for model in models if model is not None]


class PassBatch:
    """The scored rows of a batch in one pass over the slices.

    Args:
        models: the good rows of the batch, as each model of the head scored them.
        segments_of_pass: the segments of these rows in the pass.
        fold: int64 `[n]`, the fold of each row; None without intervals.
    """

    def __init__(self, models: Sequence[Scored], segments_of_pass: Pass, fold: Ints | None) -> None:
        self._models = models
        self._fold = fold
        segments = segments_of_pass.segments
        self._entries = _Entries(segments.index, segments.rows)
        self._keys = segments.keys
        self._top_slice = segments_of_pass.top_slice
        self._taken: dict[tuple[int, int], Scored] = {}

    def of(self, coverage: Coverage, model: int) -> tuple[Scored, Segments] | None:
        """Returns the rows and segments that a statistic measures; None if there are none.

        Args:
            coverage: the slices that the statistic covers.
            model: the position of the model.
        """
        if coverage == "overall":
            overall = Segments.overall(len(self._models[model]))
            return self._models[model], replace(overall, fold=self._fold)
        entries = self._entries
        if coverage == "largest_only":
            entries = self._top_entries
        elif coverage == "small_only":
            entries = self._small_entries
        if not len(entries.index):
            return None
        fold = self._fold
        if fold is not None and entries.rows is not None:
            fold = fold.take(entries.rows)
        by_fold = None if coverage != "largest" or self._all_top else self._top_slice
        segments = Segments(entries.index, self._keys, fold=fold, by_fold=by_fold)
        return self._rows(model, entries), segments

    def _rows(self, model: int, entries: _Entries) -> Scored:
        if entries.rows is None:
            return self._models[model]
        place = (model, id(entries))
        if place not in self._taken:
            self._taken[place] = self._models[model].take(entries.rows)
        return self._taken[place]

    @cached_property
    def _all_top(self) -> bool:
        return bool(self._top_slice.all())

    @cached_property
    def _top_entries(self) -> _Entries:
        return self._entries if self._all_top else self._entries.where(self._top_slice)

    @cached_property
    def _small_entries(self) -> _Entries:
        return self._entries.where(~self._top_slice)


@dataclass(frozen=True, eq=False)
class _Entries:
    """The entries of a batch: pairs of a row and a segment that it is in.

    Attributes:
        index: int64 `[m]`, the position of the segment of each entry.
        rows: int64 `[m]`, the row of each entry; None if entry `i` is of row `i`.
    """

    index: Ints
    rows: Ints | None

    def where(self, mask: npt.NDArray[np.bool_]) -> _Entries:
        """Returns the entries of the segments that a mask `[s]` selects."""
        kept = np.flatnonzero(mask[self.index])
        return _Entries(self.index[kept], kept if self.rows is None else self.rows[kept])
