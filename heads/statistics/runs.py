"""Runs of equal cells in the rows of a table: how rows are sorted, and where runs begin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import Ints, sorting_order


def run_starts(segment: Ints, group: Ints, cell: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    """Returns the first row of each run of equal cells, in sorted rows."""
    new = np.empty(len(cell), bool)
    new[:1] = True
    new[1:] = (cell[1:] != cell[:-1]) | (group[1:] != group[:-1]) | (segment[1:] != segment[:-1])
    return np.flatnonzero(new)


def segment_starts(segment: Ints) -> npt.NDArray[np.intp]:
    """Returns the first row of each segment, in sorted rows."""
    new = np.empty(len(segment), bool)
    new[:1] = True
    np.not_equal(segment[1:], segment[:-1], out=new[1:])
    return np.flatnonzero(new)


def order_of(segment: Ints, group: Ints, cell: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    """Returns the order of the rows by segment, group and cell; equal rows in any order."""
    if not len(cell):
        return np.zeros(0, np.intp)
    groups = int(group.max()) + 1
    lowest = cell.min()
    cells = int(cell.max() - lowest) + 1
    if (int(segment.max()) + 1) * groups * cells < 1 << 63:
        # A single sort key is faster than three.
        return sorting_order((segment * groups + group) * cells + (cell - lowest).view(np.int64))
    order = _order_of_words(cell)
    return order[sorting_order((segment * groups + group)[order])]


def _order_of_words(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    """Returns the order of words of 64 bits; equal words in any order."""
    bits = np.uint64(max(1, (len(words) - 1).bit_length()))
    # Sorting words whose lowest bits give way to their place is several times as fast as argsort.
    packed = np.sort((words >> bits << bits) | np.arange(len(words), dtype=np.uint64))
    order = (packed & ((np.uint64(1) << bits) - np.uint64(1))).view(np.int64)
    # The few words that differ in those bits alone are put in order by themselves.
    high = packed >> bits
    equal = np.append(high[1:] == high[:-1], False)
    equal[1:] |= equal[:-1]
    alike = np.flatnonzero(equal)
    if len(alike):
        order[alike] = order[alike][np.lexsort((words[order[alike]], high[alike]))]
    return order


def add_runs(column: Ints, starts: npt.NDArray[np.intp]) -> Ints:
    """Adds up the runs of a column that begin at `starts`, `[m]`."""
    if not len(starts):
        return column[:0]
    total: Ints = np.add.reduceat(column, starts)
    return total
