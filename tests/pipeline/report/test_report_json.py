"""The report as data and as bytes: what it says, in which order, and what it refuses."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, Key
from pipeline.evaluation.plan import Plan
from pipeline.report import report_json
from pipeline.report.report_json import build_report, report_bytes, values_data
from pipeline.report.report_layout import SCHEMA_VERSION
from pipeline.results.estimated import Estimates
from pipeline.results.results import Results
from pipeline.slicing.conditions import key_order
from pipeline.slicing.table import SliceTable, SpecSlices
from pipeline.validation.bad_rows import BadRows
from pipeline.validation.findings import Findings
from tests.pipeline.tables import law, plan_of

PLAIN = "heads: {h: {type: binary, logits: s, label: y}}"
SLICED = PLAIN + "\nslices: [{column: b}, {column: a}]\ninput: in\noutput: out"
NO_SLICES = SliceTable((), frozenset())


def estimates(*values: float | str) -> Estimates:
    """Values without intervals, or the reasons why they are undefined."""
    value = np.array([math.nan if isinstance(v, str) else v for v in values])
    reasons = np.array([v if isinstance(v, str) else None for v in values], object)
    none = np.full(len(values), math.nan)
    no_interval_reason = np.full(len(values), "intervals are switched off", object)
    return Estimates(value, reasons, none, none, none, none, no_interval_reason, *[none] * 4)


def test_open_ends_are_null() -> None:
    nan, ends = np.full(3, math.nan), np.array([0.25, -math.inf, -math.inf])
    none = np.array([None] * 3)
    upper = np.array([math.inf, 0.75, math.inf])
    found = Estimates(np.full(3, 0.5), none, nan, nan, ends, upper, none, *[nan] * 4)
    for at, (low, high) in enumerate([(0.25, None), (None, 0.75), (None, None)]):
        entry = values_data({"m": found}, at)["m"]
        assert entry == {"value": 0.5, "lower": low, "upper": high}


def results_of(
    keys: list[Key], examples: list[int], head: str = "h", **metrics: Estimates
) -> Results:
    return Results(head, tuple(keys), tuple(examples), (metrics,), ())


def spec_of(*counts: tuple[Key, int]) -> SpecSlices:
    return SpecSlices(tuple(key for key, _ in counts), tuple(rows for _, rows in counts))


def slices_of(table: SliceTable) -> list[Results]:
    """Results of all slices of a table, a piece each, and of overall."""
    counted = dict(
        pair for spec in table.specs for pair in zip(spec.keys, spec.examples, strict=True)
    )
    total = sum(filter(None, table.specs[0].examples)) if table.specs else 0
    return [
        results_of([key], [rows], accuracy=estimates(0.5))
        for key, rows in {OVERALL: total, **counted}.items()
    ]


def report_of(plan: Plan, table: SliceTable, results: list[Results], rows: int) -> dict[str, Any]:
    return build_report(plan, table, results, Findings(rows=rows + 2, kept=rows))


def order(report: dict[str, Any]) -> list[Key]:
    return [
        tuple((c["column"], c["kind"], c["value"]) for c in entry["slice"])
        for entry in report["heads"]["h"]["slices"]
    ]


def test_what_a_report_says() -> None:
    plan = plan_of(PLAIN + "\ninput: in/*.parquet\noutput: out\nmin_slice_size: 3")
    sure = Estimates(
        np.array([0.5]),
        np.array([None]),
        *(np.array([value]) for value in (0.1, 18.5, 0.25, 0.75)),
        np.array([None]),
        *(np.array([value]) for value in (math.nan, 0.4375, 0.625, math.nan)),
    )
    results = results_of(
        [OVERALL], [2], accuracy=sure, recall=estimates(1.0), roc_auc=estimates("no label is zero")
    )
    report = build_report(plan, NO_SLICES, [results], Findings(rows=5, kept=2))
    assert report["headcount_report"] == SCHEMA_VERSION
    assert report["rows"] == {"read": 5, "evaluated": 2}
    # Neither where the rows came from nor where the report went is a fact of rows.
    assert {"heads", "slices", "where", "confidence"} <= set(report["config"])
    assert {"input", "output"}.isdisjoint(report["config"])
    found = report["heads"]["h"]
    headline = found.pop("headline")
    assert {"accuracy", "auc", "average_loss"} <= set(headline)
    assert found == {
        "type": "binary",
        "classes": ["class0", "class1"],
        "weighted": False,
        "threshold_rule": "probability > threshold, logit > logit threshold",
        "bad_rows": {},
        "slices": [
            {
                "slice": [],
                "examples": 2,
                "small": True,
                "metrics": {
                    "accuracy": {
                        "value": 0.5,
                        "rounded": [0.4375, 0.625],
                        "lower": 0.25,
                        "upper": 0.75,
                        "standard_error": 0.1,
                        "degrees_of_freedom": 18.5,
                    },
                    "recall": {"value": 1.0, "no_interval": "intervals are switched off"},
                    "roc_auc": {"value": None, "reason": "no label is zero"},
                },
            }
        ],
        "slices_left_out": 0,
        "detailed_slices": 0,
        "slices_folded": [],
    }


keys = st.one_of(
    st.tuples(st.just("b"), st.just("string"), st.text(max_size=3)),
    st.tuples(st.just("b"), st.just("int"), st.integers(-(2**63), 2**64 - 1)),
    st.tuples(st.just("b"), st.just("float"), st.floats().map(repr)),
    st.tuples(st.just("b"), st.just("bool"), st.booleans()),
    st.tuples(st.just("b"), st.just("bytes"), st.binary(min_size=1).map(bytes.hex)),
    st.just(("b", "missing", None)),
).map(lambda condition: (condition,))


@law
@given(st.lists(keys, unique=True, max_size=8), st.randoms(use_true_random=False))
def test_results_in_any_order_and_any_pieces_give_one_report(found: list[Key], rng: Any) -> None:
    plan = plan_of(PLAIN + "\nslices: [{column: b}]")
    table = SliceTable((spec_of(*((key, 2) for key in sorted(found, key=key_order))),), frozenset())
    results = slices_of(table)
    report = report_of(plan, table, results, 2 * len(found))
    assert order(report) == [OVERALL, *sorted(found, key=key_order)]
    together = results_of(
        [result.keys[0] for result in results],
        [result.examples[0] for result in results],
        accuracy=estimates(*[0.5] * len(results)),
    )
    for again in (rng.sample(results, len(results)), [together]):
        assert report_bytes(report_of(plan, table, again, 2 * len(found))) == report_bytes(report)


@law
@given(st.lists(keys, unique=True, max_size=4))
def test_bytes_are_sorted_json_in_utf8(found: list[Key]) -> None:
    plan = plan_of(PLAIN + "\nslices: [{column: b}]")
    table = SliceTable((spec_of(*((key, 1) for key in found)),), frozenset())
    report = report_of(plan, table, slices_of(table), len(found))
    written = report_bytes(report)
    assert written.endswith(b"}\n")

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    again = json.loads(written.decode(), parse_constant=refuse)
    assert again == report
    assert list(again) == sorted(again)
    assert list(again["heads"]["h"]) == sorted(again["heads"]["h"])


def test_bytes_refuse_what_json_cannot_write() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="JSON"):
            report_bytes({"value": value})


def test_numbers_survive_to_the_last_digit() -> None:
    plan = plan_of(PLAIN)
    for value in (0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3, 0.0):
        results = results_of([OVERALL], [1], accuracy=estimates(value))
        again = json.loads(report_bytes(report_of(plan, NO_SLICES, [results], 1)))
        assert again["heads"]["h"]["slices"][0]["metrics"]["accuracy"]["value"] == value


def test_heads_are_sorted_by_name() -> None:
    head = "{type: binary, logits: s, label: y}"
    plan = plan_of(f"heads: {{z: {head}, a: {head}, m: {head}}}")
    results = [results_of([OVERALL], [1], name) for name in "maz"]
    assert list(report_of(plan, NO_SLICES, results, 1)["heads"]) == ["a", "m", "z"]


A1, A2, B1, B2 = ((((column, "int", i),)) for column in "ab" for i in (1, 2))
TWO = SliceTable((spec_of((B1, 1), (B2, 1)), spec_of((A1, 1), (A2, 1))), frozenset())


def test_slices_that_do_not_add_up_are_an_error() -> None:
    plan = plan_of(SLICED)
    whole = slices_of(TWO)
    assert order(report_of(plan, TWO, whole, 2)) == [(), B1, B2, A1, A2]
    for lost in range(len(whole)):
        with pytest.raises(RuntimeError, match="the runner lost states"):
            report_of(plan, TWO, whole[:lost] + whole[lost + 1 :], 2)
    more = [*whole[:-1], results_of([A2], [2])]
    with pytest.raises(RuntimeError, match=r"^1 rows of slice .*'a'.* were counted, .* 2 arrived"):
        report_of(plan, TWO, more, 2)


@pytest.mark.parametrize(("text", "table"), [(PLAIN, NO_SLICES), (SLICED, TWO)])
def test_a_head_that_was_lost_whole_is_an_error(text: str, table: SliceTable) -> None:
    with pytest.raises(RuntimeError, match=r"^2 rows of slice \[\] .* and 0 arrived: the runner"):
        report_of(plan_of(text), table, [], 2)


def test_bad_rows_are_not_missed() -> None:
    findings = Findings(
        rows=9,
        kept=5,
        bad={
            ("h", "null:y"): BadRows(2),
            ("h", "null:s"): BadRows(1),
            ("k", "null:y"): BadRows(2),
        },
    )
    results = [results_of([OVERALL], [2])]
    found = build_report(plan_of(PLAIN), NO_SLICES, results, findings)
    assert found["rows"] == {"read": 9, "evaluated": 5}
    with pytest.raises(RuntimeError):
        build_report(plan_of(PLAIN), NO_SLICES, [results_of([OVERALL], [1])], findings)


def test_the_largest_slices_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_json, "MAX_SLICES", 3)
    plan = plan_of(SLICED)
    slices: list[Key] = [(("b", "int", i),) for i in range(6)]
    rows = [1, 4, 3, 9, 4, 3]
    other: list[Key] = [(("a", "int", 0),)]
    first = SpecSlices(tuple(slices), tuple(rows), merged_into_other=7)
    table = SliceTable((first, SpecSlices(tuple(other), (24,))), frozenset())
    report = report_of(plan, table, slices_of(table), sum(rows))
    # Overall, and of equally many rows the first.
    assert order(report) == [(), slices[1], slices[3], other[0]]
    assert report["heads"]["h"]["slices_left_out"] == 4
    assert report["heads"]["h"]["slices_folded"] == [7, 0]


def test_small_slices_are_marked() -> None:
    plan = plan_of(SLICED + "\nmin_slice_size: 2")
    table = SliceTable((spec_of((B1, 1), (B2, 2)), spec_of((A1, 3))), frozenset())
    found = report_of(plan, table, slices_of(table), 3)["heads"]["h"]["slices"]
    assert [entry["small"] for entry in found] == [False, True, False, False]
