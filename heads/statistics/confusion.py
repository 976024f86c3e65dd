"""How often the predicted class is the label's, and which class was predicted for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.statistics.base import Elements, Statistic
from heads.statistics.exact import Ints
from heads.statistics.scored import Scored
from heads.statistics.sums import weight_of


@dataclass(frozen=True)
class Hits(Statistic):
    """Rows and weights by whether the predicted class is the label's: cell 1, else cell 0.

    Attributes:
        weighted: whether rows carry weights.
    """

    weighted: bool = False

    @property
    def sums(self) -> tuple[str, ...]:
        return ("weight",) if self.weighted else ()

    @property
    def groups(self) -> int:
        return 1

    @property
    def cells(self) -> int:
        return 2

    def elements(self, scored: Scored) -> Elements:
        label, predicted = _classes(scored)
        hit = (label == predicted).astype(np.int64)
        return Elements(hit, {"weight": weight_of(scored)} if self.weighted else {})


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
        label, predicted = _classes(scored)
        code = label * self.classes + predicted
        return Elements(code, {"weight": weight_of(scored)} if self.weighted else {})


def _classes(scored: Scored) -> tuple[Ints, Ints]:
    """The class of each label and prediction `[n]`."""
    if scored.predicted is None:
        raise ValueError("Predicted classes are needed; use a multi-class head.")
    return scored.label.ravel().astype(np.int64), scored.predicted.astype(np.int64)
