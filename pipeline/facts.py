"""Facts of shards: how many rows were read, kept and bad, and which bad rows came first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.metadata.reasons import SCHEMA_REASONS
from pipeline.readers import OpenFile, Shard, WorkItem, has_page_checksums, plan_items
from pipeline.readers.faults import DataFault
from pipeline.readers.lines import first_lines
from pipeline.readers.options import Lost

FIRST = 20
"""How many bad rows are listed, the first by file and row."""


@dataclass(frozen=True, order=True)
class BadRow:
    """A row that was left out.

    Attributes:
        path: its file.
        row: its number within the file, from 0.
        head: the head it was left out of.
        reason: what is wrong, and with which column: `null:label`.
        sample: what the row holds, where that may be shown; else empty.
    """

    path: str
    row: int
    head: str
    reason: str
    sample: str = ""

    def __str__(self) -> str:
        what, _, column = self.reason.partition(":")
        held = f": {self.sample}" if self.sample else ""
        return f"{self.path}: row {self.row}: head '{self.head}': '{column}' {REASONS[what]}{held}"


REASONS = SCHEMA_REASONS | {
    "null": "has no value",
    "wrong_length": "is a list of the wrong length",
    "not_finite": "is NaN or infinite",
    "not_a_probability": "is outside [0, 1]",
    "out_of_range": "is outside the range of labels",
    "not_a_class_id": "is not a class id",
    "not_in_vocabulary": "is not in the vocabulary",
    "negative": "is negative",
}


@dataclass(frozen=True)
class Tolerance:
    """How many bad rows a head may leave out; with neither limit, none.

    Attributes:
        fraction: the largest share of the rows that `where` kept.
        rows: the largest number.
    """

    fraction: float | None = None
    rows: int | None = None

    def passed(self, bad: int, kept: int) -> str | None:
        """Why so many bad rows of so many are too many; None if they are not."""
        if self.rows is not None and bad > self.rows:
            return f"more than max_bad_rows ({self.rows:,})"
        fraction = 0.0 if self.rows is None and self.fraction is None else self.fraction
        # 29 of 100 are 0.29, but 0.29 * 100 is less than 29.
        if fraction is not None and bad and bad / max(kept, bad) > fraction:
            return f"more than max_bad_fraction ({fraction:g})"
        return "and none is left" if bad and bad >= kept else None


@dataclass(frozen=True)
class Losses:
    """What was left out of a damaged TFRecord file.

    Attributes:
        first: the first of it.
        records: how many records, but for those of a rest.
        bytes: how many bytes.
        rest: whether the rest of the file was left out, of which no one knows the records.
    """

    first: Lost
    records: int
    bytes: int
    rest: bool

    @classmethod
    def of(cls, lost: Lost) -> Losses:
        """What was left out at one place."""
        return cls(lost, lost.records or 0, lost.bytes, lost.records is None)

    def __add__(self, other: Losses) -> Losses:
        return Losses(
            min(self.first, other.first, key=lambda lost: lost.row),
            self.records + other.records,
            self.bytes + other.bytes,
            self.rest or other.rest,
        )


@dataclass(frozen=True)
class Facts:
    """What was found in one shard, or in several.

    Attributes:
        shards: the files.
        rows: rows read.
        kept: rows that `where` kept.
        bad: rows left out, by head and reason.
        examples: the first of them.
        failures: by path of a file, what stopped it from being read.
        slices: why rows cannot be sliced as the configuration says.
        unverified: Parquet files whose pages carry no checksums.
        lost: what was left out of damaged files, by path.
        lengths: for each column an element is picked from, its shortest and longest list.
    """

    shards: frozenset[Shard] = frozenset()
    rows: int = 0
    kept: int = 0
    bad: Mapping[tuple[str, str], int] = field(default_factory=dict)
    examples: tuple[BadRow, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    unverified: frozenset[str] = frozenset()
    lost: Mapping[str, Losses] = field(default_factory=dict)

    def __add__(self, other: Facts) -> Facts:
        bad = dict(self.bad)
        for key, count in other.bad.items():
            bad[key] = bad.get(key, 0) + count
        lengths = dict(self.lengths)
        for column, (low, high) in other.lengths.items():
            before = lengths.get(column, (low, high))
            lengths[column] = min(low, before[0]), max(high, before[1])
        lost = dict(self.lost)
        for path, losses in other.lost.items():
            lost[path] = lost[path] + losses if path in lost else losses
        failures = dict(self.failures)
        for path, message in other.failures.items():
            failures[path] = min(message, failures.get(path, message))
        return Facts(
            self.shards | other.shards,
            self.rows + other.rows,
            self.kept + other.kept,
            bad,
            tuple(sorted({*self.examples, *other.examples})[:FIRST]),
            failures,
            lengths,
            self.slices or other.slices,
            self.unverified | other.unverified,
            lost,
        )

    def bad_rows(self, head: str) -> int:
        """How many rows a head left out."""
        return sum(count for (name, _), count in self.bad.items() if name == head)

    def problems(self, tolerance: Tolerance = Tolerance()) -> list[str]:
        """Why a report of these rows must not be published; empty if it may."""
        problems = [self.failures[path] for path in sorted(self.failures)[:FIRST]]
        if len(self.failures) > FIRST:
            problems.append(f"... and {len(self.failures) - FIRST:,} more files cannot be read")
        problems += self._bad_problems(tolerance)
        return [*problems, *self.run_problems()]

    def run_problems(self) -> list[str]:
        """The problems that are not of single files or rows."""
        problems = list(self.slices)
        problems += [
            f"column '{column}': lists have from {low} to {high} values, and one length is needed"
            for column, (low, high) in sorted(self.lengths.items())
            if low != high
        ]
        if not (problems or self.failures or self.kept):
            problems.append(
                f"none of {self.rows:,} rows matches 'where'" if self.rows else "there are no rows"
            )
        return problems

    def failing(self, tolerance: Tolerance) -> dict[str, str]:
        """The heads that left out too many rows, and why that is too many."""
        heads = sorted({head for head, _ in self.bad})
        why = {head: tolerance.passed(self.bad_rows(head), self.kept) for head in heads}
        return {head: reason for head, reason in why.items() if reason is not None}

    def _bad_problems(self, tolerance: Tolerance) -> list[str]:
        failing = self.failing(tolerance)
        problems = [
            f"head '{head}': {self.bad_rows(head):,} of {self.kept:,} rows are bad, {why}"
            for head, why in failing.items()
        ]
        rows = [str(row) for row in self.examples if row.head in failing]
        more = sum(map(self.bad_rows, failing)) - len(rows)
        return problems + rows + ([f"... and {more:,} more bad rows"] if more else [])


def examine(shard: Shard, open_file: OpenFile) -> tuple[list[WorkItem], Facts]:
    """The work items of a shard, and what is known of it before its rows are read."""
    facts = Facts(frozenset([shard]))
    try:
        items = plan_items(shard, open_file)
        if has_page_checksums(shard, open_file) is False:
            facts += Facts(unverified=frozenset([shard.path]))
    except DataFault as fault:
        return [], facts + Facts(failures={shard.path: str(fault)})
    return items, facts


def row_problems(facts: Mapping[str, Facts], expected: Mapping[str, int]) -> list[str]:
    """The files that do not have the rows that a manifest lists, a line each.

    Args:
        facts: what was found in each file, by path.
        expected: the rows of files, by path.
    """
    problems = []
    for path, rows in sorted(expected.items()):
        found = facts.get(path, Facts())
        losses = found.lost.get(path)
        read = found.rows + (losses.records if losses else 0)
        # A file that could not be read is a problem already, and a rest has no known rows.
        if read != rows and path not in found.failures and not (losses and losses.rest):
            problems.append(f"{path}: has {read:,} rows, and the manifest lists {rows:,}")
    return first_lines(problems)


class BadData(Exception):
    """Data that must not be reported on; `problems` says why, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
