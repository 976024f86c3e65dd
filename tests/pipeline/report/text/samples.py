"""Small reports and verdicts as plain data, and how wide a line is."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

CONFIG: dict[str, Any] = {"confidence": {"level": 0.95}}
HOSTILE = [
    "\n\n\r\t",
    "\x1b[2J\x1b[31m",
    "\x9b31m\x07\x00\x7f",
    "\u202egnp.exe\u2066",
    "a\u2028b\u2029c\x85d\x0be\x0cf",
    "\u200b\ufeff\ue000",
    "[red]a[/red] [link=x]b[/link] :smile:",
    "a|b\\|c`d`<b>&amp;",
]


def conditions(**values: Any) -> list[dict[str, Any]]:
    """The conditions of a slice."""
    return [{"column": c, "kind": "string", "value": value} for c, value in values.items()]


def figure(value: float | None, *ends: float | None, **more: Any) -> dict[str, Any]:
    """A metric, undefined if its value is None; with an interval if there are two ends."""
    if value is None:
        return {"value": None, "reason": "no reason", **more}
    return {"value": value, **dict(zip(("lower", "upper"), ends, strict=False)), **more}


def entry(
    metrics: Mapping[str, Any], rows: int = 12, small: bool = False, **values: Any
) -> dict[str, Any]:
    """A slice, overall if there are no conditions."""
    figures = {
        name: metric if isinstance(metric, Mapping) else figure(metric)
        for name, metric in metrics.items()
    }
    return {"slice": conditions(**values), "examples": rows, "small": small, "metrics": figures}


def head(slices: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A head of these slices, overall first."""
    return {
        "type": "binary",
        "weighted": False,
        "classes": ["0", "1"],
        "headline": list(slices[0]["metrics"]),
        "threshold_rule": "probability > threshold",
        "slices": list(slices),
        "slices_left_out": 0,
        **more,
    }


def report(
    *heads: Mapping[str, Any],
    name: str = "h",
    rows: tuple[int, int] = (2, 2),
    config: Mapping[str, Any] = CONFIG,
) -> dict[str, Any]:
    """A report; a second head has the name `h1`, and so on."""
    read, evaluated = rows
    return {
        "config": config,
        "rows": {"read": read, "evaluated": evaluated},
        "heads": {name + (str(number) if number else ""): h for number, h in enumerate(heads)},
    }


def with_baseline(
    part: Mapping[str, Any], baseline: Mapping[str, Any], difference: Mapping[str, Any], **both: Any
) -> dict[str, Any]:
    """A slice of two models."""
    return {
        **part,
        "baseline": {"metrics": {name: figure(value) for name, value in baseline.items()}},
        "difference": dict(difference),
        "both": {name: figure(value) for name, value in both.items()},
    }


def cause(slices: int = 1, metrics: int = 1, **values: Any) -> dict[str, Any]:
    """A cause of what got worse, first by roc_auc."""
    first = {"metric": "roc_auc", "candidate": 0.71, "baseline": 0.78, "difference": -0.07}
    names = ["roc_auc", *(f"m{number}" for number in range(1, metrics))]
    return {"slice": conditions(**values), "metrics": names, "slices": slices, "first": first}


def worse(metric: str, difference: float = -0.125, **values: Any) -> dict[str, Any]:
    """A metric of a slice that got worse."""
    return {
        "metric": metric,
        "slices": 0 if values else None,
        "slice": conditions(**values),
        "difference": difference,
        "p_worse": 0.001,
        "p_adjusted": 0.00123,
    }


def judgement(
    outcome: str, effect: str, place: list[dict[str, Any]] | None, **more: Any
) -> dict[str, Any]:
    """What a gate says of a slice."""
    return {
        "head": "h",
        "slice": place,
        "examples": 512,
        "outcome": outcome,
        "effect": effect,
        "interval": None,
        **more,
    }


def gate(
    gate: Mapping[str, Any], *judgements: Mapping[str, Any], severity: str = "error"
) -> dict[str, Any]:
    """A gate with its judgements."""
    outcomes = [judged["outcome"] for judged in judgements]
    order = ("fail", "absent", "undecided", "pass", "too_small", "skipped")
    return {
        "gate": dict(gate),
        "severity": severity,
        "outcome": min(outcomes, key=order.index),
        "passed": all(judged["effect"] != "fail" for judged in judgements),
        "judgements": list(judgements),
    }


def verdict(*gates: Mapping[str, Any], against: str | None = None) -> dict[str, Any]:
    """The content of `gates.json`."""
    return {
        "headcount_gates": 1,
        "passed": all(g["passed"] for g in gates if g["severity"] == "error"),
        "against": against and {"id": "20260101T000000Z-1", "directory": against},
        "level": 0.95,
        "gates": list(gates),
    }


def width(line: str) -> int:
    """The columns that a line takes in a terminal, by what Unicode says of its letters."""
    marks = [c for c in line if unicodedata.category(c) in ("Mn", "Me")]
    wide = [c for c in line if unicodedata.east_asian_width(c) in "WF" and c not in marks]
    return len(line) - len(marks) + len(wide)
