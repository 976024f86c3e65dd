"""Tests the checks of the numbers in file names, and of files of no bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.listing import check_listing, number_problems
from pipeline.readers.shards import make_shard
from tests.pipeline.tables import law

STYLES = [
    "out/part-{}-of-{}.parquet",
    "out/part.tfrecord-{}-of-{}",
    "part.tfrecord-{}-of-{}.gz",
    "gs://b/out/part-{}-of-{}.snappy.parquet",
    "{}-of-{}.parquet",
]


def path_of(style: str, number: int, total: int, width: int = 5) -> str:
    return style.format(f"{number:0{width}}", f"{total:05}")


@pytest.mark.parametrize("style", STYLES)
def test_all_files_of_one_job(style: str) -> None:
    assert number_problems(path_of(style, i, 12) for i in range(12)) == []
    missing = [path_of(style, i, 12) for i in range(12) if i not in (3, 5, 6, 7)]
    place = style.format("*", 12)
    assert number_problems(missing) == [f"{place}: 4 of 12 files are missing: 3, 5-7"]
    assert number_problems(missing[:1]) == [f"{place}: 11 of 12 files are missing: 1-11"]
    assert number_problems(path_of(style, i, 2) for i in (1, 0, 0)) != []


def test_what_does_not_fit_is_said_with_numbers() -> None:
    a = "d/a-{}-of-{}.parquet"
    assert number_problems([path_of(a, 0, 1), path_of(a, 0, 1, 4)]) == [
        "d/a-*-of-1.parquet: there more than once: 0 (d/a-0000-of-00001.parquet,"
        " d/a-00000-of-00001.parquet)"
    ]
    assert number_problems([path_of(a, 1, 2), path_of(a, 2, 2)]) == [
        "d/a-*-of-2.parquet: 1 of 2 files is missing: 0",
        "d/a-*-of-2.parquet: numbers begin at 0, and are below the total; not so: 2",
    ]
    assert number_problems([path_of(a, i, 2) for i in (0, 1)] + [path_of(a, 2, 4)]) == [
        "d/a-*-of-*.parquet: files of several totals: 2 of 2, 1 of 4",
        "d/a-*-of-4.parquet: 3 of 4 files are missing: 0-1, 3",
    ]
    assert number_problems([path_of(a, 0, 0)]) == [
        "d/a-*-of-0.parquet: numbers begin at 0, and are below the total; not so: 0"
    ]


def test_files_of_other_names_or_directories_are_other_jobs() -> None:
    styles = ["a/x-{}-of-{}.pq", "b/x-{}-of-{}.pq", "a/y-{}-of-{}.pq", "a/x-{}-of-{}.parquet"]
    paths = [path_of(s, i, n) for n, s in enumerate(styles, 1) for i in range(n)]
    assert number_problems(paths) == []
    (line,) = number_problems(paths[:-1])
    assert line == "a/x-*-of-4.parquet: 1 of 4 files is missing: 3"
    assert number_problems([*paths, "a/z.pq", "a/1-of.pq", "a/a1-of-3.pq", "a/-x-of-2.pq"]) == []


def test_a_hash_behind_the_total_does_not_set_files_apart() -> None:
    paths = [f"train-{i:05}-of-00003-{i + 7:016x}.parquet" for i in range(3)]
    assert number_problems(paths) == []
    assert number_problems(paths[1:]) == ["train-*-of-3.parquet: 1 of 3 files is missing: 0"]


def test_long_lists_are_bounded() -> None:
    paths = [path_of(STYLES[0], i, 10**9) for i in range(0, 2000, 2)]
    (line,) = number_problems(paths)
    assert line == (
        "out/part-*-of-1000000000.parquet: 999,999,000 of 1,000,000,000 files are missing:"
        " 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, ... and 990 more"
    )
    (line,) = number_problems(path_of(STYLES[0], i // 3, 500, i % 3 + 4) for i in range(1500))
    assert len(line) < 1000
    assert line.endswith("... and 490 more")


def numbers_of(shown: str) -> set[int]:
    out: set[int] = set()
    for part in shown.split(", "):
        first, _, last = part.partition("-")
        out |= set(range(int(first), int(last or first) + 1))
    return out


@law
@given(
    st.sampled_from(STYLES),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7), st.integers(1, 3)), unique=True),
)
def test_numbers_against_brute_force(style: str, files: Sequence[tuple[int, int, int]]) -> None:
    lines = number_problems({path_of(style, *file) for file in files})
    present = {(int(f"{n:0{w}}"), t, f"{n:0{w}}") for n, t, w in files}
    totals = {total for _, total, _ in present}
    expected: set[tuple[int | None, str]] = set()
    if len(totals) > 1:
        expected.add((None, "totals"))
    for total in totals:
        names = [number for number, file_total, _ in present if file_total == total]
        if set(range(total)) - set(names):
            expected.add((total, "missing"))
        if set(names) - set(range(total)):
            expected.add((total, "beyond"))
        if len(set(names)) < len(names):
            expected.add((total, "twice"))
    reported: set[tuple[int | None, str]] = set()
    for line in lines:
        match = re.search(r"-of-([0-9]+|\*)", line)
        assert match is not None
        total = None if match[1] == "*" else int(match[1])
        names = {number for number, file_total, _ in present if file_total == total}
        if "totals" in line:
            reported.add((None, "totals"))
        elif "missing: " in line:
            assert total is not None
            assert numbers_of(line.split("missing: ")[1]) == set(range(total)) - names
            reported.add((total, "missing"))
        elif "not so: " in line:
            assert total is not None
            assert numbers_of(line.split("not so: ")[1]) == names - set(range(total))
            reported.add((total, "beyond"))
        else:
            reported.add((total, "twice"))
    assert reported == expected
    assert len(lines) == len(reported)


@law
@given(st.permutations([path_of(style, i, 5) for style in STYLES[:2] for i in (0, 2, 3, 9)]))
def test_the_order_of_files_does_not_matter(paths: Sequence[str]) -> None:
    assert number_problems(paths) == number_problems(sorted(paths))


def test_what_is_allowed_is_a_note() -> None:
    shards = [make_shard(path_of("a-{}-of-{}.pq", i, 3), i) for i in (0, 1)]
    missing, empty = "a-*-of-3.pq: 1 of 3 files is missing: 2", "1 file has no bytes"
    problems, notes = check_listing(shards)
    assert [p.split("; ")[0] for p in problems] == [f"{empty}: {shards[0].path}", missing]
    assert problems[0].endswith("set allow_empty_shards")
    assert problems[1].endswith("set allow_missing_shards")
    assert notes == []
    assert check_listing(shards, allow_missing=True, allow_empty=True) == (
        [],
        [f"{empty}, passed over: {shards[0].path}", missing],
    )
    problems, notes = check_listing(shards, allow_empty=True)
    assert (len(problems), len(notes)) == (1, 1)
    problems, notes = check_listing(shards, allow_missing=True)
    assert (len(problems), len(notes)) == (1, 1)


def test_many_files_of_no_bytes_are_one_line() -> None:
    (problem,), _ = check_listing([make_shard(f"{i:03}.pq", 0) for i in range(1500)])
    assert problem.startswith("1,500 files have no bytes: 000.pq, 001.pq, ")
    assert "019.pq, ... and 1,480 more; " in problem
