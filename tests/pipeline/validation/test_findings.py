"""Findings of shards: how they add up, and what they say of a run."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.faults import BadData
from pipeline.readers.shards import Shard
from pipeline.readers.tfrecord.options import Lost
from pipeline.validation.bad_rows import FIRST, NOTHING_SEEN, BadRow, BadRows, Place, Seen
from pipeline.validation.findings import (
    Findings,
    Losses,
    Tolerance,
    files_of_wrong_rows,
)
from pipeline.validation.reasons import REASONS
from tests.pipeline.tables import law

PATHS = ("a.parquet", "b.parquet")
places = st.tuples(st.sampled_from(PATHS), st.integers(0, 40)).map(lambda place: Place(*place))


def kind_of(rows: frozenset[Place] | set[Place], seen: Seen = NOTHING_SEEN) -> BadRows:
    first = tuple(sorted(rows)[:FIRST])
    return BadRows(len(rows), first, max(place[:2] for place in rows), seen)


@st.composite
def some_findings(draw: st.DrawFn) -> Findings:
    bad = draw(
        st.dictionaries(
            st.tuples(st.sampled_from(["h", "k"]), st.just("null:y")),
            st.frozensets(places, min_size=1, max_size=30),
        )
    )
    words = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=25, unique=True)
    seen = st.builds(
        Seen,
        st.none() | st.integers(-3, 3),
        st.none() | st.integers(-3, 3),
        words.map(lambda letters: tuple(sorted(letters)[:FIRST])),
    )
    low = draw(st.integers(0, 3))
    return Findings(
        draw(st.frozensets(st.sampled_from([Shard(path, 9, "parquet") for path in PATHS]))),
        rows=draw(st.integers(0, 9)),
        kept=draw(st.integers(0, 9)),
        bad={key: kind_of(rows, draw(seen)) for key, rows in bad.items()},
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
@given(st.lists(st.lists(places, max_size=30, unique=True), max_size=4))
def test_the_first_rows_are_listed_and_all_are_counted(parts: list[list[Place]]) -> None:
    findings = [Findings(bad={("h", "null:y"): kind_of(set(rows))}) for rows in parts if rows]
    total = sum(findings, Findings())
    assert sum(bad.rows for bad in total.bad.values()) == sum(map(len, parts))
    expected = sorted({place for rows in parts for place in rows})[:FIRST]
    assert [Place(row.path, row.row) for row in total.examples] == expected


def test_bad_rows_are_ordered_by_file_and_by_number() -> None:
    rows = [
        BadRow("a", 9, "k", "null:x"),
        BadRow("a", 10, "h", "null:x"),
        BadRow("a", 10, "k", "negative:x"),
        BadRow("b", 0, "h", "null:x"),
    ]
    assert all(row < next_row for row, next_row in pairwise(rows))


def test_a_kind_of_bad_rows_is_told_in_one_line() -> None:
    rows = {Place("d/a.parquet", number) for number in (7, 3, 90, 12)}
    said = [kind_of(rows).lines(["h"], f"{reason}:y") for reason in REASONS]
    assert all(len(lines) == 1 for lines in said)
    assert len({line for (line,) in said}) == len(REASONS)
    where = "in 4 rows from 3 to 90: d/a.parquet: rows 3, 7, 12"
    assert said[0] == [f"head 'h': 'y' has no value {where}"]
    assert "'a:b' has no value" in kind_of(rows).lines(["h"], "null:a:b")[0]


def test_what_bad_rows_hold_is_told_once() -> None:
    places = {Place("a", 1, "y=-1, s=0.5"), Place("a", 2, "y=-2, s=0.5")}
    assert kind_of(places, Seen(-2.0, -1.0)).lines(["h", "k"], "out_of_range:y") == [
        "heads 'h', 'k': 'y' is outside the range of labels (from -2 to -1) in 2 rows:"
        " a: rows 1, 2",
        "  a: row 1: y=-1, s=0.5",
        "  a: row 2: y=-2, s=0.5",
    ]
    one = {Place("", 1)}
    assert kind_of(one, Seen(words=("Yes",))).lines(["h"], "not_in_vocabulary:y") == [
        "head 'h': 'y' is not in the vocabulary ('Yes') in 1 row"
    ]
    assert kind_of(one, Seen(5, 5)).lines(["h"], "wrong_length:s") == [
        "head 'h': 's' is a list of the wrong length (5 values) in 1 row"
    ]


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


def test_what_is_wrong_for_several_heads_is_told_once() -> None:
    bad = kind_of({Place("a.parquet", i) for i in range(25)})
    findings = Findings(
        rows=9000, kept=9000, bad={(head, "null:y"): bad for head in ("a", "b", "c", "d", "e", "f")}
    )
    heads = "heads 'a', 'b', 'c', 'd', 'e', ... and 1 more"
    assert findings.problems() == [
        f"{heads}: 25 of 9,000 rows are bad, more than max_bad_fraction (0)",
        f"{heads}: 'y' has no value in 25 rows from 0 to 24: a.parquet: rows 0, 1, 2",
    ]


def test_so_many_kinds_are_told() -> None:
    bad = {("h", f"null:{number:03}"): BadRows(1) for number in range(FIRST + 7)}
    problems = Findings(rows=99, kept=99, bad=bad).problems()
    assert len(problems) == 1 + FIRST + 1
    assert problems[-1] == "... and 7 more kinds of bad rows"


def test_each_head_is_held_against_the_limits() -> None:
    one, two = kind_of({Place("a", 1)}), kind_of({Place("a", 2), Place("b", 5)})
    findings = Findings(rows=100, kept=100, bad={("h", "null:y"): one, ("k", "null:y"): two})
    assert findings.problems(Tolerance(rows=2)) == []
    assert findings.problems(Tolerance(rows=1)) == [
        "head 'k': 2 of 100 rows are bad, more than max_bad_rows (1)",
        "head 'k': 'y' has no value in 2 rows: a: row 2; b: row 5",
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


def test_files_of_one_fault_are_told_once() -> None:
    findings = [Findings(failures={f"{i:04}": f"{i:04}: byte {i}: cut"}) for i in range(1005)]
    odd = Findings(failures={"z": "z: not a Parquet file"})
    problems = sum(findings[::-1], odd).problems()
    assert problems == [
        *(f"{i:04}: byte {i}: cut" for i in range(3)),
        "... and 1,002 more files like these",
        "z: not a Parquet file",
    ]
    assert len(sum(findings[:3], Findings()).problems()) == 3


def test_files_of_many_faults_are_counted() -> None:
    words = [f"{a}{b}" for a in "abcdef" for b in "ghijkl"]
    findings = [Findings(failures={word: f"{word}: {word}"}) for word in words]
    problems = sum(findings, Findings()).problems()
    assert problems[:FIRST] == [f"{word}: {word}" for word in words[:FIRST]]
    assert problems[FIRST:] == [f"... and {len(words) - FIRST} more files"]


def test_an_error_has_a_line_for_each_problem() -> None:
    error = BadData(["one", "two"])
    assert (str(error), error.problems) == ("one\ntwo", ["one", "two"])
