"""What gates judge: the heads and the entry of `slices` of each, and whether there are any."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

from heads.metrics.core.methods import NoInterval
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import pair_metrics, report_metrics
from pipeline.config.gates import CHANGES, Gate
from pipeline.errors.metric_names import metric_hint
from pipeline.errors.problems import ConfigError, Problem, quote
from pipeline.errors.wording import MOST, first_names
from pipeline.evaluation.gated_entries import GateEntries, Refusal, unknown
from pipeline.evaluation.head_plan import BASELINE, CANDIDATE, HeadPlan
from pipeline.evaluation.plan import Plan


def check_gates(plan: Plan, source: str) -> None:
    """Checks that the gates of a configuration judge what it measures.

    Args:
        plan: the plan of the run; its configuration has the gates.
        source: the name of the file of the gates, for messages.

    Raises:
        ConfigError: if a gate asks for a metric, a head or a slice that there is not, for a limit
            that the metric cannot reach, or for an interval that there never is.
    """
    check = _Check(plan)
    problems: list[Problem] = []
    for position, gate in enumerate(plan.config.gates):
        # It takes long to look for near names.
        hint = len(problems) < MOST
        for key, message in check.refusals(gate, hint=hint):
            problems.append(Problem(source, ("gates", position, key), message))
    if problems:
        raise ConfigError(problems)


def heads_of(gate: Gate, plan: Plan) -> list[str]:
    """Returns the names of the heads that a gate judges.

    Without `head` these are all that have the metric, and what the gate compares with.
    """
    heads = plan.heads.values() if gate.head is None else [plan.heads[gate.head]]
    return [head.name for head in heads if judged_metric(gate, head) is not None]


def entry_of(gate: Gate, plan: Plan) -> int | None:
    """Returns the position of the entry of `slices` that a gate is about; None for all rows.

    For a `slice` that several entries may have, it is the first of them.
    """
    return GateEntries(plan.config.slices).find(gate)


def judged_metric(gate: Gate, head: HeadPlan) -> Metric | None:
    """Returns the metric of a head that a gate judges; None if it does not judge the head."""
    metric = _metric_of(gate, head)
    return None if metric is None or _unjudged(gate, head, metric) else metric


def _metric_of(gate: Gate, head: HeadPlan) -> Metric | None:
    return head.models[CANDIDATE].metrics.get(gate.metric) or head.pairs.get(gate.metric)


def _unjudged(gate: Gate, head: HeadPlan, metric: Metric) -> Refusal | None:
    """Returns why a gate cannot judge a head that has its metric; None if it can."""
    if gate.against is None and not gate.unweighted:
        return None
    name, told = quote(head.name), quote(gate.metric)
    of_both = gate.metric in head.pairs
    if gate.unweighted and not head.context.weighted:
        return Refusal("unweighted", f"head {name} has no weights; leave it out")
    if gate.unweighted and of_both:
        return Refusal("unweighted", f"{told} is of both models, and given with weights alone")
    if gate.against is None:
        return None
    limit = next(key for key in CHANGES if getattr(gate, key) is not None)
    if of_both:
        message = f"{told} compares both models itself; give 'at_least' or 'at_most'"
        return Refusal(limit, message)
    if not metric.comparable:
        return Refusal(limit, f"a difference of {told} says nothing")
    if gate.against == "run":
        return None
    if len(head.models) == 1:
        return Refusal("against", f"head {name} has no 'baseline'")
    if gate.metric not in head.models[BASELINE].metrics:
        return Refusal("against", f"the baseline of head {name} has no {told}")
    return None


class _Check:
    """A check of gates.

    Args:
        plan: the plan of the run.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._entries = GateEntries(plan.config.slices)

    def refusals(self, gate: Gate, *, hint: bool) -> Iterator[Refusal]:
        """Yields why a gate cannot be judged.

        Args:
            gate: the gate.
            hint: whether to look for the names that were meant.
        """
        heads = self._plan.heads
        if gate.head is None or gate.head in heads:
            asked = [heads[gate.head]] if gate.head else list(heads.values())
            if (refusal := self._of_heads(gate, asked, hint=hint)) is not None:
                yield refusal
        else:
            told = unknown(gate.head, list(heads)) if hint else quote(gate.head)
            yield Refusal("head", f"there is no head {told}")
        if gate.columns is not None and self._entries.find(gate) is None:
            yield self._entries.refusal(gate, hint=hint)

    def _of_heads(self, gate: Gate, asked: Sequence[HeadPlan], *, hint: bool) -> Refusal | None:
        """Returns why a gate can judge none of the heads that it asks for; None if it can."""
        refusals: list[Refusal] = []
        # Equal heads share their metrics.
        judged: dict[int, Metric] = {}
        for head in asked:
            metric = _metric_of(gate, head)
            if metric is None:
                continue
            if (refusal := _unjudged(gate, head, metric)) is None:
                judged[id(metric)] = metric
            else:
                refusals.append(refusal)
        if not judged:
            return (
                refusals[0] if refusals else Refusal("metric", self._no_metric(gate, asked, hint))
            )
        for metric in judged.values():
            for key, limit in gate.limits:
                message = _out_of_reach(metric, key, limit, relative=gate.relative)
                if message is not None:
                    return Refusal(key, message)
        return self._undecidable(gate, list(judged.values()))

    def _no_metric(self, gate: Gate, asked: Sequence[HeadPlan], hint: bool) -> str:
        told = quote(gate.metric)
        if not hint:
            return f"there is no metric {told}"
        for head in asked:
            if head.config.metrics is not None and (
                gate.metric in report_metrics(head.context)
                or gate.metric in pair_metrics(head.context)
            ):
                return f"'metrics' of head {quote(head.name)} leaves {told} out; add it there"
        others = [
            quote(head.name)
            for head in self._plan.heads.values()
            if _metric_of(gate, head) is not None
        ]
        if others:
            head_told = quote(asked[0].name)
            return (
                f"head {head_told} has no metric {told}; of these it is one: {first_names(others)}"
            )
        if gate.head is None:
            found = metric_hint(gate.metric, self._metrics, keys=_keys(asked))
            return f"no head has the metric {told}{found}"
        found = metric_hint(gate.metric, _names(asked), "it has", _keys(asked))
        return f"head {quote(gate.head)} has no metric {told}{found}"

    @cached_property
    def _metrics(self) -> list[str]:
        """The names of the metrics of all heads."""
        return _names(list(self._plan.heads.values()))

    def _undecidable(self, gate: Gate, metrics: Sequence[Metric]) -> Refusal | None:
        """Returns why no interval can decide, whatever the rows are; None if one may."""
        if gate.decide_by == "value":
            return None
        confidence = self._plan.config.confidence
        if not confidence.folds:
            return Refusal("decide_by", "there are no intervals: 'confidence.folds' is 0")
        methods = [metric.method for metric in metrics]
        reasons = [method.reason for method in methods if isinstance(method, NoInterval)]
        if len(reasons) == len(methods):
            return Refusal("decide_by", f"{quote(gate.metric)} has no interval: {reasons[0]}")
        of_slices = gate.columns is not None
        if of_slices and not confidence.max_slices and all(map(_by_fold_in_largest, metrics)):
            message = (
                f"slices have no interval of {quote(gate.metric)}: 'confidence.max_slices' is 0"
            )
            return Refusal("decide_by", message)
        return None


