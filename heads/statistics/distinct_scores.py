"""The distinct scores of segments that have few of them, from which curves are exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from heads.statistics.score_histogram import ScoreHistogram


@dataclass(frozen=True, kw_only=True)
class DistinctScores(ScoreHistogram):
    """A histogram of the scores of each segment that has at most `max_cells` distinct ones.

    The cells of a `ScoreHistogram` are those of all segments together, and so a segment of few
    scores may have several of them in a cell. Here every score has a cell, whatever other segments
    hold, and a segment with more distinct scores than `max_cells`, over all its groups, is closed:
    it has a single row, of group 0 and cell `CLOSED`, whose count is 1 and whose sums are 0.
    Segments are never opened again, so which are closed does not depend on the order of rows. Rows
    are not told apart by fold, for closed segments have none.
    """

    stable_name = "distinct_scores"

    @property
    def cells(self) -> int:
        # Cells are words, which are not numbered.
        return 1

    @property
    def most_distinct(self) -> int | None:
        return self.max_cells

    def row_bytes(self) -> int:
        # Words share no bytes.
        return 15 + 9 * len(self.sums)

    def segment_rows(self) -> int:
        # Most scores are of a single group.
        return self.max_cells

    def fitting_shift(self, cells: npt.NDArray[np.uint64], shift: int) -> int:  # noqa: ARG002
        return shift

    def cell_limit(self, shift: int) -> int:
        return 0 if shift else 1 << 64


@lru_cache(maxsize=256)
def distinct_scores_of(coarse: ScoreHistogram) -> DistinctScores:
    """Returns the statistic of segments with no more distinct scores than a histogram has cells."""
    return DistinctScores(
        classes=coarse.classes,
        max_cells=coarse.max_cells,
        by_class=coarse.by_class,
        of=coarse.of,
        values=coarse.values,
        weighted=coarse.weighted,
        keep_unweighted=coarse.keep_unweighted,
    )
