"""The report as data, as bytes, and as a table for people."""

from __future__ import annotations

import json
import math
import random
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, Condition
from pipeline.facts import Facts
from pipeline.plan import Plan
from pipeline.report.model import SCHEMA_VERSION, build_report, report_bytes
from pipeline.report.table import MOST_COLUMNS, WIDEST_NAME, render, slice_name
from pipeline.results import Cell
from tests.pipeline.tables import law, plan_of

PLAIN = "heads: {h: {type: binary, logits: s, label: y}}"
SLICED = PLAIN + "\nslices: [{column: b}, {column: a}]\ninput: in\noutput: out"


def cells_of(plan: Plan, conditions: list[Condition], head: str = "h") -> list[Cell]:
    """One row in each slice of every column; there must be equally many."""
    total = len(conditions) // max(1, len(plan.slice_columns))
    cells = [Cell(head, OVERALL, total, {"accuracy": 0.5})]
    return cells + [Cell(head, (one,), 1, {"accuracy": 0.25}) for one in conditions]


def report_of(plan: Plan, cells: list[Cell], rows: int) -> dict[str, Any]:
    return build_report(plan, cells, Facts(rows=rows + 2, kept=rows))


def order(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        tuple((c["column"], c["kind"], c["value"]) for c in entry["slice"])
        for entry in report["heads"]["h"]["slices"]
    ]


def test_what_a_report_says() -> None:
    plan = plan_of(PLAIN + "\ninput: in/*.parquet\noutput: out")
    metrics = {"accuracy": 0.5, "roc_auc": "no label is zero"}
    report = build_report(plan, [Cell("h", OVERALL, 2, metrics)], Facts(rows=5, kept=2))
    assert report["headcount_report"] == SCHEMA_VERSION
    assert report["rows"] == {"read": 5, "evaluated": 2}
    # Neither where the rows came from nor where the report went is a fact of rows.
    assert set(report["config"]) == {"heads", "slices", "where"}
    assert report["heads"]["h"] == {
        "type": "binary",
        "classes": ["0", "1"],
        "weighted": False,
        "slices": [
            {
                "slice": [],
                "examples": 2,
                "metrics": {
                    "accuracy": {"value": 0.5},
                    "roc_auc": {"value": None, "reason": "no label is zero"},
                },
            }
        ],
    }


def test_a_confusion_matrix_is_lists() -> None:
    plan = plan_of("heads: {h: {type: multi_class, n_classes: 3, logits: s, label: y}}")
    matrix = ((1, 0, 0), (0, 2, 0), (0, 0, 3))
    cells = [Cell("h", OVERALL, 6, {}), Cell("h", OVERALL, None, {"accuracy": 1.0}, matrix)]
    (entry,) = report_of(plan, cells, 6)["heads"]["h"]["slices"]
    assert entry["confusion_matrix"] == [[1, 0, 0], [0, 2, 0], [0, 0, 3]]
    assert (entry["examples"], entry["metrics"]) == (6, {"accuracy": {"value": 1.0}})


def test_slices_are_in_order() -> None:
    plan = plan_of(SLICED)
    b: list[Condition] = [
        ("b", "bool", False),
        ("b", "bool", True),
        ("b", "float", "-inf"),
        ("b", "float", "-3.0"),
        ("b", "float", "2.0"),
        ("b", "float", "10.0"),
        ("b", "float", "inf"),
        ("b", "float", "nan"),
        ("b", "int", -(2**63)),
        ("b", "int", 2),
        ("b", "int", 10),
        ("b", "int", 2**53),
        ("b", "int", 2**53 + 1),
        ("b", "missing", None),
        ("b", "string", "10"),
        ("b", "string", "2"),
        ("b", "string", "é"),
    ]
    a: list[Condition] = [("a", "string", f"{i:02}") for i in range(len(b))]
    cells = cells_of(plan, [*a, *b])
    rng = random.Random(0)
    for _ in range(10):
        rng.shuffle(cells)
        assert order(report_of(plan, cells, len(b))) == [(), *((c,) for c in [*b, *a])]


def conditions(column: str) -> st.SearchStrategy[Condition]:
    return st.one_of(
        st.tuples(st.just(column), st.just("string"), st.text(max_size=3)),
        st.tuples(st.just(column), st.just("int"), st.integers(-(2**63), 2**64 - 1)),
        st.tuples(st.just(column), st.just("float"), st.floats().map(repr)),
        st.tuples(st.just(column), st.just("bool"), st.booleans()),
        st.tuples(st.just(column), st.just("bytes"), st.binary(min_size=1).map(bytes.hex)),
        st.just((column, "missing", None)),
    )


