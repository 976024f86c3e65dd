"""The statistic of sums over the rows of a regression head."""

from __future__ import annotations

from dataclasses import dataclass

from heads.statistics.scored import Scored
from heads.statistics.statistic import Elements, Statistic

ZERO_LABEL, OTHER_LABEL = 0, 1
"""The groups of `LabelSums`: the rows whose label is 0, and all others."""


@dataclass(frozen=True, kw_only=True)
class LabelSums(Statistic):
    """The number of rows, and the sums of their values, by whether the label is 0.

    The group is `ZERO_LABEL` or `OTHER_LABEL`: an error relative to a label of 0 has no meaning.
    """

    stable_name = "label_sums"

    @property
    def groups(self) -> int:
        return 2

    def elements(self, scored: Scored) -> Elements:
        return Elements(scored.label_set)
