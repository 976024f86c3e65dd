"""Facts of shards: how many rows were read, kept and bad, and which bad rows came first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.readers.shards import Shard

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
    """

    path: str
    row: int
    head: str
    reason: str

    def __str__(self) -> str:
        what, _, column = self.reason.partition(":")
        return f"{self.path}: row {self.row}: head '{self.head}': '{column}' {REASONS[what]}"


REASONS = {
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

    def __add__(self, other: Facts) -> Facts:
        bad = dict(self.bad)
        for key, count in other.bad.items():
            bad[key] = bad.get(key, 0) + count
        lengths = dict(self.lengths)
        for column, (low, high) in other.lengths.items():
            before = lengths.get(column, (low, high))
            lengths[column] = min(low, before[0]), max(high, before[1])
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
        )

    def problems(self) -> list[str]:
        """Why a report of these rows must not be published; empty if it may."""
        problems = list(self.slices)
        problems += [self.failures[path] for path in sorted(self.failures)[:FIRST]]
        if len(self.failures) > FIRST:
            problems.append(f"... and {len(self.failures) - FIRST:,} more files cannot be read")
        problems += [str(row) for row in self.examples]
        listed, total = len(self.examples), sum(self.bad.values())
        if total > listed:
            problems.append(f"... and {total - listed:,} more bad rows")
        problems += [
            f"column '{column}': lists have from {low} to {high} values, and one length is needed"
            for column, (low, high) in sorted(self.lengths.items())
            if low != high
        ]
        if not problems and not self.kept:
            problems.append(
                f"none of {self.rows:,} rows matches 'where'" if self.rows else "there are no rows"
            )
        return problems


class BadData(Exception):
    """Data that must not be reported on; `problems` says why, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
