"""The verdict in words: what failed, by how much, and what could not be decided."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.report.text.screen import Screen
from pipeline.report.text.verdict import MOST_GATES, MOST_SLICES, gate_name, render_verdict
from tests.pipeline.report.text.samples import (
    conditions,
    entry,
    gate,
    head,
    judgement,
    report,
    verdict,
)

FOUND = report(head([entry({"auc": 0.5})]))


def lines_of(*gates: dict[str, Any], found: Any = FOUND, **more: Any) -> list[str]:
    return render_verdict(verdict(*gates, **more), found).splitlines()


def missed(margin: float | None, **place: Any) -> dict[str, Any]:
    return judgement(
        "fail", "fail", conditions(**place), kind="at_least", limit=0.5, value=0.25, margin=margin
    )


PASSED = gate({"metric": "auc", "at_least": 0.5}, judgement("pass", "none", [], margin=0.1))
SKIPPED = gate(
    {"metric": "f1", "max_drop": 0.1, "against": "run"},
    judgement("skipped", "none", [], reason="--against=none"),
)
FAILED = gate({"metric": "auc", "at_least": 0.5}, missed(-0.25))
WARNS = gate({"metric": "auc", "at_least": 0.5}, missed(-0.25), severity="warn")


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        ([PASSED], "PASS: 1 gate"),
        ([PASSED, FAILED], "FAIL: 1 of 2 gates failed"),
        ([PASSED, WARNS], "PASS: 2 gates, 1 warning"),
        ([PASSED, SKIPPED], "PASS: 2 gates, 1 skipped"),
    ],
)
def test_the_first_line_has_the_verdict_and_the_rows(gates: list[Any], said: str) -> None:
    assert lines_of(*gates)[0] == f"{said}; 2 rows evaluated of 2 read, 1 head"
    assert (len(lines_of(*gates)) == 1) == (gates == [PASSED])


def test_without_gates_it_says_so() -> None:
    text = render_verdict(None, FOUND, ["a hint"])
    assert text == "no gates asked; 2 rows evaluated of 2 read, 1 head, 1 hint\n"


def test_the_other_run_is_named() -> None:
    assert "PASS: 1 gate, against out/old; " in lines_of(PASSED, against="out/old")[0]


def test_slices_that_failed_are_shown_the_worst_first() -> None:
    places = {"a": -0.1, "b": -0.3, "c": None, "d": -0.2}
    failed = gate(
        {"metric": "auc", "at_least": 0.5, "slices": ["g"]},
        *(missed(margin, g=name) for name, margin in places.items()),
        judgement("pass", "none", conditions(g="e"), kind="at_least", margin=0.5),
    )
    assert lines_of(failed)[2:] == [
        "FAIL  auc at_least 0.5, slices g",
        "      g=b  0.2500  missed by 0.3  512 rows",
        "      g=d  0.2500  missed by 0.2  512 rows",
        "      g=a  0.2500  missed by 0.1  512 rows",
        "      g=c  0.2500  missed         512 rows",
    ]


def test_an_interval_is_shown_where_it_decides() -> None:
    judged = missed(-0.5) | {"interval": [0.01, None]}
    for decide_by, said in (("value", False), ("worst_end", True), ("best_end", True)):
        asked = {"metric": "auc", "at_least": 0.5, "decide_by": decide_by}
        line = lines_of(gate(asked, judged))[3]
        assert ("(at least 0.0100)" in line) == said


def test_a_change_is_shown_with_both_values() -> None:
    judged = judgement(
        "fail",
        "fail",
        [],
        kind="max_rise",
        limit=0.01,
        value=0.03,
        candidate=0.16,
        baseline=0.13,
        interval=[0.02, 0.04],
        margin=-0.02,
    )
    asked = {"metric": "average_loss", "max_rise": 0.01, "against": "run", "decide_by": "worst_end"}
    assert lines_of(gate(asked, judged))[2:] == [
        "FAIL  average_loss max_rise 0.01, against run, decide_by worst_end",
        "      overall  0.1600 from 0.1300: +0.0300 (0.0200-0.0400)  missed by 0.02  512 rows",
    ]


def test_which_of_several_limits_was_missed_is_said() -> None:
    asked = {"metric": "auc", "at_least": 0.5, "at_most": 0.9}
    assert "  at_least missed by 0.25  " in lines_of(gate(asked, missed(-0.25)))[3]


def test_what_is_not_decided_is_said_with_its_reason() -> None:
    slices = gate(
        {"metric": "auc", "at_least": 0.5, "slices": ["g"]},
        *(
            judgement("undecided", "warn", conditions(g=name), reason="few rows")
            for name in "abcdefg"
        ),
        judgement("undecided", "warn", conditions(g="h"), reason="one class"),
        judgement("too_small", "none", conditions(g="i"), reason="below min_examples"),
    )
    overall = gate(
        {"metric": "f1", "at_most": 1}, judgement("undecided", "fail", [], reason="no rows")
    )
    # A judgement of each limit.
    absent = gate(
        {"metric": "auc", "at_least": 0.5, "at_most": 0.9, "slice": {"g": "zz"}},
        *[judgement("absent", "fail", conditions(g="zz"), reason="no rows of this slice")] * 2,
    )
    assert lines_of(slices, SKIPPED, overall, absent)[2:] == [
        "FAIL  f1 at_most 1: undecided: no rows",
        "FAIL  auc at_least 0.5, at_most 0.9, slice g=zz: absent: no rows of this slice",
        "warn  auc at_least 0.5, slices g: undecided in g=a, g=b, g=c, g=d, g=e, ... and 2 more:"
        " few rows",
        "warn  auc at_least 0.5, slices g: undecided in g=h: one class",
        "      f1 max_drop 0.1, against run: skipped: --against=none",
    ]


def test_warnings_are_last() -> None:
    lines = lines_of(WARNS, FAILED, SKIPPED)[2:]
    assert [line[:4] for line in lines] == ["FAIL", "    ", "    ", "warn", "    "]


@pytest.mark.parametrize("more", [0, 1, 700])
def test_the_verdict_is_short_whatever_failed(more: int) -> None:
    slices = [missed(-number, g=str(number)) for number in range(MOST_SLICES + more)]
    undecided = [
        gate({"metric": "f1", "at_least": 0}, judgement("undecided", "fail", [], reason=str(i)))
        for i in range(MOST_GATES + more)
    ]
    failed = [gate({"metric": "auc", "at_least": 0.5}, *slices)] * (MOST_GATES + more)
    lines = lines_of(*failed, *undecided)
    # A line of each gate, its slices, and a line for each reason; a count of each of the rest.
    counts = MOST_GATES + 2 if more else 0
    assert len(lines) == 2 + MOST_GATES * (1 + MOST_SLICES) + MOST_GATES + counts
    if more:
        assert lines.count(f"      and {more:,} more slice{'s' if more > 1 else ''}") == MOST_GATES
        assert lines[-1] == f"and {more:,} more reason{'s' if more > 1 else ''}"


def test_heads_are_named_where_there_are_several() -> None:
    two = report(head([entry({"auc": 0.5})]), head([entry({"auc": 0.5})]))
    assert "      h: overall  0.2500" in lines_of(FAILED, found=two)[3]
    assert "      overall  0.2500" in lines_of(FAILED)[3]


def test_colours_say_what_fails_and_what_warns() -> None:
    text = render_verdict(verdict(FAILED, WARNS), FOUND, screen=Screen(colours="standard"))
    assert text.count("\x1b[1;31mFAIL\x1b[0m") == 2
    assert "\x1b[33mwarn\x1b[0m" in text
    passed = render_verdict(verdict(PASSED), FOUND, screen=Screen(colours="standard"))
    assert passed.startswith("\x1b[1;32mPASS\x1b[0m: 1 gate; ")


def test_gates_are_named_as_they_are_configured() -> None:
    asked = {
        "metric": "recall",
        "unweighted": True,
        "relative": True,
        "at_least": 0.5,
        "max_drop": 1e-7,
        "against": "run",
        "decide_by": "best_end",
        "slices": ["a", "b"],
        "min_examples": 500,
    }
    expected = "recall at_least 0.5, max_drop 1e-07, relative, unweighted, against run"
    assert gate_name(asked) == f"{expected}, decide_by best_end, slices a, b, min_examples 500"
    named = {"metric": "m", "at_most": 2, "slice": {"c": None, "d": 1}, "undecided": "pass"}
    assert gate_name(named) == "m at_most 2, undecided pass, slice c=(missing), d=1"
