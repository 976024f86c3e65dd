"""The report as a table for people."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline.report.terminal import MOST_COLUMNS, MOST_WORSE, WIDEST_NAME, render

from pipeline.slicing.names import slice_name
from tests.pipeline.tables import law

CONFIG: dict[str, Any] = {"confidence": {"level": 0.95}}


def report_of(
    head: dict[str, Any],
    name: str = "h",
    rows: tuple[int, int] = (2, 2),
    config: dict[str, Any] = CONFIG,
) -> str:
    defaults = {"type": "binary", "weighted": False, "classes": ["0", "1"], "slices_left_out": 0}
    read, evaluated = rows
    counted = {"read": read, "evaluated": evaluated}
    return render({"config": config, "rows": counted, "heads": {name: defaults | head}})


def shown(
    names: list[str],
    value: float | None = 0.5,
    classes: tuple[str, ...] = (),
    weights: list[list[float | None]] | None = None,
) -> list[str]:
    """The lines of a table with slices of these names."""
    metric: dict[str, Any] = {"value": value, "lower": 0.25, "upper": 2000.0}
    if value is None:
        metric = {"value": None, "reason": "no reason"}
    entries: list[dict[str, Any]] = [
        {
            "slice": [{"column": "b", "kind": "string", "value": name}],
            "examples": 12345,
            "small": False,
            "metrics": {"accuracy": metric},
        }
        for name in names
    ]
    head = {"type": "multi_class", "weighted": True, "classes": classes, "slices": entries}
    head["headline"] = ["accuracy"]
    if classes:
        size = range(len(classes))
        entries[0]["confusion_matrix"] = [[1234 * (i == j) for j in size] for i in size]
        if weights is not None:
            entries[0]["weighted_confusion_matrix"] = weights
    text = report_of(head, "my_head", (10000, 9999))
    assert text.endswith("\n")
    return text[:-1].split("\n")


def width(line: str) -> int:
    marks = [c for c in line if unicodedata.category(c) in ("Mn", "Me")]
    wide = [c for c in line if unicodedata.east_asian_width(c) in "WF" and c not in marks]
    return len(line) - len(marks) + len(wide)


def test_a_table() -> None:
    assert shown(["x", "größe"]) == [
        "9,999 rows evaluated of 10,000 read",
        "",
        "my_head  (multi-class, weighted)",
        "                b=x     0.95 interval  b=größe",
        "  examples   12,345                     12,345",
        "  accuracy  0.50000  0.25000 to 2,000  0.50000",
    ]


def test_wide_letters_take_two_columns() -> None:
    fullwidth, halfwidth = "\N{FULLWIDTH LATIN CAPITAL LETTER A}", "\N{HALFWIDTH KATAKANA LETTER A}"
    assert shown(["界" * 4, fullwidth * 4, halfwidth * 8])[3:5] == [
        f"            b={'界' * 4}     0.95 interval  b={fullwidth * 4}  b={halfwidth * 8}",
        "  examples      12,345                        12,345      12,345",
    ]


def test_a_table_with_a_confusion_matrix() -> None:
    assert shown(["x"], classes=("cat", "dog"))[6:] == [
        "",
        "examples by label and predicted class",
        "  label \\ predicted    cat    dog",
        "  cat                1,234      .",
        "  dog                    .  1,234",
    ]


def test_a_table_with_weights_by_class() -> None:
    weights: list[list[float | None]] = [[1234.0, 0.0], [None, 0.5]]
    assert shown(["x"], classes=("cat", "dog"), weights=weights)[11:] == [
        "",
        "weight by label and predicted class",
        "  label \\ predicted    cat      dog",
        "  cat                1,234        .",
        "  dog                    -  0.50000",
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
    interval = [] if value is None else ["0.25000", "to", "2,000"]
    assert shown(["x"], value)[5].split() == ["accuracy", text, *interval]


def test_a_metric_that_a_slice_lacks_is_a_dash() -> None:
    assert table_of({"accuracy": 1.0}, {"recall": 1.0}) == [
        ["accuracy", "1.00000", "-"],
        ["recall", "-", "1.00000"],
    ]


def test_metrics_that_are_not_the_first_to_look_at_are_in_the_report_alone() -> None:
    metrics = {"accuracy": {"value": 0.5}, "f2": {"value": 0.25}}
    entry = {"slice": [], "examples": 2, "small": False, "metrics": metrics}
    text = report_of({"headline": ["accuracy"], "slices": [entry]})
    assert "accuracy" in text
    assert "f2" not in text


def test_small_slices_are_marked_and_said_to_be() -> None:
    entries = [
        {
            "slice": [{"column": "b", "kind": "int", "value": i}] if i else [],
            "examples": 2,
            "small": i == 2,
            "metrics": {},
        }
        for i in range(3)
    ]
    lines = report_of({"headline": [], "slices": entries}).splitlines()
    assert lines[3].split() == ["overall", "0.95", "interval", "b=1", "b=2*"]
    assert lines[-1] == "  * is a slice of fewer rows than min_slice_size"
    entries[2]["small"] = False
    assert "min_slice_size" not in report_of({"headline": [], "slices": entries})


def test_slices_that_the_report_leaves_out_are_counted() -> None:
    entry = {"slice": [], "examples": 2, "small": False, "metrics": {}}
    head = {"headline": [], "slices": [entry], "slices_left_out": 12_345}
    assert report_of(head).endswith("  and 12,345 more slices\n")


def compared(worse: list[dict[str, Any]], **both: float) -> list[str]:
    """The lines of a table of two models, without the slices above."""
    entry = {
        "slice": [],
        "examples": 2,
        "small": False,
        "metrics": {"auc": {"value": 0.75}, "precision": {"value": None, "reason": "why"}},
        "baseline": {"metrics": {"auc": {"value": 0.5}, "precision": {"value": 0.5}}},
        "difference": {
            "auc": {"value": 0.25, "lower": -0.125, "upper": 0.625, "p_worse": 0.25},
            "precision": {"value": None, "reason": "why"},
        },
        "both": {name.replace("_at_", "/"): {"value": value} for name, value in both.items()},
    }
    head = {"headline": ["auc", "precision"], "slices": [entry], "worse": worse}
    text = report_of(head)
    return text[text.index("  - is undefined: why\n") :].splitlines()[1:]


def test_two_models_are_side_by_side() -> None:
    assert compared([], flip_rate=0.5, flip_rate_at_x=0.75) == [
        "",
        "             candidate  baseline  difference        0.95 interval",
        "  auc          0.75000   0.50000     0.25000  -0.12500 to 0.62500",
        "  precision          -   0.50000           -",
        "  flip_rate                          0.50000",
        "  no slice got worse beyond noise",
    ]


def test_slices_that_got_worse_are_listed_to_an_end() -> None:
    def worse_slice(number: int) -> dict[str, Any]:
        key = [{"column": "b", "kind": "int", "value": number}] if number else []
        return {"metric": "auc", "slice": key, "difference": -0.125, "p_adjusted": 0.00123}

    lines = compared([worse_slice(0), worse_slice(1)])
    assert lines[4:] == [
        "",
        "worse beyond noise (false discoveries at most one in 20)",
        "  metric    slice  difference  adjusted p",
        "  auc     overall    -0.12500      0.0012",
        "  auc         b=1    -0.12500      0.0012",
    ]
    lines = compared([worse_slice(i) for i in range(MOST_WORSE + 3)])
    assert lines[-1] == "  and 3 more"
    assert len(lines) == 4 + 3 + MOST_WORSE + 1


def test_why_a_metric_is_undefined_is_said_once() -> None:
    assert shown(["x", "y"], None)[5:] == [
        "  accuracy       -                      -",
        "  - is undefined: no reason",
    ]


def table_of(*entries: dict[str, float | None]) -> list[list[str]]:
    """The words of the metrics of a table, an entry a slice."""
    slices = [
        {
            "slice": [{"column": "b", "kind": "int", "value": i}] if i else [],
            "examples": 2,
            "small": False,
            "metrics": {
                name: {"value": value} if value is not None else {"value": None, "reason": "why"}
                for name, value in entry.items()
            },
        }
        for i, entry in enumerate(entries)
    ]
    headline = list(dict.fromkeys(name for entry in entries for name in entry))
    lines = report_of({"headline": headline, "slices": slices}).splitlines()
    return [line.split() for line in lines[5:]]


def test_values_of_rounded_scores_are_marked() -> None:
    metrics = {
        "exact": {"value": 0.5},
        "close": {"value": 0.5, "rounded": [0.4999999, 0.5]},
        "rounded": {"value": 0.5, "rounded": [0.4999, 0.5]},
    }
    entry = {"slice": [], "examples": 2, "small": False, "metrics": metrics}
    lines = report_of({"headline": list(metrics), "slices": [entry]}).splitlines()
    assert [line.split() for line in lines[5:8]] == [
        ["exact", "0.50000"],
        ["close", "0.50000"],
        ["rounded", "~0.50000"],
    ]
    assert lines[8] == "  ~ is a value of rounded scores; report.json has its bounds"
    entry["metrics"] = {name: metrics[name] for name in ("exact", "close")}
    assert "~" not in report_of({"headline": ["exact", "close"], "slices": [entry]})


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
    table = lines[3:6]
    # What is escaped may be so wide that not all of four slices fit.
    assert lines[6:] in ([], ["  and 1 more slices"], ["  and 2 more slices"])
    # All columns but the first are flush right, so every line ends where the longest does.
    assert len({width(line) for line in table if line.strip()}) <= 2
    assert width(table[1]) == width(table[2]) or width(table[0]) > width(table[1])


def test_a_name_of_the_greatest_width_is_whole() -> None:
    fits = "y" * (WIDEST_NAME - len("b="))
    assert f"b={fits}" in shown([fits])[3]
    assert "…" in shown([fits + "y"])[3]


def test_texts_outside_of_tables_are_lines_too() -> None:
    metric = {"value": None, "reason": "why\nERROR \x1b[2J\u202e"}
    entry = {"slice": [], "examples": 2, "small": False, "metrics": {"auc": metric}}
    lines = report_of({"headline": ["auc"], "slices": [entry]}).split("\n")
    assert lines[-2] == r"  - is undefined: why\nERROR \x1b[2J\u202e"
    assert all(line.isprintable() for line in lines)


def test_combining_marks_take_no_column() -> None:
    lines = shown(["e\u0301" * 4, "é" * 4])
    assert len({width(line) for line in lines[3:6]}) == 1
    assert "…" in shown(["e" + "\u0301" * 10_000])[3]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_columns_are_aligned_in_what_the_encoding_has(encoding: str) -> None:
    metrics = {"accuracy": {"value": 0.5, "lower": 0.25, "upper": 0.75}}
    values = ["界界", "größe", "x" * 99]
    entries = [
        {
            "slice": [{"column": "b", "kind": "string", "value": value}],
            "examples": 2,
            "small": False,
            "metrics": metrics,
        }
        for value in values
    ]
    head = {"type": "binary", "weighted": False, "classes": ["0", "1"], "slices_left_out": 0}
    head |= {"headline": ["accuracy"], "slices": entries}
    report = {"config": CONFIG, "rows": {"read": 2, "evaluated": 2}, "heads": {"h": head}}
    lines = render(report, encoding).encode(encoding).decode(encoding).splitlines()
    assert len({len(line) for line in lines[3:6]}) == 1
    assert r"b=\u754c\u754c" in lines[3]
    assert ("größe" if encoding == "latin-1" else r"gr\xf6\xdfe") in lines[3]
    assert lines[3].endswith("x" * 43 + "...")


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (0.25, None, "at least 0.25000"),
        (None, 0.75, "at most 0.75000"),
        (None, None, "any"),
    ],
)
def test_open_intervals_of_a_table(lower: float | None, upper: float | None, text: str) -> None:
    metric = {"value": 0.5, "lower": lower, "upper": upper}
    entry = {"slice": [], "examples": 5, "small": False, "metrics": {"accuracy": metric}}
    lines = report_of({"headline": ["accuracy"], "slices": [entry]}).split("\n")
    (line,) = (line for line in lines if "accuracy" in line)
    assert line.split() == ["accuracy", "0.50000", *text.split()]


def test_slices_beside_overall() -> None:
    def figure(value: float, *ends: float | None) -> dict[str, Any]:
        return {"value": value, **dict(zip(("lower", "upper"), ends, strict=False))}

    compared = [
        (figure(-0.25, -0.5, -0.125), figure(0.5, 0.25, 0.75)),
        (figure(0.125, -0.5, None), {"value": None, "reason": "overall is 0"}),
        (figure(0.25, 0.125, None), figure(1.5, 1.25, None)),
    ]
    entries: list[dict[str, Any]] = [
        {
            "slice": [{"column": "b", "kind": "string", "value": str(number)}],
            "examples": 12,
            "small": False,
            "metrics": {
                "recall": figure(0.5) | {"against_overall": {"difference": one, "ratio": other}}
            },
        }
        for number, (one, other) in enumerate(compared)
    ]
    overall = {"slice": [], "examples": 36, "small": False, "metrics": {"recall": figure(0.75)}}
    head = {"slices": [overall, *entries], "headline": ["recall"]}
    config = CONFIG | {"against_overall": True}
    assert report_of(head, config=config).splitlines()[7:] == [
        "  difference from overall        b=0       b=1       b=2",
        "  recall                   -0.25000!  0.12500   0.25000!",
        "",
        "  ratio to overall       b=0  b=1       b=2",
        "  recall            0.50000!   -   1.50000!",
        "  ! is unlike overall: its 0.95 interval is on one side of it",
    ]
