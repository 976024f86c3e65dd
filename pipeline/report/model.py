"""The report as data: what report.json holds.

It says nothing but facts of rows: the same rows and configuration give the same bytes, however
files are cut, wherever and whenever they are evaluated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from heads.statistics import Condition, Key
from pipeline.facts import Facts
from pipeline.plan import HeadPlan, Plan
from pipeline.results import Cell

SCHEMA_VERSION = 1


def build_report(plan: Plan, cells: Iterable[Cell], facts: Facts) -> dict[str, Any]:
    """The report from its cells, in any order.

    Raises:
        RuntimeError: if overall or the slices of a column do not add up to the rows evaluated:
            states were lost.
    """
    config = plan.config.to_dict()
    for place in ("input", "output"):
        config.pop(place)
    by_head: dict[str, dict[Key, dict[str, Any]]] = {name: {} for name in plan.heads}
    for cell in cells:
        entry = by_head[cell.head].setdefault(
            cell.key, {"slice": _slice(cell.key), "examples": 0, "metrics": {}}
        )
        if cell.examples is not None:
            entry["examples"] = cell.examples
        for name, value in cell.metrics.items():
            defined = isinstance(value, float)
            entry["metrics"][name] = {"value": value} if defined else _undefined(str(value))
        if cell.matrix is not None:
            entry["confusion_matrix"] = [list(row) for row in cell.matrix]
    return {
        "headcount_report": SCHEMA_VERSION,
        "config": config,
        "rows": {"read": facts.rows, "evaluated": facts.kept},
        "heads": {
            name: _head(plan, head, by_head[name], facts)
            for name, head in sorted(plan.heads.items())
        },
    }


def report_bytes(report: dict[str, Any]) -> bytes:
    """The bytes of report.json."""
    text = json.dumps(report, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return text.encode() + b"\n"


def _undefined(reason: str) -> dict[str, Any]:
    return {"value": None, "reason": reason}


def _slice(key: Key) -> list[dict[str, Any]]:
    return [{"column": column, "kind": kind, "value": value} for column, kind, value in key]


def _head(
    plan: Plan, head: HeadPlan, entries: dict[Key, dict[str, Any]], facts: Facts
) -> dict[str, Any]:
    order = {column: position for position, column in enumerate(plan.slice_columns)}
    bad = sum(count for (name, _), count in facts.bad.items() if name == head.name)
    for column in (None, *plan.slice_columns):
        parts = sum(
            entry["examples"]
            for key, entry in entries.items()
            if (key[0][0] if key else None) == column
        )
        if parts != facts.kept - bad:
            raise RuntimeError(
                f"{facts.kept - bad:,} examples of head '{head.name}' were measured, and"
                f" {parts:,} arrived {f'in the slices of {column!r}' if column else 'overall'}: the"
                " runner lost states. Nothing was published; run again."
            )
    keys = sorted(entries, key=lambda key: [(order[c[0]], *_sorting(c)) for c in key])
    return {
        "type": head.config.type,
        "classes": list(head.scope.class_names),
        "weighted": head.scope.weighted,
        "slices": [entries[key] for key in keys],
    }


def _sorting(condition: Condition) -> tuple[str, bool, float, str]:
    _, kind, value = condition
    number = float(value) if kind in ("int", "float", "bool") and value is not None else 0.0
    # NaN has no place among the numbers, and would leave none to the others.
    nan = math.isnan(number)
    return kind, nan, 0.0 if nan else number, str(value)
