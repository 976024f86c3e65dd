"""A stored verdict is read if it is one, and refused with its place if it is not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pipeline.report.gates_layout import parse_gates
from tests.pipeline.report.text.samples import conditions, gate, judgement, verdict


def stored(change: dict[str, Any] | None = None, **judged: Any) -> bytes:
    found = judgement(
        "fail",
        "fail",
        conditions(country="BR"),
        kind="at_least",
        limit=0.78,
        value=0.71,
        margin=-0.09,
        p=0.001,
        p_adjusted=0.004,
    )
    found |= {"interval": [0.69, None]}
    asked = {"metric": "roc_auc", "at_least": 0.78, "slices": ["country"], "decide_by": "worst_end"}
    data = verdict(
        gate(asked, found),
        gate({"metric": "f1"}, judgement("absent", "warn", None, head=None, reason="no rows")),
        against="out/last_week",
    )
    data["gates"][0]["judgements"][0].update(judged)
    return json.dumps(data | (change or {})).encode()


def test_a_verdict_is_read_as_it_was_written() -> None:
    assert parse_gates(stored()) == json.loads(stored())
    assert parse_gates(stored({"against": None}))["against"] is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[]", "it has no 'headcount_gates', the version of its layout"),
        (stored({"headcount_gates": 2}), "has version 2, and this release of headcount reads 1"),
        (stored({"passed": 1}), "passed: expected true or false"),
        (stored({"more": 1}), "unknown key 'more'"),
        (stored({"gates": [{}]}), "gates[0]: key 'gate' is missing"),
        (stored(outcome="good"), "outcome: expected one of pass, fail"),
        (stored(effect=None), "gates[0].judgements[0].effect: expected text, not null"),
        (stored(interval=[1]), "interval: expected two ends"),
        (stored(value="0.7"), "value: expected a finite number"),
        (stored(slice=[{}]), "slice[0]: key 'column' is missing"),
    ],
)
def test_what_is_no_verdict_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_gates(content)
