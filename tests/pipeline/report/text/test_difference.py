"""The difference of two runs for people: both values beside it, and the verdict if there is one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.report.text.difference import render_diff
from pipeline.report.text.screen import NARROWEST, Screen
from tests.pipeline.report.text.samples import (
    CONFIG,
    cause,
    figure,
    gate,
    judgement,
    verdict,
    worse,
)
from tests.pipeline.tables import law


def comparison(*heads: dict[str, Any], name: str = "h") -> dict[str, Any]:
    named = {name + (str(i) if i else ""): head for i, head in enumerate(heads)}
    return {"headcount_diff": 1, "config": CONFIG, "heads": named}


def head(metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A head of the comparison: by metric its two values, and the difference."""
    overall = {
        "slice": [],
        "examples": 100,
        "small": False,
        "candidate": {name: values[0] for name, values in metrics.items()},
        "baseline": {name: values[1] for name, values in metrics.items()},
        "difference": {name: values[2] for name, values in metrics.items()},
    }
    return {
        "type": "binary",
        "paired": True,
        "unpaired_because": None,
        "headline": list(metrics),
        "not_compared": [],
        "slices": [overall],
        "worse": [],
        "causes": [],
        **more,
    }


AREA = (0.75, 0.5, figure(0.25, 0.125, 0.375))
NOTHING = (None, 0.5, figure(None))


def test_both_values_stand_beside_the_difference() -> None:
    found = comparison(head({"roc_auc": AREA, "f1": NOTHING}))
    assert render_diff(found).splitlines() == [
        "no slice got worse beyond noise",
        "",
        "h  (binary, paired)",
        "",
        "  overall  candidate  baseline  difference   interval",
        "  roc_auc     0.7500    0.5000      0.2500  0.12-0.38",
        "  f1               -    0.5000           -",
    ]


def test_causes_come_first_and_all_that_is_worse_is_there_if_asked_for() -> None:
    names = {"roc_auc": AREA} | {f"recall/{i}": AREA for i in range(20)}
    entries = [worse("roc_auc", g=str(i)) for i in range(50)]
    found = comparison(head(names, worse=entries, causes=[cause(50, 1, g="0")]))
    lines = render_diff(found).splitlines()
    assert lines[:2] == [
        "worse beyond noise",
        "  g=0: 1 metric worse, first roc_auc 0.7100 from 0.7800; in 50 slices",
    ]
    assert not any("recall" in line or "adjusted p" in line for line in lines)
    lines = render_diff(found, verbose=True).splitlines()
    assert sum("recall/" in line for line in lines) == 20
    assert sum("g=" in line and "0.0012" in line for line in lines) == 50


def test_the_verdict_is_first_if_there_are_gates() -> None:
    judged = judgement(
        "fail", "fail", [], kind="max_drop", value=-0.25, candidate=0.5, baseline=0.75, margin=-0.2
    )
    gates = verdict(gate({"metric": "f1", "max_drop": 0.05, "against": "run"}, judged))
    lines = render_diff(comparison(head({"roc_auc": AREA, "f1": AREA})), gates).splitlines()
    assert lines[:5] == [
        "FAIL: 1 of 1 gate failed; 1 head",
        "",
        "FAIL  f1 max_drop 0.05, against run",
        "      overall  0.5000 from 0.7500: -0.2500  missed by 0.2  512 rows",
        "",
    ]
    # What failed is the first metric.
    assert [line.split()[0] for line in lines if "0.12-0.38" in line] == ["f1", "roc_auc"]
    assert "no gates" not in render_diff(comparison(head({"roc_auc": AREA})))


def test_what_is_not_compared_is_told() -> None:
    unpaired = head(
        {"roc_auc": AREA},
        paired=False,
        unpaired_because="other rows\x1b",
        not_compared=[f"m{i}" for i in range(30)],
    )
    text = render_diff(comparison(unpaired, head({"f1": AREA})))
    assert "h  (binary, not paired: other rows\\x1b)\n" in text
    assert text.count("not compared, for a run of another release lacks its states: m0, m1") == 1
    assert "and 10 more" in text
    assert text.startswith("h: no slice got worse beyond noise\nh1: no slice")


@law
@given(
    st.text(st.characters(), min_size=1, max_size=40),
    st.integers(20, 130),
    st.booleans(),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_no_line_is_wider_than_the_screen(
    name: str, columns: int, verbose: bool, encoding: str
) -> None:
    found = head(
        {name: AREA, "f1": AREA},
        worse=[worse(name, **{name: name})],
        causes=[cause(**{name: name})],
        not_compared=[name],
    )
    screen = Screen(columns, encoding)
    text = render_diff(comparison(found, found, name=name), screen=screen, verbose=verbose)
    for line in text.split("\n"):
        assert cell_len(line) <= max(columns, NARROWEST)
        assert line.isprintable() or not line.isascii()


@pytest.mark.parametrize("verbose", [False, True])
def test_a_metric_that_one_slice_lacks_is_no_row(verbose: bool) -> None:
    found = head({"roc_auc": AREA})
    found["headline"] = ["roc_auc", "f1"]
    assert "f1" not in render_diff(comparison(found), verbose=verbose)
