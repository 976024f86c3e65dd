"""What is wrong with a listing: numbers that are missing among the files, and files of no bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.errors.wording import have, named
from pipeline.readers.shards import Shard

_NUMBERED = re.compile(r"(|.*-)([0-9]+)-of-([0-9]+)(.*)", re.DOTALL)
# Some writers end the name of each file with a hash of its content.
_HASH = re.compile(r"-[0-9a-f]{16}(?=\.|$)")
_FEW = 10

Numbers = Mapping[int, Sequence[str]]
"""Shard numbers, and the files that have them."""


def check_listing(
    shards: Sequence[Shard], *, allow_missing: bool = False, allow_empty: bool = False
) -> tuple[list[str], list[str]]:
    """Checks the numbers and the sizes of files, before any is opened.

    Files named `-00003-of-00010` must be all there, each number once; those of one directory whose
    names are the same but for the numbers belong together. No file may have no bytes: a Parquet
    file without rows has a footer, and a writer that failed leaves nothing.

    Args:
        shards: the files.
        allow_missing: whether numbers need not fit.
        allow_empty: whether files of no bytes are to be passed over.

    Returns:
        Problems and notes, a line each; what is allowed is a note.
    """
    problems: list[str] = []
    notes: list[str] = []
    empty = sorted(shard.path for shard in shards if not shard.bytes)
    if empty:
        line = f"{have(len(empty))} no bytes"
        if allow_empty:
            notes.append(f"{line}, passed over: {named(empty)}")
        else:
            hint = "write again what should be there, or set allow_empty_shards"
            problems.append(f"{line}: {named(empty)}; {hint}")
    for line in number_problems(shard.path for shard in shards):
        if allow_missing:
            notes.append(line)
        else:
            hint = "bring together all files of one job, or set allow_missing_shards"
            problems.append(f"{line}; {hint}")
    return problems, notes


def number_problems(paths: Iterable[str]) -> list[str]:
    """What does not fit among files named `-00003-of-00010`, a line each; others are passed over.

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
                f"{directory}{before}*-of-*{after}: files of several totals: {named(counts, _FEW)}"
            )
        for total, numbers in sorted(totals.items()):
            place = f"{directory}{before}*-of-{total}{after}"
            lines += [f"{place}: {line}" for line in _misfits(numbers, total)]
    return lines


def _misfits(numbers: Numbers, total: int) -> Iterator[str]:
    gaps = list(_gaps(sorted(number for number in numbers if number < total), total))
    if gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        shown = named([f"{a}" if a == b else f"{a}-{b}" for a, b in gaps], _FEW)
        are = "is" if missing == 1 else "are"
        yield f"{missing:,} of {total:,} files {are} missing: {shown}"
    if beyond := sorted(number for number in numbers if number >= total):
        shown = named(list(map(str, beyond)), _FEW)
        yield f"numbers begin at 0, and are below the total; not so: {shown}"
    if twice := sorted(number for number, files in numbers.items() if len(files) > 1):
        shown = named([f"{number} ({named(sorted(numbers[number]), 2)})" for number in twice], _FEW)
        yield f"there more than once: {shown}"


def _gaps(numbers: Sequence[int], total: int) -> Iterator[tuple[int, int]]:
    """The runs `[first, last]` of the numbers below the total that are not among some."""
    following = 0
    for number in [*numbers, total]:
        if number > following:
            yield following, number - 1
        following = number + 1
