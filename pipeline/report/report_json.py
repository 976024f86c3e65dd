"""The report as data: what report.json holds.

It says nothing but facts of rows: the same rows and configuration give the same bytes, however
they come in batches, wherever and whenever they are evaluated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from heads.metrics.core.registry import estimator_metrics
from heads.statistics import OVERALL, Key
from pipeline.evaluation.head_plan import BASELINE, CANDIDATE, HeadPlan
from pipeline.evaluation.plan import Plan
from pipeline.results.estimates import Estimates
from pipeline.results.regressions import Worse, worse_slices
from pipeline.results.results import MAX_SLICES, Results
from pipeline.slicing.names import report_order, slice_data
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings

SCHEMA_VERSION = 2

# heads, a head, its slices, a slice, its fields.
_FIELD_DEPTH = 5


def build_report(
    plan: Plan, table: SliceTable, results: Iterable[Results], findings: Findings
) -> dict[str, Any]:
    """The report from its results, in any order.

    Raises:
        RuntimeError: if overall or the slices of an entry do not add up to the rows evaluated:
            states were lost.
    """
    config = plan.config.to_dict()
    for place in ("input", "output", "input_manifest", "schema_file", "problem_statement"):
        config.pop(place)
    by_head: dict[str, list[Results]] = {name: [] for name in plan.heads}
    for each in results:
        by_head[each.head].append(each)
    return {
        "headcount_report": SCHEMA_VERSION,
        "config": config,
        "rows": {"read": findings.rows, "evaluated": findings.kept},
        "heads": {
            name: _head(plan, table, head, by_head[name], findings)
            for name, head in sorted(plan.heads.items())
        },
    }


def report_bytes(report: dict[str, Any]) -> bytes:
    """The bytes of report.json: a line for each field of a slice, keys sorted."""
    return "".join(_lines(report, 0)).encode() + b"\n"


def _lines(value: Any, depth: int) -> Iterator[str]:
    """JSON, one line an item down to the fields of slices, which are many and long."""
    if not isinstance(value, dict | list) or not value or depth == _FIELD_DEPTH:
        # Without an indent it is compiled code that writes, several times as fast.
        yield json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)
        return
    named = isinstance(value, dict)
    separator = "{" if named else "["
    items = sorted(value.items()) if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        name = f"{json.dumps(key, ensure_ascii=False)}: " if named else ""
        yield f"{separator}\n{' ' * (depth + 1)}{name}"
        yield from _lines(item, depth + 1)
        separator = ","
    yield f"\n{' ' * depth}{'}' if named else ']'}"


def _head(
    plan: Plan, table: SliceTable, head: HeadPlan, results: Sequence[Results], findings: Findings
) -> dict[str, Any]:
    place = {key: (each, at) for each in results for at, key in enumerate(each.keys)}
    examples = {key: each.examples[at] for key, (each, at) in place.items()}
    bad = findings.bad_rows(head.name)
    _check_complete(head.name, table, examples, findings.kept - bad, bad)
    smallest = plan.config.min_slice_size
    worse = worse_slices(plan.config, table, results) if len(head.models) > 1 else []
    keys = [key for key in report_order(table) if key in place]
    shown = _shown(keys, examples)
    return {
        "type": head.config.type,
        "classes": list(head.context.class_names),
        "weighted": head.context.weighted,
        "headline": headline(head),
        "bad_rows": {
            reason: count
            for (name, reason), count in sorted(findings.bad.items())
            if name == head.name
        },
        "slices": [
            {
                "slice": slice_data(key),
                "examples": examples[key],
                "small": examples[key] < smallest,
                **_metrics(head, *place[key]),
            }
            for key in keys
            if key in shown
        ],
        "slices_left_out": len(keys) - len(shown),
        "slices_folded": [spec.merged_into_other for spec in table.specs],
        **({"worse": worse_data(worse)} if len(head.models) > 1 else {}),
    }


def headline(head: HeadPlan) -> list[str]:
    """The metrics to look at first: the estimator's, and those that say so."""
    own = estimator_metrics(head.context)
    metrics = head.models[CANDIDATE].metrics.values()
    return [metric.name for metric in metrics if metric.name in own or metric.headline]


def _shown(keys: Sequence[Key], examples: Mapping[Key, int]) -> set[Key]:
    order = {key: position for position, key in enumerate(keys)}
    return set(sorted(keys, key=lambda key: (-examples[key], order[key]))[: MAX_SLICES + 1])


def _metrics(head: HeadPlan, results: Results, at: int) -> dict[str, Any]:
    """The metrics of one slice."""

    def table(model: int) -> dict[str, Any]:
        weighted = values_data(results.models[model], at)
        if results.unweighted:
            for name, value in values_data(results.unweighted[model], at).items():
                weighted[name]["unweighted"] = value
        return weighted

    key = results.keys[at]
    entry: dict[str, Any] = {"metrics": table(CANDIDATE), **_rounding(results, CANDIDATE, at)}
    details = results.details.get(key, ())
    if details:
        entry |= details[CANDIDATE]
    if len(head.models) > 1:
        entry["baseline"] = {"metrics": table(BASELINE), **_rounding(results, BASELINE, at)}
        if details:
            entry["baseline"] |= details[BASELINE]
        entry["difference"] = values_data(results.differences, at)
        entry["both"] = values_data(results.pairs, at)
    return entry


def _rounding(results: Results, model: int, at: int) -> dict[str, float]:
    if not results.score_rounding:
        return {}
    rounding = float(results.score_rounding[model][at])
    return {} if math.isnan(rounding) else {"score_rounding": rounding}


def values_data(estimates: Mapping[str, Estimates], at: int) -> dict[str, dict[str, Any]]:
    """The metrics of one slice as plain data."""
    return {name: _value(each, at) for name, each in estimates.items()}


def _value(each: Estimates, at: int) -> dict[str, Any]:
    reason = each.reasons[at]
    if reason is not None:
        return {"value": None, "reason": reason}
    entry: dict[str, Any] = {"value": float(each.value[at])}
    if each.no_interval_reason[at] is not None:
        entry["no_interval"] = each.no_interval_reason[at]
    else:
        entry["lower"], entry["upper"] = float(each.lower[at]), float(each.upper[at])
    if not math.isnan(each.standard_error[at]):
        entry["standard_error"] = float(each.standard_error[at])
        if not math.isnan(each.p_worse[at]):
            entry["p_worse"] = float(each.p_worse[at])
    return entry


def worse_data(worse: Sequence[Worse]) -> list[dict[str, Any]]:
    """Slices that got worse, as plain data."""
    return [
        {
            "metric": one.metric,
            "slices": one.spec,
            "slice": slice_data(one.key),
            "difference": one.difference,
            "p_worse": one.p,
            "p_adjusted": one.p_adjusted,
        }
        for one in worse
    ]


def _check_complete(
    head: str, table: SliceTable, examples: Mapping[Key, int], rows: int, bad: int
) -> None:
    """Raises RuntimeError unless every row that was counted has arrived."""
    expected = {OVERALL: rows + bad}
    for spec in table.specs:
        counted = zip(spec.keys, spec.examples, strict=True)
        expected.update((key, count) for key, count in counted if count is not None)
    for key, count in expected.items():
        arrived = examples.get(key, 0)
        # Rows that are bad for this head were counted too.
        if not count - bad <= arrived <= count:
            raise RuntimeError(
                f"{count:,} rows of slice {list(key)} were counted, {bad:,} rows are bad for head"
                f" '{head}', and {arrived:,} arrived: the runner lost states. Nothing was"
                " published; run again."
            )