def _by_fold_in_largest(metric: Metric) -> bool:
    """Returns whether a metric has intervals in the largest slices alone."""
    return any(part is not None and part.coverage != "all" for part in metric.measured)


def _out_of_reach(metric: Metric, key: str, limit: float, *, relative: bool) -> str | None:
    """Returns why a metric can never be at a limit, or never change so much; None if it can."""
    low, high = metric.low, metric.high
    if key not in CHANGES:
        if low <= limit <= high:
            return None
        end = f"and never {limit:g}"
    elif not relative:
        if limit <= high - low:
            return None
        end = f"and never changes by {limit:g}"
    else:
        if key != "max_drop" or low < 0 or limit <= 1:
            return None
        end = "and never drops by more than all of it; write 0.02 for 2 %"
    span = f"at least {low:g}"
    if math.isfinite(high):
        span = f"from {low:g} to {high:g}" if math.isfinite(low) else f"at most {high:g}"
    return f"{quote(metric.name)} is {span}, {end}"


def _keys(heads: Sequence[HeadPlan]) -> set[str]:
    """Returns the keys that heads may have in the configuration."""
    return {key for head in heads for key in type(head.config).model_fields}


def _names(heads: Sequence[HeadPlan]) -> list[str]:
    """Returns the names of the metrics of heads."""
    return sorted(
        {name for head in heads for name in (*head.models[CANDIDATE].metrics, *head.pairs)}
    )
