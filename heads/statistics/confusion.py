"""Which class was predicted for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.statistics.base import Elements, Statistic
from heads.statistics.scored import Scored
from heads.statistics.sums import weight_of


@dataclass(frozen=True)
class ConfusionMatrix(Statistic):
    """Rows and weights by class of the label (group) and predicted class (cell).

    Attributes:
        classes: number of classes.
        weighted: whether rows carry weights.
    """

    classes: int
    weighted: bool = False

    @property
    def sums(self) -> tuple[str, ...]:
        return ("weight",) if self.weighted else ()

    @property
    def groups(self) -> int:
        return self.classes

    @property
    def cells(self) -> int:
        return self.classes

    def elements(self, scored: Scored) -> Elements:
        if scored.predicted is None:
            raise ValueError("A confusion matrix needs predicted classes; use a multi-class head.")
        label = scored.label.ravel().astype(np.int64)
        code = label * self.classes + scored.predicted.astype(np.int64)
        return Elements(code, {"weight": weight_of(scored)} if self.weighted else {})
