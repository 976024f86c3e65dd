"""Reads metrics from states: their values over all folds, and their values without each fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.metrics.core.bin_errors import Bins
from heads.metrics.core.contract import compute_checked
from heads.metrics.core.fold_curve import FoldCurves
from heads.metrics.core.methods import CalibrationTest, Halves, Jackknife, NoInterval
from heads.metrics.core.metric import BinomialCounts, Bounds, Metric, Values
from heads.metrics.core.score_curve import CurveMetric
from heads.metrics.error_quantiles import ErrorQuantile
from heads.statistics import State
from heads.statistics.units import exponents_of, too_far_apart
from pipeline.results.half_samples import HalfReadings, read_halves
from pipeline.results.linearised import linearised
from pipeline.results.state_views import StateViews, SupportReadings

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Reasons = npt.NDArray[np.object_]
"""An array of texts `[s]`, None where there is no reason."""

TOO_FAR_APART = "the weights are too far apart for float64"


@dataclass(frozen=True, eq=False)
class Readings:
    """The values of one metric in some slices, over all folds and without each fold.

    Attributes:
        metric: the metric.
        values: the values over all folds, `[s]`.
        replicates: the values without each fold, `[s * f]`, slice by slice. None if the metric was
            not measured by fold, or is not kept by fold in any of the slices.
        present: bool `[s, f]`, whether a fold has rows; None if the metric was not measured by
            fold.
        top_slice: bool `[s]`, whether the rows of a slice are kept by fold. Some metrics keep them
            by fold in the largest slices only; for all other metrics this is True everywhere.
        exponent: int64 `[s]`, the exponent `e` of the unit `2**e` that values and replicates of a
            slice are in: 0 but for sums of weights that float64 may not hold.
        support: what the rows that the metric is an average of say of its error; None if it was not
            measured by fold.
        unmet: bool `[s]`, where there are fewer rows than the metric requires for an interval; None
            if it requires none.
        curves: the labels of the slices by cell and fold, for a metric whose method needs them.
        halves: the values in half-samples, for a metric of that method.
        bounds: the bounds of the values, both `[s]`; None where all values are exact.
        bins: the sums in bins by slice and fold `[s, f, b]`, for a metric of bins; those of slices
            that are not kept by fold have no meaning.
        rows: float64 `[s]`, how many rows there are of those that the metric needs enough of for an
            interval, each counted once: of several parts the scarcest; None if it was not measured
            by fold.
    """

    metric: Metric
    values: Values
    replicates: Values | None
    present: Mask | None
    top_slice: Mask
    exponent: Ints
    support: SupportReadings | None
    unmet: Mask | None = None
    curves: FoldCurves | None = None
    halves: HalfReadings | None = None
    bounds: Bounds | None = None
    bins: Bins | None = None
    rows: Floats | None = None

    @cached_property
    def reasons(self) -> Reasons:
        """Says why the values are undefined, `[s]`; None where they are defined."""
        value = self.values.value
        texts = {
            **self.values.reasons,
            "the value is not a number": np.isnan(value),
            "the value is infinite": np.isinf(value),
        }
        return first_reasons(texts, len(value))

    @cached_property
    def value(self) -> Floats:
        """The values over all folds, float64 `[s]`; NaN where undefined."""
        return np.where(_defined(self.values), self.values.value, np.nan)

    @property
    def distances(self) -> tuple[Floats, Floats]:
        """How far the bounds of the values are below and above them, both float64 `[s]`."""
        value = self.values.value
        lowest, highest = self.bounds or (value, value)
        return value - lowest, highest - value

    def without(self, folds: int) -> tuple[Floats, Mask, Mask]:
        """Returns the values without each fold.

        Args:
            folds: the number of folds to return if the metric has no replicates.

        Returns:
            Three arrays `[s, f]`: the values without each fold; whether they are defined; and
            whether the folds have rows. Without replicates, all of them are zero and False.
        """
        if self.replicates is None or self.present is None:
            zeros = np.zeros((len(self.value), folds))
            return zeros, zeros > 0, zeros > 0
        shape = self.present.shape
        values = self.replicates.value.reshape(shape)
        return values, _defined(self.replicates).reshape(shape), self.present


def first_reasons(texts: Mapping[str, Mask], rows: int) -> Reasons:
    """Returns the first text that holds in each row; None where no text holds.

    Args:
        texts: for each text, in which rows it holds: bool `[rows]`. Earlier texts go first.
        rows: the number of rows.
    """
    reasons = np.full(rows, None, object)
    for text, where in reversed(list(texts.items())):
        reasons[where] = text
    return reasons


def _defined(values: Values) -> Mask:
    """Tells where values are finite and nothing says that they are undefined."""
    defined = np.isfinite(values.value)
    for where in values.reasons.values():
        defined &= ~where
    return defined


def read_metric(
    metric: Metric,
    fine: StateViews | None,
    coarse: StateViews | None,
    counted: StateViews | None,
    distinct: StateViews | None,
    *,
    weighted: bool,
) -> Readings:
    """Returns the readings of a metric in some slices.

    Together, `fine` and `coarse` must have all slices, in the same order.

    Args:
        metric: the metric.
        fine: the views of the statistic that the metric reads; None if that statistic was measured
            in none of the slices.
        coarse: the views of the coarser statistic, which the metric reads in small slices and for
            its errors; None if the metric has no such statistic.
        counted: the views of the statistic of the metric's support; None if that was measured in
            none of the slices.
        distinct: the views of the statistic that the metric reads in the slices that it has, in
            place of the others; None for none.
        weighted: whether rows count by their weights; else every row weighs 1.
    """
    folds = coarse or fine
    assert folds is not None
    slices = len(folds.place)
    values, bounds = _values(metric, fine, coarse, distinct, slices, weighted=weighted)
    unit = np.zeros(slices, np.int64)
    if metric.total:
        unit = exponents_of(folds.whole(weighted=weighted))[folds.place]
    if not folds.by_fold:
        return Readings(metric, values, None, None, folds.top_slice, unit, None, bounds=bounds)
    present = folds.present
    support, unmet, needed = None, None, None
    if counted is not None:
        support = counted.support(metric.support, weighted=weighted)
        needed = counted.support(metric.support, weighted=False).least
        if metric.requirement is not None:
            rows = counted.support(metric.requirement.rows, weighted=weighted)
            unweighted = counted.support(metric.requirement.rows, weighted=False)
            needed = metric.requirement.share * unweighted.least
            # The size is a quotient of sums, with a rounding error.
            least = metric.requirement.least - 1e-6
            unmet = metric.requirement.share * rows.least < least
        if metric.share_of is not None:
            whole = counted.support(metric.share_of, weighted=weighted)
            values = replace(values, trials=BinomialCounts(whole.size))
    found = Readings(
        metric,
        values,
        None,
        present,
        folds.top_slice,
        unit,
        support,
        unmet,
        bounds=bounds,
        rows=needed,
    )
    if isinstance(metric.method, NoInterval):
        return found
    if isinstance(metric.method, CalibrationTest):
        return replace(found, bins=folds.fold_bins(metric.method.cuts, weighted=weighted))
    if isinstance(metric, CurveMetric) and not isinstance(metric.method, Jackknife):
        if fine is None or support is None:
            return found
        finer = [views for views in (distinct, fine) if views is not None]
        curves = folds.fold_curves(finer, support, weighted=weighted)
        if not isinstance(metric.method, Halves):
            return replace(found, curves=curves)
        half_curves = folds.half_curves(finer, support, weighted=weighted)
        halves = read_halves(metric, metric.method, half_curves)
        return replace(found, curves=curves, halves=halves)
    if isinstance(metric, ErrorQuantile):
        finer = [views for views in (distinct, fine) if views is not None]
        approximate = linearised(metric, found.value, folds, finer, weighted=weighted)
        return replace(found, replicates=approximate)
    without = folds.without(weighted=weighted)
    if not len(without.keys):
        return found
    number = present.shape[1]
    segments = (folds.fold_place[:, np.newaxis] * number + np.arange(number)).ravel()
    replicates = _pick(_compute(metric, without), segments)
    if metric.total:
        # A sum without one fold is smaller; this scales it to the size of a sum over all folds.
        filled = np.maximum(present.sum(axis=1), 2)
        scaled = replicates.value * np.repeat(filled / (filled - 1), number)
        units = exponents_of(without)[segments] - np.repeat(unit, number)
        replicates = replace(replicates, value=np.ldexp(scaled, units))
    return replace(found, replicates=replicates)


def _values(
    metric: Metric,
    fine: StateViews | None,
    coarse: StateViews | None,
    distinct: StateViews | None,
    slices: int,
    *,
    weighted: bool,
) -> tuple[Values, Bounds | None]:
    """Returns the values and the bounds of a metric, of each slice from the best that has it."""
    values: Values | None = None
    bounds: Bounds | None = None
    found = np.zeros(slices, np.bool_)
    for views in (distinct, fine, coarse):
        rest = None if views is None else views.rest(found)
        if rest is None:
            continue
        state = rest.whole(weighted=weighted)
        computed = _compute(metric, state)
        part = _pick(computed, rest.place)
        part_bounds = _pick_bounds(metric.bounds(state, computed.value), rest.place)
        values = part if values is None else _choose(found, values, part)
        if bounds is not None and part_bounds is not None:
            lowest, highest = (
                np.where(found, *ends) for ends in zip(bounds, part_bounds, strict=True)
            )
            part_bounds = lowest, highest
        bounds = part_bounds
        found = found | (rest.place >= 0)
    assert values is not None
    return values, bounds


def _compute(metric: Metric, state: State) -> Values:
    """Returns the values of a metric, undefined where float64 cannot hold what they depend on."""
    values = compute_checked(metric, state)
    return replace(values, reasons={TOO_FAR_APART: too_far_apart(state), **values.reasons})


def _pick(values: Values, segments: npt.NDArray[np.int64]) -> Values:
    """Returns the values of some segments, by their positions."""
    trials = None if values.trials is None else _pick_trials(values.trials, segments)
    reasons = {text: where[segments] for text, where in values.reasons.items()}
    return Values(values.value[segments], reasons, trials)


def _pick_trials(trials: BinomialCounts, segments: Ints) -> BinomialCounts:
    weights = (trials.weight, trials.weight_squared)
    return BinomialCounts(
        trials.rows[segments],
        *(None if column is None else column[segments] for column in weights),
    )


def _pick_bounds(bounds: Bounds | None, segments: npt.NDArray[np.int64]) -> Bounds | None:
    """Returns the bounds of some segments, by their positions."""
    return None if bounds is None else (bounds[0][segments], bounds[1][segments])


def _choose(use_first: Mask, first: Values, second: Values) -> Values:
    """Returns the first values where `use_first` is True, and the second elsewhere."""
    trials = None
    if first.trials is not None and second.trials is not None:
        both = zip(_columns(first.trials), _columns(second.trials), strict=True)
        trials = BinomialCounts(*(np.where(use_first, *columns) for columns in both))
    return Values(
        np.where(use_first, first.value, second.value),
        {
            text: np.where(use_first, where, second.reasons[text])
            for text, where in first.reasons.items()
        },
        trials,
    )


def _columns(trials: BinomialCounts) -> tuple[Floats, ...]:
    """Returns the columns of counts, without those that are None."""
    columns = (trials.rows, trials.weight, trials.weight_squared)
    return tuple(column for column in columns if column is not None)
