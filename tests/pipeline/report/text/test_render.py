"""The report for people: what stands where, and that any name is text in a table of any width."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.report.text.details import MOST_SLICES as MOST_VERBOSE_SLICES
from pipeline.report.text.headline import MOST_SLICES
from pipeline.report.text.render import render
from pipeline.report.text.screen import LONGEST_NAME, NARROWEST, Screen
from tests.pipeline.report.text.samples import (
    CONFIG,
    HOSTILE,
    cause,
    conditions,
    entry,
    figure,
    gate,
    head,
    judgement,
    report,
    verdict,
    width,
    with_baseline,
    worse,
)
from tests.pipeline.tables import law


def lines_of(*heads: dict[str, Any], screen: Screen | None = None, **more: Any) -> list[str]:
    text = render(report(*heads), screen=screen, **more)
    assert text.endswith("\n")
    return text[:-1].split("\n")


def compared(**more: Any) -> dict[str, Any]:
    """A head of two models."""
    overall = with_baseline(
        entry({"auc": 0.75, "precision": None}, 1234),
        {"auc": 0.5, "precision": 0.5},
        {"auc": figure(0.25, -0.125, 0.625), "precision": figure(None)},
        **{"flip_rate": 0.5, "flip_rate/x": 0.25},
    )
    return head([overall], worse=[], causes=[], **more)


def test_a_report_of_one_model() -> None:
    overall = entry({"roc_auc": figure(0.9, 0.89, 0.91), "average_loss": 0.1}, 9999)
    wide = entry({"roc_auc": figure(0.8, 0.7, 0.9), "average_loss": 2000.0}, 50, b="x")
    text = render(report(head([overall, wide]), name="my_head", rows=(10000, 9999)), notes=["a"])
    assert text.splitlines() == [
        "no gates asked; 9,999 rows evaluated of 10,000 read, 1 head, 1 hint",
        "",
        "my_head  (binary, unweighted)",
        "            rows    roc_auc  average_loss",
        "  overall  9,999     0.9000        0.1000",
        "  b=x         50     0.8000         2,000",
        "                  0.70-0.90",
    ]


def test_the_verdict_is_first_and_the_figures_are_last() -> None:
    metrics = {"roc_auc": 0.75}
    parts = [
        with_baseline(entry(metrics, rows, **place), {"roc_auc": 0.5}, {"roc_auc": figure(0.25)})
        for rows, place in ((1000, {}), (600, {"country": "DE"}), (400, {"country": "BR"}))
    ]
    found = head(
        parts, worse=[worse("roc_auc", country="BR")], causes=[cause(12, 41, country="BR")]
    )
    missed = judgement(
        "fail",
        "fail",
        conditions(country="BR"),
        kind="at_least",
        limit=0.78,
        value=0.71,
        margin=-0.07,
    )
    gates = verdict(gate({"metric": "roc_auc", "at_least": 0.78, "slices": ["country"]}, missed))
    assert render(report(found), gates, screen=Screen(60)).splitlines() == [
        "FAIL: 1 of 1 gate failed; 2 rows evaluated of 2 read, 1 head",
        "",
        "FAIL  roc_auc at_least 0.78, slices country",
        "      country=BR  0.7100  missed by 0.07  512 rows",
        "",
        "worse beyond noise",
        "  country=BR: 41 metrics worse, first roc_auc 0.7100 from",
        "  0.7800; in 12 slices",
        "",
        "h  (binary, unweighted)",
        "               rows  roc_auc",
        "  overall     1,000   0.7500",
        "    baseline          0.5000",
        "  country=BR    400   0.7500",
        "  country=DE    600   0.7500",
    ]


@pytest.mark.parametrize(("rest", "line"), [([], "no slice got worse beyond noise"), ([1], "")])
def test_that_nothing_got_worse_is_said(rest: list[int], line: str) -> None:
    found = compared() | {"worse": [worse("auc") for _ in rest]}
    del found["causes"]
    # A report of an older release has no causes.
    assert lines_of(found)[2] == (line or "1 metric of slices got worse")
    assert "worse" not in render(report(head([entry({"auc": 0.5})])))


def test_causes_are_shown_to_an_end() -> None:
    causes = [cause(g=str(number)) for number in range(12)]
    found = compared() | {"worse": [worse("roc_auc")], "causes": causes}
    lines = lines_of(found)
    assert sum("1 metric worse, first roc_auc" in line for line in lines) == 8
    assert "  and 4 more causes" in lines


def test_a_head_is_named_where_there_are_several() -> None:
    lines = lines_of(compared(), compared())
    assert lines[2:4] == [f"{name}: no slice got worse beyond noise" for name in ("h", "h1")]


@pytest.mark.parametrize("hints", [0, 2])
def test_hints_are_counted_and_told(hints: int) -> None:
    found = report(head([entry({"auc": 0.5})]))
    notes = ["one\nforged", "two"][:hints]
    assert (f", {hints} hints" in render(found, notes=notes)) == (hints > 0)
    told = render(found, notes=notes, verbose=True).splitlines()
    assert told[-hints:] == [r"hint: one\nforged", "hint: two"] if hints else "hint" not in told


def test_metrics_that_are_not_the_first_to_look_at_are_in_the_report_alone() -> None:
    found = head([entry({"accuracy": 0.5, "f2": 0.25})], headline=["accuracy"])
    for verbose in (False, True):
        text = render(report(found), verbose=verbose)
        assert "accuracy" in text
        assert "f2" not in text


def test_without_a_headline_there_are_the_first_metrics() -> None:
    found = head([entry({"f1": 0.5, "f2": 0.25})], headline=[])
    for verbose in (False, True):
        text = render(report(found), verbose=verbose)
        assert "f1" in text
        assert "f2" in text


def test_a_metric_that_a_slice_lacks_is_a_dash() -> None:
    found = head([entry({"accuracy": 1.0, "recall": 0.5}), entry({"recall": 1.0}, b="x")])
    assert [line.split() for line in lines_of(found)[4:]] == [
        ["overall", "12", "1.0000", "0.5000"],
        ["b=x", "12", "-", "1.0000"],
    ]


def test_why_a_metric_is_undefined_is_said_once() -> None:
    lines = lines_of(head([entry({"auc": None}), entry({"auc": None}, b="x")]))
    assert lines[4:] == [
        "  overall    12    -",
        "  b=x        12    -",
        "  - is undefined: no reason",
    ]


def test_texts_outside_of_tables_are_lines_too() -> None:
    metric = {"value": None, "reason": "why\nERROR \x1b[2J\u202e"}
    lines = lines_of(head([entry({"auc": metric})]))
    assert lines[-1] == r"  - is undefined: why\nERROR \x1b[2J\u202e"


def test_small_slices_are_marked_and_said_to_be() -> None:
    slices = [entry({"auc": 0.5}), entry({"auc": 0.5}, small=True, b="1")]
    for verbose in (False, True):
        lines = lines_of(head(slices), verbose=verbose)
        assert lines[-1] == "  * is a slice of fewer rows than min_slice_size"
        assert any("b=1*" in line for line in lines)
        assert "min_slice_size" not in render(report(head(slices[:1])), verbose=verbose)


@pytest.mark.parametrize("verbose", [False, True])
def test_slices_that_are_not_shown_are_counted(verbose: bool) -> None:
    most = MOST_VERBOSE_SLICES if verbose else MOST_SLICES
    for more, left_out in ((0, 0), (1, 0), (2, 12_345), (0, 5)):
        slices = [entry({"auc": 0.5}, b=str(number)) for number in range(most + more)]
        found = head([entry({"auc": 0.5}), *slices], slices_left_out=left_out)
        text = render(report(found), verbose=verbose)
        assert text.count("b=") == most
        hidden = more + left_out
        assert (f"\n  and {hidden:,} more slice" in text) == (hidden > 0)


def test_values_of_rounded_scores_are_marked() -> None:
    metrics = {
        "exact": figure(0.5),
        "close": figure(0.5, rounded=[0.49999, 0.5]),
        "rounded": figure(0.5, rounded=[0.499, 0.5]),
    }
    lines = lines_of(head([entry(metrics)]))
    assert lines[4].split() == ["overall", "12", "0.5000", "0.5000", "~0.5000"]
    assert lines[5] == "  ~ is a value of rounded scores; report.json has its bounds"
    del metrics["rounded"]
    assert "~" not in render(report(head([entry(metrics)])))


@pytest.mark.parametrize(
    ("ends", "text"),
    [((0.25, None), "at least 0.25"), ((None, 0.75), "at most 0.75"), ((None, None), "any")],
)
def test_open_intervals_of_a_table(ends: tuple[float | None, ...], text: str) -> None:
    assert lines_of(head([entry({"accuracy": figure(0.5, *ends)})]))[5].strip() == text


# What --verbose adds.


def test_two_models_are_side_by_side() -> None:
    lines = lines_of(compared(), verbose=True)
    assert lines[4:] == [
        "h  (binary, unweighted)",
        "             overall",
        "  rows         1,234",
        "  auc         0.7500",
        "  precision        -",
        "  - is undefined: no reason",
        "",
        "  overall    candidate  baseline  difference       interval",
        "  auc           0.7500    0.5000      0.2500  -0.12 to 0.62",
        "  precision          -    0.5000           -",
        "  flip_rate                           0.5000",
    ]


def test_all_that_got_worse_is_listed() -> None:
    found = compared() | {"worse": [worse("auc"), *(worse("auc", b=str(i)) for i in range(99))]}
    lines = lines_of(found, verbose=True)
    at = lines.index("  got worse    slice  difference  adjusted p")
    assert lines[at + 1 : at + 3] == [
        "  auc        overall     -0.1250      0.0012",
        "  auc            b=0     -0.1250      0.0012",
    ]
    assert len(lines) == at + 1 + 100


def test_all_metrics_have_a_row_with_intervals_of_overall() -> None:
    overall = entry({"accuracy": figure(0.5, 0.49, 0.51), "f2": 0.25})
    part = entry({"accuracy": figure(0.75, 0.745, 0.755), "f2": figure(0.5, 0.25, 0.75)}, b="x")
    assert lines_of(head([overall, part]), verbose=True)[3:] == [
        "                overall        b=x",
        "  rows               12         12",
        "  accuracy       0.5000     0.7500",
        "            0.490-0.510",
        "  f2             0.2500     0.5000",
        "                         0.25-0.75",
    ]


def test_matrices() -> None:
    part = entry({"accuracy": 0.5})
    part["confusion_matrix"] = [[1234, 0], [0, 1234]]
    part["weighted_confusion_matrix"] = [[1234.0, 0.0], [None, 0.5]]
    found = head([part], classes=["cat", "dog"])
    assert lines_of(found, verbose=True)[7:] == [
        "rows by label and predicted class",
        "  label \\ predicted    cat    dog",
        "  cat                1,234      .",
        "  dog                    .  1,234",
        "",
        "weight by label and predicted class",
        "  label \\ predicted    cat     dog",
        "  cat                1,234       .",
        "  dog                    -  0.5000",
    ]
    assert "predicted" not in render(report(found))


def test_slices_beside_overall() -> None:
    pairs = [
        (figure(-0.25, -0.5, -0.125), figure(0.5, 0.25, 0.75)),
        (figure(0.125, -0.5, None), figure(None)),
        (figure(0.25, 0.125, None), figure(1.5, 1.25, None)),
    ]
    slices = [
        entry(
            {"recall": figure(0.5, against_overall={"difference": one, "ratio": other})}, b=str(n)
        )
        for n, (one, other) in enumerate(pairs)
    ]
    config = CONFIG | {"against_overall": True}
    found = report(head([entry({"recall": 0.75}), *slices]), config=config)
    assert render(found, verbose=True).splitlines()[6:] == [
        "",
        "  difference from overall       b=0     b=1      b=2",
        "  recall                   !-0.2500  0.1250  !0.2500",
        "",
        "  ratio to overall      b=0  b=1      b=2",
        "  recall            !0.5000    -  !1.5000",
        "  ! is unlike overall: its 0.95 interval is on one side of it",
    ]


# Names of any letters, on screens of any width.


def whole_report(names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A report and its verdict, with a name wherever there may be one."""
    parts = []
    for number, name in enumerate(["", *names]):
        metrics = {
            "roc_auc": figure(0.75, 0.5, 0.9),
            f"recall/{name}": figure(None, reason=f"why {name}"),
            "average_loss": figure(12345.678, None, 20000, rounded=[0, 1]),
            **{f"metric_{i}": 0.5 + i for i in range(7)},
        }
        part = entry(metrics, 10 - number, small=number == 1, **({name: name} if number else {}))
        difference = dict.fromkeys(metrics, figure(-0.25, -0.5, -0.1))
        parts.append(with_baseline(part, dict.fromkeys(metrics, 0.5), difference, flip_rate=0.25))
    parts[0]["confusion_matrix"] = [[1] * len(names)] * len(names)
    found = head(
        parts,
        classes=names,
        worse=[worse(name, **{name: name}) for name in names],
        causes=[cause(3, 4, **{name: name}) for name in names],
        threshold_rule=names[0],
    )
    judged = [
        judgement(
            outcome,
            effect,
            conditions(**{name: name}),
            kind="max_drop",
            limit=0.1,
            value=-0.5,
            interval=[-0.75, None],
            candidate=0.5,
            baseline=1.0,
            margin=-0.4,
            reason=name,
        )
        for name in names
        for outcome, effect in (("fail", "fail"), ("undecided", "fail"), ("undecided", "warn"))
    ]
    asked = {"metric": names[0], "max_drop": 0.1, "decide_by": "worst_end", "slice": {names[0]: 1}}
    gates = [gate(asked, *judged), gate(asked, *judged, severity="warn")]
    return report(found, name=names[0]), verdict(*gates, against=names[0])


