"""Values of quantiles without each fold, by their linear approximation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Values
from heads.metrics.error_quantiles import ErrorQuantile
from pipeline.confidence.jackknife import jackknife
from pipeline.results.state_views import StateViews

Floats = npt.NDArray[np.float64]

# So many standard errors around the quantile the distribution is taken for a straight line.
_REACH = 2.0


def linearised(
    metric: ErrorQuantile,
    value: Floats,
    folds: StateViews,
    finer: Sequence[StateViews],
    *,
    weighted: bool,
) -> Values:
    """Returns the values of a quantile without each fold, `[s * f]`, slice by slice.

    The quantile itself jumps from row to row as a fold is left out, so that its jackknife has no
    right error. The share of the weight up to the quantile is smooth: without a fold the quantile
    moves by how far that share does, over the density of the errors there. The density is that
    between the quantiles two standard errors of the share to both sides (R. S. Woodruff,
    "Confidence intervals for medians and other position measures", 1952).

    Args:
        metric: the metric.
        value: float64 `[s]`, its values.
        folds: the views of the histogram that is kept by fold.
        finer: the views of finer histograms; the first that have a slice are read.
        weighted: whether rows count by their weights; else every row weighs 1.
    """
    present = folds.present
    share = metric.quantile
    known = np.flatnonzero((folds.fold_place >= 0) & np.isfinite(value)).tolist()
    shares = _shares(metric, folds, known, weighted=weighted)
    error = jackknife(shares, present, np.isfinite(shares)).standard_error
    replicates = np.repeat(value[:, np.newaxis], present.shape[1], axis=1)
    found = [(views, metric.cells(views.whole(weighted=weighted))) for views in (*finer, folds)]
    for slice_place in known:
        reach = _REACH * error[slice_place]
        views, cells = next(pair for pair in found if pair[0].place[slice_place] >= 0)
        ends = np.clip([share - reach, share + reach], 0.0, 1.0)
        if not reach > 0:
            continue
        low, high = (
            cells.quantile(int(views.place[slice_place]), end, cells.lowest) for end in ends
        )
        moved = shares[slice_place] - np.mean(shares[slice_place][present[slice_place]])
        replicates[slice_place] -= moved * (high - low) / (ends[1] - ends[0])
    return Values(replicates.ravel(), {})


def _shares(
    metric: ErrorQuantile, folds: StateViews, known: Sequence[int], *, weighted: bool
) -> Floats:
    """Returns the shares of the weight up to the quantile without each fold `[s, f]`.

    It is up to the end of the cell that is nearest; NaN in slices that are not known.
    """
    number = folds.present.shape[1]
    shares = np.full((len(folds.place), number), np.nan)
    if not known:
        return shares
    whole = metric.cells(folds.whole(weighted=weighted))
    without = metric.cells(folds.without(weighted=weighted))
    for slice_place in known:
        segment = int(folds.place[slice_place])
        reached = whole.reached[whole.of(segment)]
        cell = int(np.abs(reached - metric.quantile * reached[-1]).argmin())
        first = int(folds.fold_place[slice_place]) * number
        # Without a fold, the cells are the same.
        ends = without.bounds[first : first + number]
        totals = without.total[first : first + number]
        with np.errstate(invalid="ignore", divide="ignore"):
            shares[slice_place] = without.reached[ends + cell] / totals
    return shares
