"""Statistics of two models on the same rows: where their predictions differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.statistics.scored import Scored
from heads.statistics.statistic import Elements, Statistic
from heads.statistics.threshold_counts import LABEL_KINDS, label_kind


@dataclass(frozen=True, kw_only=True)
class Flips(Statistic):
    """Rows and weights by the predictions of a candidate and a baseline, for independent classes.

    The group is `cut * 3 + kind of label`, the cell `2 * candidate + baseline`, where
    `candidate` and `baseline` are 1 if that model predicts positive, else 0.

    Attributes:
        cuts: pairs of cuts of the score in a flat tuple, for the candidate and for the baseline.
        classes: the number of columns of the score.
    """

    stable_name = "flips"

    cuts: tuple[float, ...]
    classes: int = 1

    @property
    def groups(self) -> int:
        return LABEL_KINDS * (len(self.cuts) // 2)

    @property
    def cells(self) -> int:
        return 4

    def elements(self, scored: Scored) -> Elements:
        assert scored.baseline is not None
        candidate, baseline = scored.score.ravel(), scored.baseline.score.ravel()
        kind = label_kind(scored.label.ravel())
        pairs = len(self.cuts) // 2
        code = np.empty((len(kind), pairs), np.int64)
        for pair in range(pairs):
            group = pair * LABEL_KINDS + kind
            first = candidate > self.cuts[2 * pair]
            code[:, pair] = group * 4 + 2 * first + (baseline > self.cuts[2 * pair + 1])
        return Elements(code.ravel(), self.classes * pairs)


@dataclass(frozen=True, kw_only=True)
class ClassFlips(Statistic):
    """Rows and weights by whether two models predict the same class, and which of them is right.

    The cell is `4 * same + 2 * candidate right + baseline right`, where each term is 1 or 0.
    """

    stable_name = "class_flips"

    @property
    def groups(self) -> int:
        return 1

    @property
    def cells(self) -> int:
        return 8

    def elements(self, scored: Scored) -> Elements:
        assert scored.baseline is not None
        label, candidate = scored.classes
        _, baseline = scored.baseline.classes
        same = candidate == baseline
        return Elements(4 * same + 2 * (candidate == label) + (baseline == label))
