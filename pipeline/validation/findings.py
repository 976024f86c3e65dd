"""Findings of shards: how many rows were read, kept and bad, and which bad rows came first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.readers.manifest import wrong_rows
from pipeline.readers.shards import Shard
from pipeline.readers.tfrecord.options import Lost
from pipeline.validation.reasons import REASONS

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
class Findings:
    """What was found in one shard, or in several.

    Attributes:
        shards: the files.
        rows: rows read.
        kept: rows that `where` kept.
        bad: rows left out, by head and reason.
        examples: the first of them.
        failures: by path of a file, what stopped it from being read.
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
    unverified: frozenset[str] = frozenset()
    lost: Mapping[str, Losses] = field(default_factory=dict)

    def __add__(self, other: Findings) -> Findings:
        return Findings.total((self, other))

    @classmethod
    def total(cls, parts: Iterable[Findings]) -> Findings:
        """What was found in all of several; its cost grows with their number, not its square."""
        shards: set[Shard] = set()
        unverified: set[str] = set()
        bad: dict[tuple[str, str], int] = {}
        lengths: dict[str, tuple[int, int]] = {}
        lost: dict[str, Losses] = {}
        failures: dict[str, str] = {}
        examples: tuple[BadRow, ...] = ()
        rows = kept = 0
        for part in parts:
            shards |= part.shards
            unverified |= part.unverified
            rows += part.rows
            kept += part.kept
            for key, count in part.bad.items():
                bad[key] = bad.get(key, 0) + count
            for column, (low, high) in part.lengths.items():
                before = lengths.get(column, (low, high))
                lengths[column] = min(low, before[0]), max(high, before[1])
            for path, losses in part.lost.items():
                lost[path] = lost[path] + losses if path in lost else losses
            for path, message in part.failures.items():
                failures[path] = min(message, failures.get(path, message))
            if part.examples:
                examples = tuple(sorted({*examples, *part.examples})[:FIRST])
        return cls(
            frozenset(shards),
            rows,
            kept,
            bad,
            examples,
            failures,
            lengths,
            frozenset(unverified),
            lost,
        )

    def bad_rows(self, head: str) -> int:
        """How many rows a head left out."""
        return sum(count for (name, _), count in self.bad.items() if name == head)

    def problems(self, tolerance: Tolerance = Tolerance()) -> list[str]:
        """Why a report of these rows must not be published; empty if it may."""
        return self.data_problems(tolerance) + self.run_problems()

    def data_problems(self, tolerance: Tolerance = Tolerance()) -> list[str]:
        """The problems of single files and rows."""
        problems = [self.failures[path] for path in sorted(self.failures)[:FIRST]]
        if len(self.failures) > FIRST:
            problems.append(f"... and {len(self.failures) - FIRST:,} more files cannot be read")
        return problems + self._bad_problems(tolerance)

    def run_problems(self) -> list[str]:
        """The problems that are not of single files or rows."""
        problems = [
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


def findings_by_path(parts: Iterable[Mapping[str, Findings]]) -> dict[str, Findings]:
    """What was found in each file, from several parts."""
    found: dict[str, list[Findings]] = {}
    for part in parts:
        for path, findings in part.items():
            found.setdefault(path, []).append(findings)
    return {path: own[0] if len(own) == 1 else Findings.total(own) for path, own in found.items()}


def files_of_wrong_rows(findings: Mapping[str, Findings]) -> list[tuple[str, str]]:
    """The files that do not have the rows that a manifest lists, sorted, and a line for each.

    Args:
        findings: what was found in each file, by path.
    """
    problems = []
    for path, found in sorted(findings.items()):
        losses = found.lost.get(path)
        read = found.rows + (losses.records if losses else 0)
        # A file that could not be read is a problem already, and a rest has no known rows.
        if path in found.failures or (losses and losses.rest):
            continue
        problems += [
            (path, wrong_rows(shard, read))
            for shard in found.shards
            if shard.rows not in (None, read)
        ]
    return problems
