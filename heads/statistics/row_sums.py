"""Sums by row: of the loss, and of what else a row has one of."""

from __future__ import annotations

from dataclasses import dataclass

from heads.statistics.scored import Scored
from heads.statistics.statistic import Elements, Statistic


@dataclass(frozen=True, kw_only=True)
class RowSums(Statistic):
    """Rows, and the sums of their values."""

    stable_name = "row_sums"

    @property
    def groups(self) -> int:
        return 1

    def elements(self, _: Scored) -> Elements:
        return Elements(None)