any_name = st.one_of(
    st.text(st.characters(), min_size=1, max_size=40),
    st.text("a b_/,=|", min_size=1, max_size=80),
    st.sampled_from(HOSTILE),
)


@law
@given(
    st.lists(any_name, min_size=1, max_size=4, unique=True),
    st.integers(1, 150),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["utf-8", "ascii", "latin-1"]),
)
@example(["\u754c" * 70], 40, True, True, "ascii")
@example(["x" * 500], 40, False, False, "utf-8")
def test_no_line_is_wider_than_the_screen_and_every_letter_is_seen(
    names: list[str], columns: int, verbose: bool, cuts: bool, encoding: str
) -> None:
    found, gates = whole_report(names)
    text = render(found, gates, names, Screen(columns, encoding, cuts_names=cuts), verbose=verbose)
    assert text.encode(encoding).decode(encoding) == text
    for line in text.split("\n"):
        assert cell_len(line) <= max(columns, NARROWEST)
        assert all(c.isprintable() or unicodedata.category(c) == "Zs" for c in line)


@law
@given(
    st.lists(
        st.text("ab\u754c\uff21\uff71\u00e9 ", min_size=1, max_size=30), min_size=1, max_size=4
    )
)
def test_columns_are_aligned(names: list[str]) -> None:
    slices = [entry({"auc": 0.5}, 12345), *(entry({"auc": 0.5}, 12345, b=name) for name in names)]
    table = lines_of(head(slices))[3:]
    # All columns but the first are flush right, so every line ends where the longest does.
    assert len({width(line) for line in table}) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_columns_are_aligned_in_what_the_encoding_has(encoding: str) -> None:
    values = ["\u754c\u754c", "größe", "x" * 99]
    slices = [entry({"auc": 0.5}), *(entry({"auc": 0.5}, b=value) for value in values)]
    screen = Screen(encoding=encoding, cuts_names=True)
    lines = lines_of(head(slices), screen=screen)[3:]
    assert len({len(line) for line in lines}) == 1
    assert r"b=\u754c\u754c" in lines[2]
    assert ("größe" if encoding == "latin-1" else r"gr\xf6\xdfe") in lines[3]
    assert lines[4].split()[0] == f"b={'x' * 43}..."


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_names_are_shown_as_they_are_and_nothing_in_them_is_obeyed(name: str) -> None:
    found = head([entry({"auc": 0.5}), entry({"auc": 0.5}, b=name)])
    plain = lines_of(found)
    assert len(plain) == 6
    assert name.isprintable() <= (f"b={name} " in plain[5])
    # Colours are those of the program, and none of the name's.
    coloured = render(report(found), screen=Screen(colours="standard"))
    assert coloured.count("\x1b") == render(
        report(head([entry({"auc": 0.5}), entry({"auc": 0.5}, b="x")])),
        screen=Screen(colours="standard"),
    ).count("\x1b")


