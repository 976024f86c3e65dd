"""Findings of shards: how they add up, and what they say of a run."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.faults import BadData
from pipeline.readers.shards import Shard
from pipeline.readers.tfrecord.options import Lost
from pipeline.validation.findings import (
    FIRST,
    BadRow,
    Findings,
    Losses,
    Tolerance,
    files_of_wrong_rows,
)
from pipeline.validation.reasons import REASONS
from tests.pipeline.tables import law

PATHS = ("a.parquet", "b.parquet")
bad_rows = st.builds(
    BadRow,
    st.sampled_from(PATHS),
    st.integers(0, 40),
    st.sampled_from(["h", "k"]),
    st.just("null:y"),
)


@st.composite
def some_findings(draw: st.DrawFn) -> Findings:
    bad = draw(st.frozensets(bad_rows, max_size=30))
    count = {(head, "null:y"): sum(row.head == head for row in bad) for head in ("h", "k")}
    low = draw(st.integers(0, 3))
    return Findings(
        draw(st.frozensets(st.sampled_from([Shard(path, 9, "parquet") for path in PATHS]))),
        rows=draw(st.integers(0, 9)),
        kept=draw(st.integers(0, 9)),
        bad={key: number for key, number in count.items() if number},
        examples=tuple(sorted(bad)[:FIRST]),
        failures=draw(st.dictionaries(st.sampled_from(PATHS), st.sampled_from("xyz"))),
        lengths=draw(st.sampled_from([{}, {"s": (low, low + 1)}, {"t": (low, low)}])),
    )


@law
@given(some_findings(), some_findings(), some_findings())
def test_addition(a: Findings, b: Findings, c: Findings) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Findings() == a == Findings() + a


@law
@given(st.lists(st.lists(bad_rows, max_size=30), max_size=4))
def test_the_first_rows_are_listed_and_all_are_counted(parts: list[list[BadRow]]) -> None:
    findings = [
        Findings(bad={("h", "null:y"): len(rows)}, examples=tuple(sorted(set(rows))[:FIRST]))
        for rows in parts
        if rows
    ]
    total = sum(findings, Findings())
    assert sum(total.bad.values()) == sum(map(len, parts))
    assert list(total.examples) == sorted({row for rows in parts for row in rows})[:FIRST]


def test_bad_rows_are_ordered_by_file_and_by_number() -> None:
    rows = [
        BadRow("a", 9, "k", "null:x"),
        BadRow("a", 10, "h", "null:x"),
        BadRow("a", 10, "k", "negative:x"),
        BadRow("b", 0, "h", "null:x"),
    ]
    assert all(row < next_row for row, next_row in pairwise(rows))


def test_a_bad_row_says_where_and_what() -> None:
    said = [str(BadRow("d/a.parquet", 7, "h", f"{reason}:y")) for reason in REASONS]
    assert len(set(said)) == len(REASONS)
    assert said[0] == "d/a.parquet: row 7: head 'h': 'y' has no value"
    assert "'a:b' has no value" in str(BadRow("a", 0, "h", "null:a:b"))


def test_good_rows_are_no_problem() -> None:
    assert Findings(rows=3, kept=1).problems() == []
    assert Findings(rows=3, kept=1, lengths={"s": (2, 2)}).problems() == []


def test_no_rows_are_a_problem() -> None:
    assert Findings().problems() == ["there are no rows"]
    assert Findings(rows=12345).problems() == ["none of 12,345 rows matches 'where'"]
    # What explains why there are none is enough.
    assert Findings(failures={"a": "broken"}).problems() == ["broken"]


def test_lists_of_several_lengths_are_a_problem() -> None:
    findings = Findings(rows=2, kept=2, lengths={"s": (2, 2)}) + Findings(
        lengths={"s": (3, 3), "a": (0, 1)}
    )
    assert findings.problems() == [
        "column 'a': lists have from 0 to 1 values, and one length is needed",
        "column 's': lists have from 2 to 3 values, and one length is needed",
    ]


def test_bad_rows_that_are_not_listed_are_counted() -> None:
    rows = tuple(BadRow("a.parquet", i, "h", "null:y") for i in range(FIRST))
    exact = Findings(rows=9000, kept=9000, bad={("h", "null:y"): FIRST}, examples=rows)
    summary = "head 'h': 20 of 9,000 rows are bad, more than max_bad_fraction (0)"
    assert exact.problems() == [summary, *map(str, rows)]
    one_more = exact + Findings(bad={("h", "null:y"): 1})
    assert one_more.problems()[-1] == "... and 1 more bad rows"
    more = exact + Findings(bad={("h", "null:y"): 1000, ("k", "negative:w"): 500})
    assert more.problems()[2:] == [*map(str, rows), "... and 1,500 more bad rows"]


def test_each_head_is_held_against_the_limits() -> None:
    rows = (BadRow("a", 1, "h", "null:y"), BadRow("a", 2, "k", "null:y"))
    findings = Findings(
        rows=100, kept=100, bad={("h", "null:y"): 1, ("k", "null:y"): 2}, examples=rows
    )
    assert findings.problems(Tolerance(rows=2)) == []
    assert findings.problems(Tolerance(rows=1)) == [
        "head 'k': 2 of 100 rows are bad, more than max_bad_rows (1)",
        str(rows[1]),
        "... and 1 more bad rows",
    ]


@given(
    st.integers(0, 30),
    st.integers(1, 30),
    st.none() | st.sampled_from([i / 64 for i in range(65)]),
    st.none() | st.integers(0, 40),
)
def test_a_limit_is_passed_where_more_are_bad(
    bad: int, kept: int, fraction: float | None, most: int | None
) -> None:
    bad = min(bad, kept)
    share = 0.0 if fraction is None and most is None else fraction
    too_many = bad == kept or (most is not None and bad > most)
    too_many |= share is not None and Fraction(bad, kept) > Fraction(share)
    assert (Tolerance(fraction, most).passed(bad, kept) is not None) == too_many


def test_a_share_is_what_it_is_written_as() -> None:
    for bad in range(1, 99):
        assert Tolerance(fraction=bad / 100).passed(bad, 100) is None
        assert Tolerance(fraction=bad / 100).passed(bad + 1, 101) is not None


def test_losses_of_a_file_add_up() -> None:
    first, second = Lost("a", 3, 90, 40, 1, "corrupt_record"), Lost("a", 7, 300, 9, None, "cut")
    total = sum((Findings(lost={"a": Losses.of(lost)}) for lost in (second, first)), Findings())
    assert total.lost == {"a": Losses(first, records=1, bytes=49, rest=True)}


def test_the_rows_of_a_manifest_have_to_be_there() -> None:
    record = Losses.of(Lost("b", 3, 90, 40, 1, "corrupt_record"))
    rest = Losses.of(Lost("c", 7, 300, 9, None, "truncated"))
    findings = {
        "a": Findings(rows=5),
        "b": Findings(rows=4, lost={"b": record}),
        "c": Findings(rows=7, lost={"c": rest}),
        "d": Findings(rows=1, failures={"d": "broken"}),
    }

    def listed(**rows: int) -> list[str]:
        shards = {path: Shard(path, 1, "parquet", rows=count) for path, count in rows.items()}
        of_shards = {path: Findings(frozenset([shard])) for path, shard in shards.items()}
        wrong = files_of_wrong_rows(
            {path: findings.get(path, Findings()) + of_shards[path] for path in of_shards}
        )
        assert [line.partition(":")[0] for _, line in wrong] == [path for path, _ in wrong]
        return [line for _, line in wrong]

    assert listed(a=5, b=5, c=9, d=8) == []
    assert listed(a=6, b=4, e=1) == [
        "a: has 5 rows, and the manifest lists 6",
        "b: has 5 rows, and the manifest lists 4",
        "e: has 0 rows, and the manifest lists 1",
    ]


def test_files_that_are_not_listed_are_counted() -> None:
    findings = [Findings(failures={f"{i:04}": f"{i:04}: broken"}) for i in range(FIRST + 1005)]
    problems = sum(findings[::-1], Findings()).problems()
    assert problems[:FIRST] == [f"{i:04}: broken" for i in range(FIRST)]
    assert problems[FIRST:] == ["... and 1,005 more files cannot be read"]
    assert len(sum(findings[:FIRST], Findings()).problems()) == FIRST


def test_an_error_has_a_line_for_each_problem() -> None:
    error = BadData(["one", "two"])
    assert (str(error), error.problems) == ("one\ntwo", ["one", "two"])
