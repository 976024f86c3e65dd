"""The figures that gates hold against their limits: values, and changes, of a metric in slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from heads.statistics import Key
from pipeline.confidence.halves import HALVES_AGREE
from pipeline.confidence.jackknife import AGREE
from pipeline.config.gates import Gate
from pipeline.evaluation.head_plan import BASELINE
from pipeline.gates.limits import Limit, corrected
from pipeline.results.differences import DifferenceEstimator
from pipeline.results.estimates import ValueEstimator
from pipeline.results.limits import p_beyond
from pipeline.results.pairing import paired_slices, unpaired_because
from pipeline.results.readings import Floats, Mask, Readings, Reasons
from pipeline.results.relative import RelativeEstimator
from pipeline.results.run_states import RunStates

Estimator = ValueEstimator | DifferenceEstimator | RelativeEstimator

NO_STATES = "the run is of another release, and lacks states that the metric is read from"
NO_HEAD = "the run to compare with has no head of this name and type"
NO_METRIC = "the run to compare with lacks the metric"
OTHER_WEIGHTS = (
    "of this run and the one to compare with, one is weighted; 'unweighted: true' compares"
)
NO_SLICE = "the run to compare with does not have this slice"

# Differences of figures have rounding errors of this many last digits of the figures.
_ROUNDINGS = 4


@dataclass(frozen=True, eq=False)
class Figures:
    """The figures of one metric in some slices; all arrays are `[s]`.

    Attributes:
        value: float64, the values or the changes; NaN where undefined.
        lower: float64, the lower ends of the intervals; NaN where there is none, -inf where open.
        upper: float64, the upper ends, likewise.
        reasons: texts, why a figure is undefined; None where it is defined.
        no_interval: texts, why there is no interval; None where there is one.
        p: float64, the one-sided p-values that the figure is beyond the limit; NaN where there is
            no interval, and for a gate that is decided without them.
        candidate: float64, the values of the candidate; NaN for figures that are no changes.
        baseline: float64, the values that it is compared with, likewise.
        paired: bool, for changes whether both values are of the same rows.
        unchanged: bool, where both models are the same in every fold: there is no interval, and
            nothing that chance could have hidden.
        rounding: float64, how far a figure may be off by rounding.
    """

    value: Floats
    lower: Floats
    upper: Floats
    reasons: Reasons
    no_interval: Reasons
    p: Floats
    candidate: Floats
    baseline: Floats
    paired: Mask
    unchanged: Mask
    rounding: Floats


def figures(
    gate: Gate,
    limit: Limit,
    head: str,
    keys: Sequence[Key],
    run: RunStates,
    other: RunStates | None,
) -> Figures:
    """Returns the figures of a gate in slices of a head.

    Args:
        gate: the gate.
        limit: one of its limits.
        head: the name of the head.
        keys: the slices, `s` in number; the head has rows of all of them.
        run: the run that is judged.
        other: the run that it is compared with; None if the limit is not of a change from one.
    """
    names = [gate.metric]
    found = run.read(head, keys, names=names, weighted=not gate.unweighted)
    if not found:
        return _undefined(len(keys), NO_STATES)
    level = run.plan.config.confidence.level
    if not limit.of_change:
        return _estimated(gate, limit, ValueEstimator(found), level)
    if gate.against == "baseline":
        old = run.read(head, keys, model=BASELINE, names=names, weighted=not gate.unweighted)
        return _changes(gate, limit, found, old, None, level)
    assert other is not None
    return _changes_between(gate, limit, head, keys, run, other, level)


def _changes_between(
    gate: Gate,
    limit: Limit,
    head: str,
    keys: Sequence[Key],
    run: RunStates,
    other: RunStates,
    level: float,
) -> Figures:
    """Returns the changes from another run, which may lack the head, the metric or some slices."""
    old_head, new_head = (states.plan.heads.get(head) for states in (other, run))
    assert new_head is not None
    if old_head is None or old_head.config.type != new_head.config.type:
        return _undefined(len(keys), NO_HEAD)
    weighted = [plan.context.weighted for plan in (old_head, new_head)]
    if weighted[0] != weighted[1] and not gate.unweighted:
        return _undefined(len(keys), OTHER_WEIGHTS)
    common = [key for key in keys if key in other.row_counts(head).places]
    if not common:
        return _undefined(len(keys), NO_SLICE)
    new, old = (
        states.read(head, common, names=[gate.metric], weighted=not gate.unweighted)
        for states in (run, other)
    )
    if not old:
        return _undefined(len(keys), NO_METRIC)
    paired = np.zeros(len(common), bool)
    if unpaired_because(head, other, run) is None:
        paired = paired_slices(head, other, run, common)
    found = _changes(gate, limit, new, old, paired, level)
    places = {key: place for place, key in enumerate(common)}
    return _placed(found, [places.get(key) for key in keys])


def _changes(
    gate: Gate,
    limit: Limit,
    new: dict[str, Readings],
    old: dict[str, Readings],
    paired: Mask | None,
    level: float,
) -> Figures:
    estimator = RelativeEstimator if gate.relative else DifferenceEstimator
    found = _estimated(gate, limit, estimator(new, old, paired), level)
    values = (ValueEstimator(side).estimates(level)[gate.metric].value for side in (new, old))
    candidate, baseline = values
    rounding = _ROUNDINGS * np.finfo(np.float64).eps * np.fmax(np.abs(candidate), np.abs(baseline))
    if gate.relative:
        rounding = rounding / np.abs(baseline)
    agree = np.isin(found.no_interval.astype(str), (AGREE, HALVES_AGREE))
    same_rows = np.ones(len(agree), bool) if paired is None else paired
    unchanged = agree & same_rows & (np.abs(found.value) <= rounding)
    return replace(
        found,
        candidate=candidate,
        baseline=baseline,
        paired=same_rows,
        unchanged=unchanged,
        rounding=rounding,
    )


def _estimated(gate: Gate, limit: Limit, estimator: Estimator, level: float) -> Figures:
    p = nothing = np.full(len(estimator.value), np.nan)
    if corrected(gate):
        bound = np.ldexp(limit.bound, -estimator.exponent)
        p = p_beyond(estimator.ends, estimator.value, bound, level, floor=limit.floor)
    (found,) = estimator.estimates(level).values()
    return Figures(
        found.value,
        found.lower,
        found.upper,
        found.reasons,
        found.no_interval_reason,
        p,
        nothing,
        nothing,
        paired=np.zeros(len(nothing), bool),
        unchanged=np.zeros(len(nothing), bool),
        rounding=np.zeros(len(nothing)),
    )


_COLUMNS = tuple(field.name for field in fields(Figures))


def _undefined(slices: int, reason: str) -> Figures:
    """Returns figures that are undefined for one reason."""
    nothing = np.full(slices, np.nan)
    reasons = np.full(slices, reason, object)
    columns: dict[str, Any] = dict.fromkeys(_COLUMNS, nothing)
    texts = {"reasons": reasons, "no_interval": reasons}
    flags = dict.fromkeys(("paired", "unchanged"), np.zeros(slices, bool))
    return Figures(**columns | texts | flags)


def _placed(found: Figures, places: Sequence[int | None]) -> Figures:
    """Returns figures in the order of other slices, of which the other run lacks some."""
    lacking = np.array([place is None for place in places])
    at = np.array([place or 0 for place in places])
    columns: dict[str, Any] = {}
    for name in _COLUMNS:
        column = getattr(found, name)[at]
        missing = {"O": np.array(NO_SLICE, object), "b": np.array(False)}
        columns[name] = np.where(lacking, missing.get(column.dtype.kind, np.nan), column)
    return Figures(**columns)
