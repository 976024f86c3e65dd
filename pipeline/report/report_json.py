"""Builds the report as plain data, and writes it as `report.json`.

The report depends on the rows and the configuration alone: the same rows give the same bytes, no
matter how they were batched, where they were evaluated, and when.
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
from pipeline.report.main_metrics import main_first
from pipeline.report.report_layout import GATES, PLACES, SCHEMA_VERSION
from pipeline.results.causes import Cause, find_causes
from pipeline.results.estimated import Estimates
from pipeline.results.regressions import WorseSlice, worse_slices
from pipeline.results.results import MAX_SLICES, Results
from pipeline.slicing.names import report_order, slice_data
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings

# The depth of a slice's fields in the report: heads, a head, its slices, a slice, its fields.
_FIELD_DEPTH = 5


def build_report(
    plan: Plan, table: SliceTable, results: Iterable[Results], findings: Findings
) -> dict[str, Any]:
    """Returns the report as plain data.

    Args:
        plan: the plan of the run.
        table: the slices of the run.
        results: the results of all partitions of all heads, in any order.
        findings: the findings of the whole run.

    Raises:
        RuntimeError: if the number of rows in overall or in a slice does not fit what was counted:
            the runner lost states.
    """
    config = plan.config.to_dict()
    for key in (*PLACES, GATES):
        config.pop(key)
    by_head: dict[str, list[Results]] = {name: [] for name in plan.heads}
    for partition in results:
        by_head[partition.head].append(partition)
    return {
        "headcount_report": SCHEMA_VERSION,
        "config": config,
        "rows": {"read": findings.rows, "evaluated": findings.kept},
        "heads": {
            name: _head_data(plan, table, head, by_head[name], findings)
            for name, head in sorted(plan.heads.items())
        },
    }


def report_bytes(report: dict[str, Any]) -> bytes:
    """Returns the bytes of `report.json`, with a line for each field of a slice and sorted keys.

    Args:
        report: the report as plain data.
    """
    return "".join(_lines(report, 0)).encode() + b"\n"


def _lines(value: Any, depth: int) -> Iterator[str]:
    """Yields pieces of JSON text, which put every item down to the fields of slices on a line.

    Args:
        value: the data.
        depth: how deep the data is nested in the report.
    """
    if not isinstance(value, dict | list) or not value or depth == _FIELD_DEPTH:
        # These fields are many and long. Without an indent, compiled code writes them, which is
        # several times as fast.
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


def _head_data(
    plan: Plan, table: SliceTable, head: HeadPlan, results: Sequence[Results], findings: Findings
) -> dict[str, Any]:
    """Returns what the report says of one head, as plain data."""
    # The partition that holds each slice, and the position of the slice in it.
    place = {key: (partition, at) for partition in results for at, key in enumerate(partition.keys)}
    examples = {key: partition.examples[at] for key, (partition, at) in place.items()}
    bad = findings.bad_rows(head.name)
    _check_complete(head.name, table, examples, findings.kept - bad, bad)
    smallest = plan.config.min_slice_size
    keys = [key for key in report_order(table) if key in place]
    shown = _shown(keys, examples)
    return {
        "type": head.config.type,
        "classes": list(head.context.class_names),
        "weighted": head.context.weighted,
        "headline": headline(head),
        "threshold_rule": _threshold_rule(head),
        "bad_rows": {
            reason: findings.bad[name, reason].rows
            for name, reason in sorted(findings.bad)
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
        "detailed_slices": sum(any(place[key][0].details.get(key, ())) for key in shown if key),
        "slices_folded": [spec.merged_into_other for spec in table.specs],
        **(comparison_data(plan, table, head, results) if len(head.models) > 1 else {}),
    }


def comparison_data(
    plan: Plan, table: SliceTable, head: HeadPlan, results: Sequence[Results]
) -> dict[str, Any]:
    """Returns what got worse, and its causes, as plain data.

    Args:
        plan: the plan of the run of the candidate.
        table: the slices of the run.
        head: the plan of the head.
        results: the results of all partitions of the head, with the values of both models.
    """
    worse = worse_slices(plan.config, table, results)
    causes = find_causes(plan.config, table, results, worse, main_first(headline(head)))
    return {"worse": _worse_data(worse), "causes": [_cause_data(cause) for cause in causes]}


def headline(head: HeadPlan) -> list[str]:
    """Returns the names of the metrics of a head that users should look at first.

    These are the metrics that the estimator has, and those that say of themselves that they are
    `headline`.

    Args:
        head: the plan of the head.
    """
    of_estimator = estimator_metrics(head.context)
    metrics = head.models[CANDIDATE].metrics.values()
    return [metric.name for metric in metrics if metric.name in of_estimator or metric.headline]


def _threshold_rule(head: HeadPlan) -> str:
    """Returns what is predicted positive at every threshold of the report, in words."""
    if head.context.regression:
        return "a number is predicted, and no threshold applies"
    rule = "probability > threshold, logit > logit threshold"
    # That of TensorFlow 1.x.
    at_least = "; accuracy at configured thresholds: >="
    return rule + (at_least if head.context.head == "contrib_binary" else "")


def _shown(keys: Sequence[Key], examples: Mapping[Key, int]) -> set[Key]:
    """Returns overall and the `MAX_SLICES` slices with the most rows; of equals, the earlier."""
    order = {key: position for position, key in enumerate(keys)}
    return set(sorted(keys, key=lambda key: (-examples[key], order[key]))[: MAX_SLICES + 1])


def _metrics(head: HeadPlan, results: Results, at: int) -> dict[str, Any]:
    """Returns the metrics and details of one slice, of all models of its head, as plain data.

    Args:
        head: the plan of the head.
        results: the results of the partition that holds the slice.
        at: the position of the slice in the partition.
    """

    def table(model: int) -> dict[str, Any]:
        weighted = values_data(results.models[model], at)
        if results.unweighted:
            for name, value in values_data(results.unweighted[model], at).items():
                weighted[name]["unweighted"] = value
        return with_overall(weighted, model)

    def with_overall(metrics: dict[str, Any], position: int) -> dict[str, Any]:
        if results.against_overall and key != OVERALL:
            for name, compared in results.against_overall[position].items():
                metrics[name]["against_overall"] = {
                    "difference": _value_data(compared.difference, at),
                    "ratio": _value_data(compared.ratio, at),
                }
        return metrics

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
        entry["both"] = with_overall(values_data(results.pairs, at), len(head.models))
    return entry


def _rounding(results: Results, model: int, at: int) -> dict[str, float]:
    """Returns the field `score_rounding` of a slice; empty where no metric reads a histogram."""
    if not results.score_rounding:
        return {}
    rounding = float(results.score_rounding[model][at])
    return {} if math.isnan(rounding) else {"score_rounding": rounding}


def values_data(estimates: Mapping[str, Estimates], at: int) -> dict[str, dict[str, Any]]:
    """Returns the metrics of one slice as plain data.

    Args:
        estimates: the estimates of some slices, by name of the metric.
        at: the position of the slice among them.
    """
    return {name: _value_data(metric, at) for name, metric in estimates.items()}


def _value_data(metric: Estimates, at: int) -> dict[str, Any]:
    """Returns one metric of one slice as plain data."""
    reason = metric.reasons[at]
    if reason is not None:
        return {"value": None, "reason": reason}
    entry: dict[str, Any] = {"value": float(metric.value[at])}
    if not math.isnan(metric.lowest[at]):
        entry["rounded"] = [float(metric.lowest[at]), float(metric.highest[at])]
    if metric.no_interval_reason[at] is not None:
        entry["no_interval"] = metric.no_interval_reason[at]
    else:
        entry["lower"], entry["upper"] = _end(metric.lower[at]), _end(metric.upper[at])
    if not math.isnan(metric.standard_error[at]):
        entry["standard_error"] = float(metric.standard_error[at])
        entry["degrees_of_freedom"] = float(metric.degrees_of_freedom[at])
    if not math.isnan(metric.p_worse[at]):
        entry["p_worse"] = float(metric.p_worse[at])
    if not math.isnan(metric.p_value[at]):
        entry["p_value"] = float(metric.p_value[at])
    return entry


def _end(end: float) -> float | None:
    """Returns an end of an interval, None where it is open."""
    return None if math.isinf(end) else float(end)


def _worse_data(worse: Sequence[WorseSlice]) -> list[dict[str, Any]]:
    """Returns the slices that got worse, as plain data."""
    return [
        {
            "metric": entry.metric,
            "slices": entry.spec,
            "slice": slice_data(entry.key),
            "difference": entry.difference,
            "p_worse": entry.p,
            "p_adjusted": entry.p_adjusted,
        }
        for entry in worse
    ]


def _cause_data(cause: Cause) -> dict[str, Any]:
    """Returns a cause of what got worse as plain data."""
    return {
        "slice": slice_data(cause.key),
        "metrics": list(cause.metrics),
        "slices": cause.slices,
        "first": {
            "metric": cause.first,
            "candidate": cause.candidate,
            "baseline": cause.baseline,
            "difference": cause.difference,
        },
    }


def _check_complete(
    head: str, table: SliceTable, examples: Mapping[Key, int], rows: int, bad: int
) -> None:
    """Raises RuntimeError unless all rows that were counted have arrived in the states.

    Args:
        head: the name of the head.
        table: the slices, with the rows that were counted in them.
        examples: the rows that arrived, by slice.
        rows: the rows that the head evaluated.
        bad: the rows that the head left out.
    """
    expected = {OVERALL: rows + bad}
    for spec in table.specs:
        counted = zip(spec.keys, spec.examples, strict=True)
        expected.update((key, count) for key, count in counted if count is not None)
    for key, count in expected.items():
        arrived = examples.get(key, 0)
        # The count includes the rows that are bad for this head, but their slices are unknown.
        if not count - bad <= arrived <= count:
            raise RuntimeError(
                f"{count:,} rows of slice {list(key)} were counted, {bad:,} rows are bad for head"
                f" '{head}', and {arrived:,} arrived: the runner lost states. Nothing was"
                " published; run again."
            )
