"""The layout of `gates.json`: its version and its types, which a stored verdict must fit."""

from __future__ import annotations

from typing import Any

from pipeline.report.report_layout import CONDITIONS
from pipeline.report.stored_json import (
    Misfit,
    Type,
    anything,
    check_version,
    count,
    flag,
    list_of,
    mapping_of,
    number,
    or_null,
    parse_json,
    record,
    share,
    text,
)

GATES_VERSION = 1


def _one_of(*words: str) -> Type:
    """Returns the type of a choice of words."""

    def check(value: Any) -> None:
        text(value)
        if value not in words:
            raise Misfit(f"expected one of {', '.join(words)}, not '{value}'")

    return check


def _ends(value: Any) -> None:
    """The type of intervals."""
    list_of(or_null(number))(value)
    if len(value) != 2:
        raise Misfit("expected two ends")


_LIMITS = ("at_least", "at_most", "max_drop", "max_rise")
_OUTCOME = _one_of("pass", "fail", "undecided", "too_small", "absent", "skipped")
_GATE = record(
    {"metric": text},
    {
        **dict.fromkeys(_LIMITS, or_null(number)),
        "head": or_null(text),
        "unweighted": flag,
        "relative": flag,
        "against": or_null(text),
        "slice": or_null(mapping_of(anything, text)),
        "slices": or_null(list_of(text)),
        "decide_by": text,
        "min_examples": count,
        "severity": text,
        "undecided": or_null(text),
    },
)
_JUDGEMENT = record(
    {
        "head": or_null(text),
        "slice": or_null(CONDITIONS),
        "outcome": _OUTCOME,
        "effect": _one_of("fail", "warn", "none"),
    },
    {
        "examples": or_null(count),
        "kind": or_null(_one_of(*_LIMITS)),
        "interval": or_null(_ends),
        **dict.fromkeys(("limit", "value", "margin", "candidate", "baseline"), or_null(number)),
        "paired": flag,
        "p": or_null(share),
        "p_adjusted": or_null(share),
        "reason": or_null(text),
    },
)
_GATES = record(
    {
        "headcount_gates": count,
        "passed": flag,
        "against": or_null(record({"id": text, "directory": text}, more=True)),
        "level": number,
        "gates": list_of(
            record(
                {
                    "gate": _GATE,
                    "severity": _one_of("error", "warn"),
                    "outcome": _OUTCOME,
                    "passed": flag,
                    "judgements": list_of(_JUDGEMENT),
                }
            )
        ),
    }
)


def parse_gates(content: bytes) -> dict[str, Any]:
    """Returns the verdict that `gates.json` holds, as plain data.

    Raises:
        ValueError: if the content is no verdict, or is of another version than this release reads.
    """
    data: dict[str, Any] = parse_json(content)
    check_version(data, "headcount_gates", GATES_VERSION)
    _GATES(data)
    _check_verdict(data)
    return data


def _check_verdict(data: dict[str, Any]) -> None:
    """Raises `Misfit` unless what gates say follows from their judgements."""
    for position, gate in enumerate(data["gates"]):
        fails = any(judgement["effect"] == "fail" for judgement in gate["judgements"])
        # A gate of severity warn has no more than warnings, whether it passed or not.
        if fails != (gate["severity"] == "error" and not gate["passed"]):
            raise Misfit("it does not follow from the judgements", ("gates", position, "passed"))
    held = any(not gate["passed"] and gate["severity"] == "error" for gate in data["gates"])
    if data["passed"] == held:
        raise Misfit("it does not follow from the gates", ("passed",))
