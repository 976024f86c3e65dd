"""Which segment each row of a batch is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heads.statistics.keys import OVERALL, Key


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of the rows of a batch.

    Attributes:
        index: int64 `[m]`, positions in `keys`.
        keys: distinct keys; they may name segments that no row of the batch is in.
        rows: int64 `[m]`, the row that each entry is of; None if entry i is row i, which is what
            statistics measure.
        fold: int64 `[n]`, the fold of each row; None if all are in fold 0.
        by_fold: bool, for each key whether its rows are told apart by fold; None for all keys.
            Those that are not count as rows of fold 0.
    """

    index: npt.NDArray[np.int64]
    keys: Sequence[Key]
    rows: npt.NDArray[np.int64] | None = None
    fold: npt.NDArray[np.int64] | None = None
    by_fold: npt.NDArray[np.bool_] | None = None

    @classmethod
    def overall(cls, rows: int) -> Segments:
        """All rows in the one segment without conditions."""
        return cls(np.zeros(rows, np.int64), (OVERALL,))

    def __len__(self) -> int:
        return len(self.index)
