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


LABELLED, WRONGLY, RIGHTLY = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class ClassOutcomes(Statistic):
    """Rows and weights by class: labelled with it, wrongly predicted as it, or rightly so.

    The group is the class; the cells are `LABELLED`, `WRONGLY` and `RIGHTLY`.

    Attributes:
        classes: number of classes.
    """

    stable_name = "class_outcomes"

    classes: int

    @property
    def groups(self) -> int:
        return self.classes

    @property
    def cells(self) -> int:
        return 3

    def elements(self, scored: Scored) -> Elements:
        label, predicted = scored.classes
        code = np.empty((len(label), 2), np.int64)
        code[:, 0] = label * 3 + LABELLED
        code[:, 1] = predicted * 3 + np.where(label == predicted, RIGHTLY, WRONGLY)
        return Elements(code.ravel(), 2)
