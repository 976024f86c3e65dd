"""Judges the results of a run by gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from heads.statistics import Key
from pipeline.confidence.significance import benjamini_hochberg
from pipeline.config.gates import Gate
from pipeline.evaluation.gated import entry_of, heads_of
from pipeline.evaluation.head_plan import BASELINE, CANDIDATE, ModelStatistic, identity_statistic
from pipeline.evaluation.plan import Plan
from pipeline.gates.figures import Figures, figures
from pipeline.gates.judgements import Judgement, gate_data
from pipeline.gates.limits import Limit, corrected, limits_of
from pipeline.results.run_states import RunStates
from pipeline.slicing.conditions import OTHER
from pipeline.slicing.named import named_keys

VERSION = 1
"""The version of the layout of `gates.json`."""

SKIPPED = "no run to compare with was given"
NO_ROWS = "the slice has no rows"
NO_SLICES = "the entry has no slices"
FEW_EXAMPLES = "the slice has fewer rows than the gate's min_examples"
SMALL = "the slice has fewer rows than min_slice_size"


def judge_gates(
    gates: Sequence[Gate],
    run: RunStates,
    other: RunStates | None = None,
    against: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Returns what gates say of a run, as the plain data of `gates.json`.

    Args:
        gates: the gates; they fit the plan of the run, see `check_gates`.
        run: the run that is judged, with the states of `measured_by`.
        other: the run that it is compared with; without it, gates against a run are skipped.
        against: the identity and the directory of that run.
    """
    entries = [gate_data(gate, _judge(gate, run, other)) for gate in gates]
    return {
        "headcount_gates": VERSION,
        "passed": all(entry["passed"] or entry["severity"] == "warn" for entry in entries),
        "against": None if against is None else dict(against),
        "level": run.plan.config.confidence.level,
        "gates": entries,
    }


def measured_by(gates: Sequence[Gate], plan: Plan) -> dict[str, set[ModelStatistic]]:
    """Returns the statistics that gates are judged from, by head.

    Args:
        gates: the gates.
        plan: the plan of the run that is judged, or of one that it is compared with.
    """
    found: dict[str, set[ModelStatistic]] = {
        name: {head.counting, ModelStatistic(CANDIDATE, identity_statistic(plan.folds))}
        for name, head in plan.heads.items()
    }
    for gate in gates:
        for name in found:
            if gate.head not in (None, name):
                continue
            head = plan.heads[name]
            models = [CANDIDATE, BASELINE] if gate.against == "baseline" else [CANDIDATE]
            for model in models[: len(head.models)]:
                metric = {**head.models[model].metrics, **head.pairs}.get(gate.metric)
                if metric is not None:
                    found[name] |= {
                        ModelStatistic(model, statistic)
                        for statistic in metric.measured
                        if statistic is not None
                    }
    return found


def _judge(gate: Gate, run: RunStates, other: RunStates | None) -> list[Judgement]:
    """Returns the judgements of a gate: of each head, limit and slice, in this order."""
    found = []
    for head in heads_of(gate, run.plan):
        judged, unjudged = _slices(gate, head, run)
        for limit in limits_of(gate):
            if limit.of_change and gate.against == "run" and other is None:
                keys: list[Key | None] = [*unjudged, *judged]
                found += [
                    Judgement("skipped", limit, head, key, reason=SKIPPED) for key in keys or [None]
                ]
                continue
            found += [Judgement("absent", limit, head, key, reason=NO_ROWS) for key in unjudged]
            if not (judged or unjudged):
                found.append(Judgement("absent", limit, head, None, reason=NO_SLICES))
            if judged:
                examples = run.examples(head, judged)
                # What is undefined is NaN, and has a reason.
                with np.errstate(all="ignore"):
                    read = figures(gate, limit, head, judged, run, other)
                small = run.plan.config.min_slice_size
                found += [
                    _judge_figure(gate, limit, head, key, rows, small, read, at)
                    for at, (key, rows) in enumerate(zip(judged, examples, strict=True))
                ]
    if corrected(gate):
        found = _corrected(found, (1 - run.plan.config.confidence.level) / 2)
    return found


def _slices(gate: Gate, head: str, run: RunStates) -> tuple[list[Key], list[Key]]:
    """Returns the slices that a gate is about: those of which the head has rows, and the others.

    A slice of an entry that has no rows is none of its slices, and `other` is not judged.
    """
    counted = run.row_counts(head).places
    if gate.slices is not None:
        entry = entry_of(gate, run.plan)
        assert entry is not None
        keys = run.table.specs[entry].keys
        return [key for key in keys if key in counted and key[0][1] != OTHER], []
    if gate.slice is None:
        return ([()], []) if () in counted else ([], [()])
    keys = tuple(named_keys(gate.slice))
    found = [key for key in keys if key in counted]
    return (found[:1], []) if found else ([], [keys[0]])


def _judge_figure(
    gate: Gate,
    limit: Limit,
    head: str,
    key: Key,
    examples: int,
    smallest: int,
    read: Figures,
    at: int,
) -> Judgement:
    """Returns the judgement of one figure, which no other slice changes."""
    ends = float(read.lower[at]), float(read.upper[at])
    value = float(read.value[at])
    # The end that decides is the lower one where a floor must be shown to hold.
    decides = value
    if gate.decide_by != "value":
        decides = ends[0 if limit.floor == (gate.decide_by == "worst_end") else 1]
    if np.isnan(decides) and read.unchanged[at]:
        decides = value
    margin = decides - limit.bound if limit.floor else limit.bound - decides
    if abs(margin) <= read.rounding[at]:
        margin = 0.0
    found = Judgement(
        "pass" if margin >= 0 else "fail",
        limit,
        head,
        key,
        examples,
        value=value,
        interval=ends,
        margin=margin,
        candidate=float(read.candidate[at]),
        baseline=float(read.baseline[at]),
        paired=bool(read.paired[at]),
    )
    if examples < gate.min_examples:
        return replace(found, outcome="too_small", reason=FEW_EXAMPLES)
    if key and examples < smallest:
        return replace(found, outcome="too_small", reason=SMALL)
    reason = read.reasons[at]
    if reason is None and np.isnan(decides):
        reason = f"no interval: {read.no_interval[at]}"
    if reason is not None:
        return replace(found, outcome="undecided", reason=reason)
    if corrected(gate):
        return replace(found, p=float(read.p[at]))
    return found


def _corrected(judgements: Sequence[Judgement], rate: float) -> list[Judgement]:
    """Returns the judgements of the slices of a gate, by p-values that are adjusted for all.

    Args:
        judgements: the judgements; those with a p-value are of the family.
        rate: the false discovery rate; a figure whose p-value is below it fails.
    """
    adjusted = benjamini_hochberg(np.array([judgement.p for judgement in judgements]))
    return [
        judgement
        if np.isnan(p)
        else replace(judgement, outcome="fail" if p < rate else "pass", p_adjusted=float(p))
        for judgement, p in zip(judgements, adjusted.tolist(), strict=True)
    ]
