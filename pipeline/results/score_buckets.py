"""What the cells of a score histogram say of the scores, for one slice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heads.statistics import State
from heads.statistics.exact import add_columns
from heads.statistics.score_histogram import cell_floors
from pipeline.results.feature_statistics import Buckets

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

MOST_BUCKETS = 100

_SIGN = np.uint64(1 << 63)
# A cell of 0 holds nothing else, but for subnormal numbers.
_ZERO_SHIFT = 52


@dataclass(frozen=True)
class ScoreSummary:
    """The scores of one slice, as far as cells tell them apart.

    Attributes:
        low: no score is below; it is the lowest where nothing was rounded.
        high: no score is above; it is the highest where nothing was rounded.
        mean: the mean, of scores in the middle of their cells.
        std_dev: the standard deviation of the same.
        weighted_mean: the mean with weights; None without weights, or where they sum to 0.
        weighted_std_dev: the standard deviation with weights.
        zeros: scores that are 0, subnormal numbers among them; None if that is not known.
        buckets: at most 100 of nearly equal width; as edges are those of cells, counts are exact.
    """

    low: float
    high: float
    mean: float
    std_dev: float
    weighted_mean: float | None
    weighted_std_dev: float | None
    zeros: int | None
    buckets: Buckets


def summarise_scores(state: State, *, probabilities: bool) -> ScoreSummary:
    """The scores of a slice from its histogram.

    Args:
        state: the histogram of this slice alone, of any folds and classes; it has rows.
        probabilities: whether the scores are in [0, 1].
    """
    shift = state.shift
    order = np.argsort(state.cell, kind="stable")
    cells, starts = np.unique(state.cell[order], return_index=True)
    rows = np.add.reduceat(state.counts["rows"][order], starts)
    floors, tops = cell_floors(cells, shift), _cell_tops(cells, shift)
    if probabilities:
        floors, tops = np.maximum(floors, 0.0), np.minimum(tops, 1.0)
    middles = np.where(floors == tops, floors, floors / 2 + tops / 2)
    mean, std_dev = moments(middles, rows.astype(np.float64))
    weights = weighted_mean = weighted_std_dev = None
    if "weight" in state.sums:
        own = add_columns([state.sums["weight"]], starts, order).to_float()
        if own.any():
            weighted_mean, weighted_std_dev = moments(middles, own)
    edges = _inner_edges(cells, shift, floors[0], tops[-1])
    first = np.searchsorted(cells, edges)
    # Buckets without cells have nothing to add up.
    bounds = np.append(np.concatenate([[0], first]), len(cells))
    counts = np.diff(np.concatenate([[0], np.cumsum(rows)])[bounds])
    if "weight" in state.sums:
        used = np.flatnonzero(np.diff(bounds))
        weights = np.zeros(len(counts))
        runs = starts[bounds[:-1][used]]
        weights[used] = add_columns([state.sums["weight"]], runs, order).to_float()
    low, high = float(floors[0]), float(tops[-1])
    return ScoreSummary(
        low,
        high,
        mean,
        std_dev,
        weighted_mean,
        weighted_std_dev,
        _zeros(cells, rows, shift),
        Buckets(
            (low, *map(float, cell_floors(edges, shift)), high),
            tuple(counts.tolist()),
            None if weights is None else tuple(weights.tolist()),
        ),
    )


def moments(values: Floats, weights: Floats) -> tuple[float, float]:
    """The mean and the standard deviation of weighted values `[v]`; NaN where weights overflow."""
    # A power of two takes the squares of large values out of danger, and changes no digit.
    _, scale = np.frexp(np.abs(values).max())
    scaled = np.ldexp(values, -scale)
    try:
        with np.errstate(over="ignore"):
            total = math.fsum(weights)
            mean = math.fsum(scaled * weights) / total
            variance = math.fsum(np.square(scaled - mean) * weights) / total
    except OverflowError:
        return math.nan, math.nan
    return float(np.ldexp(mean, scale)), float(np.ldexp(math.sqrt(variance), scale))


def _cell_tops(cells: Words, shift: int) -> Floats:
    """The highest finite score of each cell."""
    bits = (cells << np.uint64(shift)) | np.uint64((1 << shift) - 1)
    tops: Floats = np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float64)
    return np.where(np.isfinite(tops), tops, np.finfo(np.float64).max)


def _inner_edges(cells: Words, shift: int, low: float, high: float) -> Words:
    """The cells at which buckets begin, but for the first bucket; ascending."""
    share = np.arange(1, MOST_BUCKETS) / MOST_BUCKETS
    wanted = low * (1 - share) + high * share + 0.0
    raw = wanted.view(np.uint64)
    found = np.where(raw & _SIGN, ~raw, raw | _SIGN) >> np.uint64(shift)
    return np.unique(found[(found > cells[0]) & (found <= cells[-1])])


def _zeros(cells: Words, rows: npt.NDArray[np.int64], shift: int) -> int | None:
    at = int(np.searchsorted(cells, _SIGN >> np.uint64(shift)))
    if at == len(cells) or cells[at] != _SIGN >> np.uint64(shift):
        return 0
    return int(rows[at]) if shift <= _ZERO_SHIFT else None
