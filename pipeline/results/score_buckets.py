"""Summarises the scores of one slice from the cells of their histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heads.statistics import State
from heads.statistics.exact import add_columns
from heads.statistics.score_cells import (
    SIGN,
    highest_scores,
    logit_bits,
    lowest_scores,
    ordered,
    probability_bits,
)
from heads.statistics.score_histogram import ScoreHistogram
from pipeline.results.feature_statistics import Buckets

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

MOST_BUCKETS = 100
"""How many buckets a histogram of values has at most."""

# With a shift up to this, the cell of the logit 0 holds no other numbers than 0 and subnormal ones.
_ZERO_SHIFT = 52


@dataclass(frozen=True)
class ScoreSummary:
    """The distribution of the scores of one slice, as exact as the cells of their histogram.

    A mean or a standard deviation takes every score to be in the middle of its cell.

    Attributes:
        low: a number that no score is below; the lowest score if scores were not rounded.
        high: a number that no score is above; the highest score if scores were not rounded.
        mean: the mean of the scores.
        std_dev: the standard deviation of the scores.
        weighted_mean: the weighted mean; None without weights, or if all weights are 0.
        weighted_std_dev: the weighted standard deviation; None where `weighted_mean` is.
        zeros: the number of scores that are 0, subnormal numbers included; None if it is not known.
        buckets: at most `MOST_BUCKETS` buckets of nearly equal width. Their edges are edges of
            cells, so that their counts are exact. A weight is infinite if it is too large for
            float64.
    """

    low: float
    high: float
    mean: float
    std_dev: float
    weighted_mean: float | None
    weighted_std_dev: float | None
    zeros: int | None
    buckets: Buckets


def summarise_scores(state: State) -> ScoreSummary:
    """Returns the summary of the scores of a slice.

    Args:
        state: the score histogram of this slice alone, in units, with any number of folds and
            classes; it must have rows.
    """
    shift = state.shift
    assert isinstance(state.statistic, ScoreHistogram)
    probabilities = state.statistic.probabilities
    order = np.argsort(state.cell, kind="stable")
    cells, starts = np.unique(state.cell[order], return_index=True)
    rows = np.add.reduceat(state.counts["rows"][order], starts)
    floors, tops = (
        scores(cells, shift, probabilities=probabilities)
        for scores in (lowest_scores, highest_scores)
    )
    middles = np.where(floors == tops, floors, floors / 2 + tops / 2)
    mean, std_dev = moments(middles, rows.astype(np.float64))
    weights = weighted_mean = weighted_std_dev = None
    if "weight" in state.sums:
        cell_weights = _floats(state, starts, order)
        if cell_weights.any():
            weighted_mean, weighted_std_dev = moments(middles, cell_weights)
    edges = _inner_edges(cells, shift, floors[0], tops[-1], probabilities=probabilities)
    inner = lowest_scores(edges, shift, probabilities=probabilities)
    first = np.searchsorted(cells, edges)
    # The cells of bucket i are those from bounds[i] up to bounds[i + 1], which may be none.
    bounds = np.append(np.concatenate([[0], first]), len(cells))
    counts = np.diff(np.concatenate([[0], np.cumsum(rows)])[bounds])
    if "weight" in state.sums:
        filled = np.flatnonzero(np.diff(bounds))
        weights = np.zeros(len(counts))
        unit = 0 if state.exponents is None else state.exponents[0]
        with np.errstate(over="ignore"):
            weights[filled] = np.ldexp(_floats(state, starts[bounds[:-1][filled]], order), unit)
    low, high = float(floors[0]), float(tops[-1])
    return ScoreSummary(
        low,
        high,
        mean,
        std_dev,
        weighted_mean,
        weighted_std_dev,
        _zeros(cells, rows, shift, probabilities=probabilities),
        Buckets(
            (low, *map(float, inner), high),
            tuple(counts.tolist()),
            None if weights is None else tuple(weights.tolist()),
        ),
    )


def _floats(state: State, starts: npt.NDArray[np.intp], order: npt.NDArray[np.intp]) -> Floats:
    """Returns the weights of runs of table rows of a state with one segment, in its unit."""
    sums = add_columns([state.sums["weight"]], starts, order)
    return state.floats("weight", sums, np.zeros(len(starts), np.int64))


def moments(values: Floats, weights: Floats) -> tuple[float, float]:
    """Returns the mean and the standard deviation of weighted values.

    Args:
        values: float64 `[v]`, the values; at least one.
        weights: float64 `[v]`, their weights, which must not all be 0; their sum must be finite.
    """
    # Scaling by a power of two keeps the squares of large values finite, and changes no digit.
    _, scale = np.frexp(np.abs(values).max())
    scaled = np.ldexp(values, -scale)
    total = math.fsum(weights)
    mean = math.fsum(scaled * weights) / total
    variance = math.fsum(np.square(scaled - mean) * weights) / total
    return float(np.ldexp(mean, scale)), float(np.ldexp(math.sqrt(variance), scale))


def _inner_edges(
    cells: Words, shift: int, low: float, high: float, *, probabilities: bool
) -> Words:
    """Returns the cells at which all buckets but the first begin, in ascending order.

    Args:
        cells: uint64 `[c]`, the cells that have rows, ascending.
        shift: the shift of the histogram.
        low: the lower edge of the first bucket.
        high: the upper edge of the last bucket.
        probabilities: whether the scores are probabilities.
    """
    share = np.arange(1, MOST_BUCKETS) / MOST_BUCKETS
    wanted = low * (1 - share) + high * share
    bits = probability_bits(wanted) if probabilities else logit_bits(wanted)
    edges = ordered(bits) >> np.uint64(shift)
    return np.unique(edges[(edges > cells[0]) & (edges <= cells[-1])])


def _zeros(
    cells: Words, rows: npt.NDArray[np.int64], shift: int, *, probabilities: bool
) -> int | None:
    """Returns how many scores are 0; None if their cell may hold other scores too."""
    zero = (SIGN - np.uint64(probabilities)) >> np.uint64(shift)
    at = int(np.searchsorted(cells, zero))
    if at == len(cells) or cells[at] != zero:
        return 0
    return int(rows[at]) if probabilities or shift <= _ZERO_SHIFT else None
