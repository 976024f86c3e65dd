"""The statistic of exact counts between fixed cuts of the score."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from heads.statistics.exact import Floats, Ints
from heads.statistics.scored import Scored
from heads.statistics.statistic import Elements, Statistic

# Sign, exponent and 8 bits of mantissa: so narrow that few table cells hold more than one cut.
_TABLE_BITS = 20

ZERO, ONE, SOFT = 0, 1, 2
"""The kinds of labels: 0, 1, and soft ones between, which are positive but equal no prediction."""
LABEL_KINDS = 3


@dataclass(frozen=True, kw_only=True)
class ThresholdCounts(Statistic):
    """Rows and sums by class, kind of label and interval of the score between cuts.

    The group is `class * 3 + kind of label`. Cell 0 holds NaN scores, cell `1 + i` the scores above
    exactly `i` of the cuts; a score equal to a cut is not above it.

    Attributes:
        cuts: distinct cuts of the score, ascending.
        classes: the number of columns of the score, 1 for a binary head.
        by_class: whether classes are counted separately; otherwise all count as class 0.
        of: what is cut: `score`, the scores as stored; or `class_probability`, the probabilities of
            exclusive classes, whose labels are class ids.
    """

    stable_name = "threshold_counts"

    cuts: tuple[float, ...]
    classes: int = 1
    by_class: bool = True
    of: Literal["score", "class_probability"] = "score"

    @property
    def groups(self) -> int:
        return LABEL_KINDS * (self.classes if self.by_class else 1)

    @property
    def cells(self) -> int:
        return len(self.cuts) + 2

    def segment_rows(self) -> int:
        # Nearly all scores are numbers, and nearly all labels 0 or 1.
        return self.folds * (self.groups * 2 // LABEL_KINDS) * (self.cells - 1)

    def elements(self, scored: Scored) -> Elements:
        if self.of == "class_probability":
            score = scored.probability.ravel()
            group = (scored.label == np.arange(self.classes)).astype(np.int64).ravel()
        else:
            score, group = scored.score.ravel(), label_kind(scored.label.ravel())
        if self.by_class and self.classes > 1:
            group += np.tile(np.arange(self.classes) * LABEL_KINDS, len(scored))
        code = group * self.cells
        code += _cut_index(self.cuts).cells(score)
        return Elements(code, self.classes)


def label_kind(label: Floats) -> Ints:
    """Returns the kind of each label, int64 `[n]`."""
    kind: Ints = (label != 0).astype(np.int64)
    soft = label != kind
    if soft.any():
        kind[soft] = SOFT
    return kind


class _CutIndex:
    """A table over the leading bits of floats that finds the interval of a score."""

    def __init__(self, cuts: tuple[float, ...]) -> None:
        # Adding zero makes -0.0 the same cut as 0.0.
        self._cuts = np.array([*cuts, np.inf]) + 0.0
        self._shift = np.uint64(64 - _TABLE_BITS)
        half = 1 << (_TABLE_BITS - 1)
        # The table cell of each cut, numbered from the lowest float to the highest.
        leading = (self._cuts[:-1].view(np.uint64) >> self._shift).view(np.int64)
        place = np.where(leading < half, leading + half, 2 * half - 1 - leading)
        inside = np.bincount(place, minlength=2 * half)
        below = (np.cumsum(inside) - inside).astype(np.int32)
        # The number of cuts below each table cell; negative floats fall as their bits grow.
        self._table = np.concatenate([below[half:], below[:half][::-1]])
        # Cuts inside the table cell of the score are left, and each costs a comparison.
        self._comparisons = int(inside.max())

    def cells(self, score: Floats) -> Ints:
        """Returns the cell of each score, as `ThresholdCounts` numbers them."""
        index = (score.view(np.uint64) >> self._shift).view(np.int64)
        cell = self._table.take(index)
        for _ in range(self._comparisons):
            cell += score > self._cuts.take(cell)
        cell += 1
        out: Ints = cell.astype(np.int64)
        nan = np.isnan(score)
        if nan.any():
            out[nan] = 0
        return out


@lru_cache(maxsize=64)
def _cut_index(cuts: tuple[float, ...]) -> _CutIndex:
    return _CutIndex(cuts)
