"""The segments of the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heads.statistics.keys import OVERALL, Key


@dataclass(frozen=True, eq=False)
class Segments:
    """A list of `m` entries that each put a row of a batch into a segment.

    Attributes:
        index: int64 `[m]`, the segment of each entry, as a position in `keys`.
        keys: distinct keys; they may name segments without rows in the batch.
        rows: int64 `[m]`, the row of each entry; None if entry `i` is of row `i`, as statistics
            need it.
        fold: int64 `[n]`, the fold of each row; None if all are in fold 0.
        by_fold: bool, for each key whether its rows are counted by fold; otherwise they count as
            rows of fold 0. None if all keys are counted by fold.
    """

    index: npt.NDArray[np.int64]
    keys: Sequence[Key]
    rows: npt.NDArray[np.int64] | None = None
    fold: npt.NDArray[np.int64] | None = None
    by_fold: npt.NDArray[np.bool_] | None = None

    @classmethod
    def overall(cls, rows: int) -> Segments:
        """Returns segments that put all rows into the overall segment."""
        return cls(np.zeros(rows, np.int64), (OVERALL,))

    def __len__(self) -> int:
        return len(self.index)
