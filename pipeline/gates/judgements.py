"""Judgements: what gates say of single figures, and of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from heads.statistics import Key
from pipeline.config.gates import Gate
from pipeline.gates.limits import Limit
from pipeline.slicing.names import slice_data

Outcome = Literal["pass", "fail", "undecided", "too_small", "absent", "skipped"]
Effect = Literal["fail", "warn", "none"]

# The worst comes first; what could not be judged says less than what was.
_ORDER: tuple[Outcome, ...] = ("fail", "absent", "undecided", "pass", "too_small", "skipped")


@dataclass(frozen=True)
class Judgement:
    """What a gate says of one figure.

    Attributes:
        outcome: whether the figure is inside the limit, or why that is not known.
        limit: the limit.
        head: the name of the head; None for a gate that was skipped as a whole.
        key: the slice; None if there is none.
        examples: the rows of the slice.
        reason: why there is neither `pass` nor `fail`; None if there is.
        value: the value or the change; NaN if it is not known.
        interval: the ends of its interval, NaN if there is none, infinite where it is open.
        margin: how far the number that decides is inside the limit, negative if it is outside; NaN
            if there is none.
        candidate: for a change, the value of the candidate, else NaN.
        baseline: for a change, the value that it is compared with, else NaN.
        paired: for a change, whether both values are of the same rows.
        p: the one-sided p-value that the figure is outside of the limit, where that decides.
        p_adjusted: `p`, adjusted for all slices of the gate.
    """

    outcome: Outcome
    limit: Limit
    head: str | None
    key: Key | None
    examples: int = 0
    reason: str | None = None
    value: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    margin: float = math.nan
    candidate: float = math.nan
    baseline: float = math.nan
    paired: bool = False
    p: float = math.nan
    p_adjusted: float = math.nan

    def effect(self, gate: Gate) -> Effect:
        """Returns what the judgement does to a gate, were it an error.

        What is undecided fails in overall, and is a warning in a slice.
        """
        if self.outcome in ("fail", "absent"):
            return "fail"
        if self.outcome != "undecided":
            return "none"
        if gate.undecided is not None:
            return "fail" if gate.undecided == "fail" else "none"
        return "warn" if self.key else "fail"

    def to_data(self, gate: Gate) -> dict[str, Any]:
        """Returns the judgement as plain data."""
        ends = None
        if not math.isnan(self.interval[0]):
            ends = [_number(end) for end in self.interval]
        effect = self.effect(gate)
        if effect == "fail" and gate.severity == "warn":
            effect = "warn"
        data: dict[str, Any] = {
            "head": self.head,
            "slice": None if self.key is None else slice_data(self.key),
            "examples": self.examples,
            "outcome": self.outcome,
            "effect": effect,
            "kind": self.limit.kind,
            "limit": self.limit.number,
            "value": _number(self.value),
            "interval": ends,
            "margin": _number(self.margin),
        }
        if self.limit.of_change:
            data["candidate"] = _number(self.candidate)
            data["baseline"] = _number(self.baseline)
            data["paired"] = self.paired
        if not math.isnan(self.p):
            data["p"], data["p_adjusted"] = self.p, self.p_adjusted
        if self.reason is not None:
            data["reason"] = self.reason
        return data


def gate_data(gate: Gate, judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Returns what a gate says, as plain data.

    Args:
        gate: the gate.
        judgements: its judgements; at least one.
    """
    entries = [judgement.to_data(gate) for judgement in judgements]
    return {
        "gate": gate.to_dict(),
        "severity": gate.severity,
        "outcome": min((judgement.outcome for judgement in judgements), key=_ORDER.index),
        "passed": all(judgement.effect(gate) != "fail" for judgement in judgements),
        "judgements": entries,
    }


def _number(value: float) -> float | None:
    """Returns a number for JSON, None for one that is not finite."""
    return value if math.isfinite(value) else None
