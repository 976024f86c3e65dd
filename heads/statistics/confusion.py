"""Statistics of predicted classes: the confusion matrix, and outcomes by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.statistics.scored import Scored
from heads.statistics.statistic import Elements, Statistic


@dataclass(frozen=True, kw_only=True)
class ConfusionMatrix(Statistic):
    """The confusion matrix: rows and weights by class of the label (group) and prediction (cell).

    Attributes:
        classes: number of classes.
    """

    stable_name = "confusion_matrix"

    classes: int

    @property
    def groups(self) -> int:
        return self.classes

    @property
    def cells(self) -> int:
        return self.classes

    def elements(self, scored: Scored) -> Elements:
        label, predicted = scored.classes
        return Elements(label * self.classes + predicted)


LABELLED, WRONGLY, RIGHTLY, APART = 0, 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class ClassOutcomes(Statistic):
    """Rows and weights by class: labelled with it, wrongly predicted as it, or rightly so.

    The group is the class; the cells are `LABELLED`, `WRONGLY` and `RIGHTLY`. Cell `APART` of a
    group has the rows whose label and prediction are so many classes apart.

    Attributes:
        classes: number of classes.
        distances: whether rows are also counted in the cells `APART`.
    """

    stable_name = "class_outcomes"

    classes: int
    distances: bool = False

    @property
    def groups(self) -> int:
        return self.classes

    @property
    def cells(self) -> int:
        return 4 if self.distances else 3

    def elements(self, scored: Scored) -> Elements:
        label, predicted = scored.classes
        code = np.empty((len(label), 3 if self.distances else 2), np.int64)
        code[:, 0] = label * self.cells + LABELLED
        code[:, 1] = predicted * self.cells + np.where(label == predicted, RIGHTLY, WRONGLY)
        if self.distances:
            code[:, 2] = np.abs(label - predicted) * self.cells + APART
        return Elements(code.ravel(), code.shape[1])
