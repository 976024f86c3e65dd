"""The adaptive score histogram, from which curves and rank metrics are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from heads.statistics.cell_index import (
    Words,
    distinct_cells,
    fitting_shift,
)
from heads.statistics.scored import Scored
from heads.statistics.statistic import Elements, Statistic

MAX_CELLS = 1 << 14
"""So many cells keep the bounds of areas within a thousandth, on scores of any scale."""


Divided = Literal["logit", "probability", "class_probability", "prediction", "error"]


@dataclass(frozen=True, kw_only=True)
class ScoreHistogram(Statistic):
    """A histogram of scores: rows and weights by class, label and cell of the score.

    A cell is the word of the score (`heads.statistics.score_cells`) without the `shift` lowest
    bits. The shift is the smallest that leaves at most `max_cells` cells occupied, over all
    segments and classes. Occupied cells are never freed, so the shift does not depend on the order
    of rows. The group is `class * 2 + (label != 0)`. With shift 0 a cell holds a single score:
    nothing is lost.

    Attributes:
        classes: the number of columns of the score, 1 for a binary head.
        max_cells: how many cells may be occupied.
        by_class: whether classes are counted separately; otherwise all count as class 0.
        of: what is divided into cells: `logit`, scores that are logits; `probability`, scores that
            are probabilities; or `class_probability`, the probabilities of exclusive classes, whose
            labels are class ids. Of a regression head, `prediction`, or `error`: prediction -
            label; the group is then always 0.
    """

    stable_name = "score_histogram"

    classes: int = 1
    max_cells: int = MAX_CELLS
    by_class: bool = True
    of: Divided = "logit"

    def __post_init__(self) -> None:
        if not self.max_cells >= 2:
            raise ValueError(f"max_cells must be at least 2, got {self.max_cells}.")

    @property
    def probabilities(self) -> bool:
        """Whether probabilities are divided into cells."""
        return self.of in ("probability", "class_probability")

    @property
    def labelled(self) -> bool:
        """Whether rows are told apart by their label."""
        return self.of not in ("prediction", "error")

    @property
    def groups(self) -> int:
        return (2 if self.labelled else 1) * (self.classes if self.by_class else 1)

    @property
    def cells(self) -> int:
        return self.max_cells

    def row_bytes(self) -> int:
        # Most weights have a single limb.
        return 6 + 6 * len(self.sums)

    def segment_rows(self) -> int:
        # The shift leaves from half of the cells to all of them occupied.
        return self.folds * self.groups * self.max_cells * 3 // 4

    def elements(self, scored: Scored) -> Elements:
        """Returns the elements without their cells, which depend on the accumulator's shift."""
        if not self.labelled:
            return Elements(np.zeros(len(scored), np.int64))
        if self.of == "class_probability":
            group = (scored.label == np.arange(self.classes)).astype(np.int64).ravel()
        else:
            group = scored.label_set
        if self.by_class and self.classes > 1:
            group = group + np.tile(np.arange(self.classes) * 2, len(scored))
        return Elements(group * self.cells, self.classes)

    def divided(self, scored: Scored) -> Words:
        """Returns the plain bits of the values to divide into cells, uint64 `[n * classes]`."""
        if self.of == "error":
            return scored.error_bits
        if self.of == "prediction":
            return scored.prediction_bits
        return scored.probability_bits if self.probabilities else scored.logit_bits

    def cell_limit(self, shift: int) -> int:
        return 1 << (64 - shift)

    def fitting_shift(self, cells: Words, shift: int) -> int:
        occupied = distinct_cells(cells)
        if len(occupied) <= self.max_cells:
            return shift
        return fitting_shift(occupied, shift, self.max_cells)
