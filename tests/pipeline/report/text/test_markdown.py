"""The report as Markdown: short, and tables that GitHub reads as they are meant."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.printable import printable
from pipeline.report.text.markdown import MOST_LINES, code, markdown
from tests.pipeline.report.text.samples import (
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
    with_baseline,
    worse,
)
from tests.pipeline.tables import law

any_name = st.one_of(
    st.text(st.characters(), min_size=1, max_size=40),
    st.text("|\\`*_<>&[]()!#@:~- a\n", min_size=1, max_size=20),
    st.sampled_from(HOSTILE),
)


def cells(row: str) -> list[str]:
    """The cells of a row of a table, as GitHub cuts it: at every bar without a backslash."""
    assert row.startswith("| ")
    assert row.endswith(" |")
    return re.split(r"(?<!\\)\|", row[1:-1])


def big_report(names: list[str], heads: int, rows: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A report of so many heads and slices, and a verdict in which all of them failed."""
    slices = [
        with_baseline(
            entry({name: figure(0.5, 0.1, 0.9) for name in (*names, "auc")}, **place),
            dict.fromkeys(names),
            {},
        )
        for place in ({}, *({name: f"{name}{i}"} for name in names for i in range(rows)))
    ]
    one = head(
        slices,
        worse=[worse("auc")],
        causes=[cause(2, 9, **{name: f"{name}{i}"}) for name in names for i in range(rows)],
        slices_left_out=3,
    )
    judged = [
        judgement(
            outcome, "fail", part["slice"], value=0.25, margin=-0.25, kind="at_least", reason=r
        )
        for part in slices[1:]
        for outcome, r in (("fail", None), ("undecided", f"why {part['slice'][0]['value']}"))
    ]
    asked = {"metric": names[0], "at_least": 0.5, "slices": names}
    return report(*[one] * heads, name=names[0]), verdict(gate(asked, *judged), against=names[0])


@law
@given(
    st.lists(any_name, min_size=1, max_size=3, unique=True), st.integers(1, 9), st.integers(1, 9)
)
def test_it_is_short_and_its_tables_are_whole(names: list[str], heads: int, rows: int) -> None:
    found, gates = big_report(names, heads, rows)
    text = markdown(found, gates, names)
    lines = text.split("\n")
    assert lines.pop() == ""
    assert len(lines) <= MOST_LINES
    assert all(line.isprintable() or "\u3000" in line or "\xa0" in line for line in lines)
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) > 1
    for table in tables:
        rows_of_table = [cells(row) for row in table.splitlines()]
        assert len({len(row) for row in rows_of_table}) == 1
        assert all(re.fullmatch(" ---:? ", cell) for cell in rows_of_table[1])


@law
@given(any_name)
def test_a_name_is_shown_letter_by_letter(name: str) -> None:
    written = code(name)
    inside = written.removeprefix("<code>").removesuffix("</code>")
    # By CommonMark a letter by number is that letter, and never a mark.
    assert html.unescape(inside) == printable(name)
    assert not re.search(r"[|`*<>\[\]!@~\\{}\n\r]|&(?!#\d+;)|(?<!&)#", inside)
    assert "www." not in inside.lower()
    assert "://" not in inside


def test_names_of_metrics_stay_readable() -> None:
    name = "recall/positive_threshold_0.5"
    assert code(name) == f"<code>{name}</code>"
    assert code("_a_b_") == "<code>&#95;a_b&#95;</code>"
    assert code("x" * 1000) == f"<code>{'x' * 160}...</code>"


def test_a_whole_report() -> None:
    overall = entry({"roc_auc": figure(0.9, 0.89, 0.91), "f1": None}, 1000)
    part = entry({"roc_auc": figure(0.7, 0.6, 0.8), "f1": 0.5}, 50, country="B|R")
    found = report(head([overall, part], worse=[worse("roc_auc")], causes=[cause(country="B|R")]))
    gates = verdict(
        gate(
            {"metric": "roc_auc", "at_least": 0.78, "slices": ["country"]},
            judgement("fail", "fail", part["slice"], value=0.7, margin=-0.08, kind="at_least"),
        ),
        gate({"metric": "f1", "at_least": 0.1}, judgement("undecided", "fail", [], reason="none")),
    )
    assert markdown(found, gates).splitlines() == [
        "**FAIL**: 2 of 2 gates failed; 2 rows evaluated of 2 read, 1 head",
        "",
        "| failed gate | slice | value | by how much | rows |",
        "| --- | --- | --- | --- | ---: |",
        "| <code>roc_auc at_least 0.78, slices country</code> | <code>country=B&#124;R</code>"
        " | 0.7000 | missed by 0.08 | 512 |",
        "",
        "- <code>f1 at_least 0.1&#58; undecided&#58; none</code>",
        "",
        "- <code>country=B&#124;R&#58; 1 metric worse, first roc_auc 0.7100 from 0.7800</code>",
        "",
        "<code>h</code> (binary)",
        "",
        "| slice | rows | <code>roc_auc</code> | <code>f1</code> |",
        "| --- | ---: | ---: | ---: |",
        "| <code>overall</code> | 1,000 | 0.9000 | - |",
        "| <code>country=B&#124;R</code> | 50 | 0.7000 (0.60-0.80) | 0.5000 |",
    ]


@pytest.mark.parametrize("heads", [1, 2, 50])
def test_heads_that_are_too_many_are_counted(heads: int) -> None:
    slices = [entry({"f1": 0.5}), *(entry({"f1": 0.5}, a=str(i)) for i in range(99))]
    lines = markdown(report(*[head(slices)] * heads)).splitlines()
    shown = sum(line.startswith("<code>h") for line in lines)
    assert shown == min(heads, 8)
    assert (lines[-1] == "and 42 more heads") == (heads == 50)
    assert "and 91 more slices" in "\n".join(lines) or heads > 1
    assert len(lines) <= MOST_LINES


def test_without_gates_it_says_so() -> None:
    text = markdown(report(head([entry({"f1": 0.5})])))
    assert text.startswith("**no gates asked**; 2 rows evaluated of 2 read, 1 head\n\n<code>h")


def test_slices_that_failed_are_in_the_table_of_slices_first() -> None:
    slices = [entry({"f1": 0.5}), *(entry({"f1": 0.5}, 99 - i, a=str(i)) for i in range(99))]
    failed = judgement("fail", "fail", conditions(a="98"), value=0.5, margin=-0.1, kind="at_most")
    text = markdown(report(head(slices)), verdict(gate({"metric": "f1", "at_most": 0.4}, failed)))
    assert "| <code>overall</code> | 12 | 0.5000 |\n| <code>a=98</code> |" in text