@law
@given(st.lists(conditions("b"), unique=True, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_cells_changes_nothing(found: list[Condition], rng: random.Random) -> None:
    plan = plan_of(PLAIN + "\nslices: [{column: b}]")
    cells = cells_of(plan, found)
    cells += [Cell("h", cell.key, None, {"recall": "no label is positive"}) for cell in cells]
    shuffled = rng.sample(cells, len(cells))
    report = report_of(plan, cells, len(found))
    assert report_bytes(report_of(plan, shuffled, len(found))) == report_bytes(report)
    assert len(set(order(report))) == len(found) + 1


@law
@given(st.lists(conditions("b"), unique=True, max_size=4))
def test_bytes_are_sorted_json_in_utf8(found: list[Condition]) -> None:
    plan = plan_of(PLAIN + "\nslices: [{column: b}]")
    report = report_of(plan, cells_of(plan, found), len(found))
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
        report = report_of(plan, [Cell("h", OVERALL, 1, {"accuracy": value})], 1)
        again = json.loads(report_bytes(report))
        assert again["heads"]["h"]["slices"][0]["metrics"]["accuracy"] == {"value": value}


def test_heads_are_sorted_by_name() -> None:
    keys = "{type: binary, logits: s, label: y}"
    plan = plan_of(f"heads: {{z: {keys}, a: {keys}, m: {keys}}}")
    cells = [Cell(name, OVERALL, 1, {}) for name in "maz"]
    report = build_report(plan, cells, Facts(rows=1, kept=1))
    assert list(report["heads"]) == ["a", "m", "z"]


def test_slices_that_do_not_add_up_are_an_error() -> None:
    plan = plan_of(SLICED)
    whole = cells_of(plan, [("a", "int", 1), ("a", "int", 2), ("b", "int", 1), ("b", "int", 2)])
    report_of(plan, whole, 2)
    for lost in range(len(whole)):
        with pytest.raises(RuntimeError, match="the runner lost states"):
            report_of(plan, whole[:lost] + whole[lost + 1 :], 2)
    with pytest.raises(
        RuntimeError, match=r"^2 examples of head 'h' were measured, and 3 arrived in the"
    ):
        report_of(plan, [*whole, Cell("h", (("b", "int", 3),), 1, {})], 2)


@pytest.mark.parametrize("text", [PLAIN, SLICED], ids=["overall", "slices"])
def test_a_head_that_was_lost_whole_is_an_error(text: str) -> None:
    with pytest.raises(
        RuntimeError, match=r"^2 examples .*, and 0 arrived overall: the runner lost"
    ):
        report_of(plan_of(text), [], 2)


def test_bad_rows_are_not_missed() -> None:
    facts = Facts(rows=9, kept=5, bad={("h", "null:y"): 2, ("h", "null:s"): 1, ("k", "null:y"): 2})
    cells = [Cell("h", OVERALL, 2, {})]
    assert build_report(plan_of(PLAIN), cells, facts)["rows"] == {"read": 9, "evaluated": 5}


# The table.


def shown(names: list[str], value: float | None = 0.5, classes: tuple[str, ...] = ()) -> list[str]:
    """The lines of a table with slices of these names."""
    metric = {"value": value} if value is not None else {"value": None, "reason": "no reason"}
    entries: list[dict[str, Any]] = [
        {
            "slice": [{"column": "b", "kind": "string", "value": name}],
            "examples": 12345,
            "metrics": {"accuracy": metric},
        }
        for name in names
    ]
    head = {"type": "multi_class", "weighted": True, "classes": classes, "slices": entries}
    if classes:
        size = range(len(classes))
        entries[0]["confusion_matrix"] = [[1234 * (i == j) for j in size] for i in size]
    text = render({"rows": {"read": 10000, "evaluated": 9999}, "heads": {"my_head": head}})
    assert text.endswith("\n")
    return text[:-1].split("\n")


def width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_a_table() -> None:
    assert shown(["x", "größe"]) == [
        "9,999 rows evaluated of 10,000 read",
        "",
        "my_head  (multi-class, weighted)",
        "                b=x  b=größe",
        "  examples   12,345   12,345",
        "  accuracy  0.50000  0.50000",
    ]


def test_wide_letters_take_two_columns() -> None:
    fullwidth, halfwidth = "\N{FULLWIDTH LATIN CAPITAL LETTER A}", "\N{HALFWIDTH KATAKANA LETTER A}"
    assert shown(["界" * 4, fullwidth * 4, halfwidth * 8])[3:5] == [
        f"            b={'界' * 4}  b={fullwidth * 4}  b={halfwidth * 8}",
        "  examples      12,345      12,345      12,345",
    ]


def test_a_table_with_a_confusion_matrix() -> None:
    assert shown(["x"], classes=("cat", "dog"))[6:] == [
        "",
        "examples by label and predicted class",
        "  label \\ predicted    cat    dog",
        "  cat                1,234      .",
        "  dog                    .  1,234",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.00000"),
        (1 / 3, "0.33333"),
        (999.0, "999.00000"),
        (1000.0, "1,000"),
        (-1234567.0, "-1,234,567"),
        (1000.5, "1000.50000"),
    ],
)
def test_numbers_of_a_table(value: float | None, text: str) -> None:
    assert shown(["x"], value)[5].split() == ["accuracy", text]


def test_a_metric_that_a_slice_lacks_is_a_dash() -> None:
    head = {
        "type": "binary",
        "weighted": False,
        "classes": ["0", "1"],
        "slices": [
            {"slice": [], "examples": 2, "metrics": {"accuracy": {"value": 1.0}}},
            {"slice": [], "examples": 2, "metrics": {"recall": {"value": 1.0}}},
        ],
    }
    lines = render({"rows": {"read": 2, "evaluated": 2}, "heads": {"h": head}}).splitlines()
    assert [line.split() for line in lines[-2:]] == [
        ["accuracy", "1.00000", "-"],
        ["recall", "-", "1.00000"],
    ]


def test_why_a_metric_is_undefined_is_said_once() -> None:
    assert shown(["x", "y"], None)[5:] == [
        "  accuracy       -       -",
        "  - is undefined: no reason",
    ]


def table_of(*entries: dict[str, float | None]) -> list[list[str]]:
    """The words of the metrics of a table, an entry a slice."""
    slices = [
        {
            "slice": [{"column": "b", "kind": "int", "value": i}] if i else [],
            "examples": 2,
            "metrics": {
                name: {"value": value} if value is not None else {"value": None, "reason": "why"}
                for name, value in entry.items()
            },
        }
        for i, entry in enumerate(entries)
    ]
    head = {"type": "binary", "weighted": False, "classes": ["0", "1"], "slices": slices}
    lines = render({"rows": {"read": 2, "evaluated": 2}, "heads": {"h": head}}).splitlines()
    return [line.split() for line in lines[5:]]


def test_bounds_as_good_as_the_value_are_left_out() -> None:
    exact = {"roc_auc": 0.5, "roc_auc_lower": 0.5, "roc_auc_upper": 0.5}
    assert table_of(exact) == [["roc_auc", "0.50000"]]
    by_class = {"roc_auc/a": 0.5, "roc_auc_upper/a": 0.5}
    assert table_of(by_class) == [["roc_auc/a", "0.50000"]]
    # One slice in which they differ is enough, and so is a value that is not there.
    assert len(table_of(exact, exact | {"roc_auc_upper": 0.6})) == 2
    assert len(table_of({"roc_auc_lower": 0.5})) == 1
    assert len(table_of(exact | {"roc_auc": None})) == 4


@pytest.mark.parametrize("more", [0, 1, 2000])
def test_a_table_has_so_many_columns_at_most(more: int) -> None:
    table = table_of(*[{"accuracy": i / 4096} for i in range(MOST_COLUMNS + more)])
    assert len(table[0]) == 1 + MOST_COLUMNS
    assert table[1:] == ([["and", f"{more:,}", "more", "slices"]] if more else [])


def test_names_of_slices() -> None:
    def name(kind: str, value: Any) -> str:
        return slice_name([{"column": "c", "kind": kind, "value": value}])

    assert name("int", 3) == "c=3"
    assert name("float", "-0.0") == "c=-0.0"
    assert name("missing", None) == "c=(missing)"
    assert name("bool", True) == "c=True"
    two = [{"column": c, "kind": "int", "value": i} for i, c in enumerate("ab")]
    assert slice_name(two) == "a=0, b=1"


HOSTILE = [
    "\n\n\r\t",
    "\x1b[2J\x1b[31m",
    "\x9b31m\x07\x00\x7f",
    "\u202egnp.exe\u2066",
    "a\u2028b\u2029c\x85d\x0be\x0cf",
    "\u200b\ufeff\ue000",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_control_characters_do_not_reach_the_terminal(name: str) -> None:
    lines = shown([name], classes=(name, "b"))
    text = "\n".join(lines)
    assert text.splitlines() == lines
    assert len(lines) == 11
    assert all(c == "\n" or unicodedata.category(c)[0] != "C" for c in text)


@pytest.mark.parametrize("letter", ["x", "界", "\N{FULLWIDTH LATIN CAPITAL LETTER A}"])
def test_very_long_names_are_cut(letter: str) -> None:
    lines = shown([letter * 10_000, "b"], classes=(letter * 500, "c"))
    assert any("…" in line for line in lines)
    # Four columns of names at most, and the spaces between them.
    assert max(map(width, lines)) <= 4 * WIDEST_NAME


@law
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_columns_are_aligned(names: list[str]) -> None:
    lines = shown(names)
    table = lines[3:]
    assert len(table) == 3
    # All columns but the first are flush right, so every line ends where the longest does.
    assert len({width(line) for line in table if line.strip()}) <= 2
    assert width(table[1]) == width(table[2]) or width(table[0]) > width(table[1])


def test_a_name_of_the_greatest_width_is_whole() -> None:
    fits = "y" * (WIDEST_NAME - len("b="))
    assert f"b={fits}" in shown([fits])[3]
    assert "…" in shown([fits + "y"])[3]