@pytest.mark.parametrize("letter", ["x", "\u754c", "e\u0301"])
def test_very_long_names_are_cut_on_a_terminal_alone(letter: str) -> None:
    found = head([entry({"auc": 0.5}), entry({"auc": 0.5}, b=letter * 10_000)])
    terminal = "\n".join(lines_of(found, screen=Screen(cuts_names=True)))
    assert 40 < cell_len(max(terminal.split(), key=len)) <= LONGEST_NAME
    assert "..." in terminal
    # Nothing is lost in a pipe.
    piped = "".join(lines_of(found))
    assert piped.count(letter) == 10_000
    fits = "y" * (LONGEST_NAME - len("b="))
    for name, is_cut in ((fits, False), (fits + "y", True)):
        shown = lines_of(head([entry({}, b=name)]), screen=Screen(cuts_names=True))
        assert any("..." in line for line in shown) == is_cut


def test_colours_change_no_letter() -> None:
    found, gates = whole_report(["a", "b"])
    coloured = render(found, gates, screen=Screen(90, colours="truecolor"), verbose=True)
    pieces = coloured.split("\x1b[")
    plain = pieces[0] + "".join(piece.partition("m")[2] for piece in pieces[1:])
    expected = render(found, gates, screen=Screen(90), verbose=True)
    assert [line.rstrip() for line in plain.split("\n")] == expected.split("\n")
    assert len(pieces) > 20
