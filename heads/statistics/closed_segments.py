"""Closed segments: those that have more distinct cells than their statistic keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import ExactColumn, Ints
from heads.statistics.runs import order_of, run_starts

CLOSED = ~np.uint64(0)
"""The cell of the only row of a closed segment: the word of no score."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The table rows of a state.

    Attributes:
        segment: int64 `[m]`, ascending.
        group: int64 `[m]`.
        cell: uint64 `[m]`.
        counts: int64 `[m]` by column name.
        sums: exact sums `[m]` by column name.
    """

    segment: Ints
    group: Ints
    cell: npt.NDArray[np.uint64]
    counts: Mapping[str, Ints]
    sums: Mapping[str, ExactColumn]


def close_segments(rows: Rows, segments: int, most: int) -> Rows:
    """Returns rows in which a segment of more than `most` cells has the row of a closed one.

    Args:
        rows: the rows; they are returned themselves if there is nothing to do.
        segments: the number of segments.
        most: how many distinct cells a segment may have.
    """
    closed = closed_segments(rows.segment, rows.cell, segments, most)
    return with_closed(rows, closed)


def with_closed(rows: Rows, closed: npt.NDArray[np.bool_]) -> Rows:
    """Returns rows in which closed segments have the row of one.

    Args:
        rows: the rows, here with the segments in any order; they are returned themselves if there
            is nothing to do.
        closed: bool `[s]`, which segments are closed.
    """
    in_closed = closed[rows.segment]
    first = np.zeros(len(closed), np.int64)
    backwards = np.flatnonzero(in_closed)[::-1]
    first[rows.segment[backwards]] = backwards
    in_closed[first[rows.segment[backwards]]] = False
    kept = np.flatnonzero(~in_closed)
    stands_for_all = closed[rows.segment[kept]]
    counted = all((column[kept][stands_for_all] == 1).all() for column in rows.counts.values())
    if len(kept) == len(rows.segment) and counted and (rows.cell[stands_for_all] == CLOSED).all():
        return rows
    others = np.flatnonzero(~stands_for_all)
    return Rows(
        rows.segment[kept],
        np.where(stands_for_all, 0, rows.group[kept]),
        np.where(stands_for_all, CLOSED, rows.cell[kept]),
        {name: np.where(stands_for_all, 1, column[kept]) for name, column in rows.counts.items()},
        {name: column.take(kept).only(others) for name, column in rows.sums.items()},
    )


def crowded_segments(
    segment: Ints, cell: npt.NDArray[np.uint64], segments: int, most: int
) -> npt.NDArray[np.bool_]:
    """Returns segments that surely have more than `most` distinct cells, bool `[s]`, unsorted.

    Cells are counted by the place that a hash gives them, and so never more than once. Most of the
    segments with many more cells than `most` are found, for a fraction of what sorting costs.

    Args:
        segment: int64 `[m]`, the segment of each table row, in any order.
        cell: uint64 `[m]`, the cell of each table row.
        segments: the number of segments, `s`.
        most: how many distinct cells a segment may have.
    """
    many = np.flatnonzero(np.bincount(segment, minlength=segments) > most)
    place = np.full(segments, -1)
    place[many] = np.arange(len(many))
    bits = (4 * most - 1).bit_length()
    row = place[segment]
    # Fibonacci hashing: the highest bits of a product with 2^64 over the golden ratio.
    slot = (cell * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - bits)).view(np.int64)
    occupied = np.zeros((len(many) + 1, 1 << bits), np.bool_)
    occupied[row, slot] = True
    crowded = np.zeros(segments, np.bool_)
    crowded[many] = np.count_nonzero(occupied[:-1], axis=1) > most
    return crowded


def closed_segments(
    segment: Ints, cell: npt.NDArray[np.uint64], segments: int, most: int
) -> npt.NDArray[np.bool_]:
    """Returns which segments are closed, or have more than `most` distinct cells, bool `[s]`.

    Args:
        segment: int64 `[m]`, the segment of each table row, ascending.
        cell: uint64 `[m]`, the cell of each table row.
        segments: the number of segments, `s`.
        most: how many distinct cells a segment may have.
    """
    closed = np.zeros(segments, np.bool_)
    closed[segment[cell == CLOSED]] = True
    # A segment has at most as many distinct cells as rows.
    many = np.bincount(segment, minlength=segments) > most
    rows = np.flatnonzero(many[segment])
    if len(rows):
        no_group = np.zeros(len(rows), np.int64)
        order = order_of(segment[rows], no_group, cell[rows])
        rows = rows[order]
        starts = run_starts(segment[rows], no_group, cell[rows])
        closed |= np.bincount(segment[rows[starts]], minlength=segments) > most
    return closed
