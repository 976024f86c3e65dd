"""Checks a listing of files: for files that are missing by their numbers, and for empty files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.errors.wording import first_names, have
from pipeline.readers.shards import Shard

_NUMBERED = re.compile(r"(|.*-)([0-9]+)-of-([0-9]+)(.*)", re.DOTALL)
# Some writers put a hash of the content at the end of a file name.
_HASH = re.compile(r"-[0-9a-f]{16}(?=\.|$)")
_MAX_SHOWN = 10

Numbers = Mapping[int, Sequence[str]]
"""The paths of the files that have a shard number, by shard number."""


def check_listing(
    shards: Sequence[Shard], *, allow_missing: bool = False, allow_empty: bool = False
) -> tuple[list[str], list[str]]:
    """Checks the numbers and the sizes of files before any file is opened.

    Of files named like `-00003-of-00010`, all must be there, and each number only once. Files
    belong together if they are in the same directory and their names differ only in the numbers. A
    file must not be empty: even a Parquet file without rows has a footer, and a file of no bytes
    may come from a writer that failed.

    Args:
        shards: the files.
        allow_missing: whether to accept numbers that are missing or do not fit.
        allow_empty: whether to accept files of no bytes, which are then not read.

    Returns:
        The lines of the problems, and the lines of the notes. What is allowed becomes a note.
    """
    problems: list[str] = []
    notes: list[str] = []
    empty = sorted(shard.path for shard in shards if not shard.bytes)
    if empty:
        line = f"{have(len(empty))} no bytes"
        if allow_empty:
            notes.append(f"{line}, passed over: {first_names(empty)}")
        else:
            hint = "write again what should be there, or set allow_empty_shards"
            problems.append(f"{line}: {first_names(empty)}; {hint}")
    for line in number_problems(shard.path for shard in shards):
        if allow_missing:
            notes.append(line)
        else:
            hint = "bring together all files of one job, or set allow_missing_shards"
            problems.append(f"{line}; {hint}")
    return problems, notes


def number_problems(paths: Iterable[str]) -> list[str]:
    """Returns a line for each problem with the numbers of files named like `-00003-of-00010`.

    Files with other names are not checked.

    >>> number_problems(f"out/a-{i}-of-9.parquet" for i in (0, 1, 4, 5))
    ['out/a-*-of-9.parquet: 5 of 9 files are missing: 2-3, 6-8']
    """
    sets: dict[tuple[str, str, str], dict[int, dict[int, list[str]]]] = {}
    for path in paths:
        directory, slash, name = path.rpartition("/")
        if match := _NUMBERED.fullmatch(name):
            before, number, total, after = match.groups()
            key = directory + slash, before, _HASH.sub("", after, count=1)
            files = sets.setdefault(key, {}).setdefault(int(total), {})
            files.setdefault(int(number), []).append(path)
    lines = []
    for (directory, before, after), totals in sorted(sets.items()):
        if len(totals) > 1:
            counts = [
                f"{sum(map(len, numbers.values())):,} of {total}"
                for total, numbers in sorted(totals.items())
            ]
            lines.append(
                f"{directory}{before}*-of-*{after}: files of several totals:"
                f" {first_names(counts, _MAX_SHOWN)}"
            )
        for total, numbers in sorted(totals.items()):
            place = f"{directory}{before}*-of-{total}{after}"
            lines += [f"{place}: {line}" for line in _number_lines(numbers, total)]
    return lines


def _number_lines(numbers: Numbers, total: int) -> Iterator[str]:
    gaps = list(_gaps(sorted(number for number in numbers if number < total), total))
    if gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        runs = [f"{first}" if first == last else f"{first}-{last}" for first, last in gaps]
        shown = first_names(runs, _MAX_SHOWN)
        are = "is" if missing == 1 else "are"
        yield f"{missing:,} of {total:,} files {are} missing: {shown}"
    if beyond := sorted(number for number in numbers if number >= total):
        shown = first_names(list(map(str, beyond)), _MAX_SHOWN)
        yield f"numbers begin at 0, and are below the total; not so: {shown}"
    if twice := sorted(number for number, files in numbers.items() if len(files) > 1):
        repeats = [f"{number} ({first_names(sorted(numbers[number]), 2)})" for number in twice]
        shown = first_names(repeats, _MAX_SHOWN)
        yield f"there more than once: {shown}"


def _gaps(numbers: Sequence[int], total: int) -> Iterator[tuple[int, int]]:
    """Yields the first and last number of each run of missing numbers.

    Args:
        numbers: the numbers that are there, ascending.
        total: all numbers below it should be there.
    """
    expected = 0
    for number in [*numbers, total]:
        if number > expected:
            yield expected, number - 1
        expected = number + 1
