"""Findings of shards: the numbers of rows read, kept and bad, and the first bad rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pipeline.config.heads import HeadConfig
from pipeline.errors.wording import first_of_kinds
from pipeline.readers.manifest import wrong_rows
from pipeline.readers.shards import Shard
from pipeline.readers.tfrecord.options import Lost
from pipeline.validation.bad_rows import FIRST, BadRow, BadRows, name_heads
from pipeline.validation.contents import NOTHING, Contents
from pipeline.validation.row_advice import advice

NO_HEADS: Mapping[str, HeadConfig] = {}


@dataclass(frozen=True)
class Tolerance:
    """The limits of the bad rows that a head may leave out; without a limit it may leave out none.

    Attributes:
        fraction: the largest share of the rows that `where` kept; None for no such limit.
        rows: the largest number of rows; None for no such limit.
    """

    fraction: float | None = None
    rows: int | None = None

    def passed(self, bad: int, kept: int) -> str | None:
        """Returns why there are too many bad rows; None if they are within the limits.

        Args:
            bad: the number of bad rows.
            kept: the number of rows that `where` kept, the bad rows among them.
        """
        if self.rows is not None and bad > self.rows:
            return f"more than max_bad_rows ({self.rows:,})"
        fraction = 0.0 if self.rows is None and self.fraction is None else self.fraction
        # Shares are compared, because 29 of 100 are 0.29, but 0.29 * 100 is less than 29.
        if fraction is not None and bad and bad / max(kept, bad) > fraction:
            return f"more than max_bad_fraction ({fraction:g})"
        return "and none is left" if bad and bad >= kept else None


@dataclass(frozen=True)
class Losses:
    """The losses of a damaged TFRecord file, that is, what was left out of it.

    Attributes:
        first: the first place where something was left out.
        records: the number of records left out, without those of a lost rest of the file.
        bytes: the number of bytes left out.
        rest: whether the rest of the file was left out; its number of records is not known.
    """

    first: Lost
    records: int
    bytes: int
    rest: bool

    @classmethod
    def of(cls, lost: Lost) -> Losses:
        """Returns the losses at a single place."""
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
    """The findings about the data of one or several shards.

    Attributes:
        shards: the shards.
        rows: the number of rows read.
        kept: the number of rows that `where` kept.
        bad: the rows left out, by head and reason.
        failures: the messages of the files that could not be read, by path.
        lengths: the lengths of the shortest and the longest list, for each column with an `index`.
        unverified: the paths of Parquet files whose pages have no checksums.
        lost: the losses of damaged files, by path.
        contents: what the rows read hold.
    """

    shards: frozenset[Shard] = frozenset()
    rows: int = 0
    kept: int = 0
    bad: Mapping[tuple[str, str], BadRows] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    unverified: frozenset[str] = frozenset()
    lost: Mapping[str, Losses] = field(default_factory=dict)
    contents: Contents = NOTHING

    def __add__(self, other: Findings) -> Findings:
        return Findings.total((self, other))

    @classmethod
    def total(cls, parts: Iterable[Findings]) -> Findings:
        """Returns the sum of findings, in time that grows linearly with their number."""
        shards: set[Shard] = set()
        unverified: set[str] = set()
        bad: dict[tuple[str, str], BadRows] = {}
        lengths: dict[str, tuple[int, int]] = {}
        lost: dict[str, Losses] = {}
        failures: dict[str, str] = {}
        rows = kept = 0
        contents = NOTHING
        for part in parts:
            contents += part.contents
            shards |= part.shards
            unverified |= part.unverified
            rows += part.rows
            kept += part.kept
            for key, rows_of_kind in part.bad.items():
                bad[key] = bad[key] + rows_of_kind if key in bad else rows_of_kind
            for column, (low, high) in part.lengths.items():
                before = lengths.get(column, (low, high))
                lengths[column] = min(low, before[0]), max(high, before[1])
            for path, losses in part.lost.items():
                lost[path] = lost[path] + losses if path in lost else losses
            for path, message in part.failures.items():
                failures[path] = min(message, failures.get(path, message))
        return cls(
            frozenset(shards),
            rows,
            kept,
            bad,
            failures,
            lengths,
            frozenset(unverified),
            lost,
            contents,
        )

    def bad_rows(self, head: str) -> int:
        """Returns the number of rows that a head left out."""
        return sum(bad.rows for (name, _), bad in self.bad.items() if name == head)

    @property
    def examples(self) -> tuple[BadRow, ...]:
        """The first bad rows by file and row, at most `FIRST`."""
        rows = (
            BadRow(place.path, place.row, head, reason, place.sample)
            for (head, reason), bad in self.bad.items()
            for place in bad.first
        )
        return tuple(sorted(rows)[:FIRST])

    def of_one_file(self) -> Findings:
        """Returns these findings with the note that all of their bad rows are in one file."""
        return replace(self, bad={key: replace(bad, files=1) for key, bad in self.bad.items()})

    def problems(
        self, tolerance: Tolerance = Tolerance(), heads: Mapping[str, HeadConfig] = NO_HEADS
    ) -> list[str]:
        """Returns why a report of these rows must not be published; empty if it may be."""
        return self.data_problems(tolerance, heads) + self.run_problems()

    def data_problems(
        self, tolerance: Tolerance = Tolerance(), heads: Mapping[str, HeadConfig] = NO_HEADS
    ) -> list[str]:
        """Returns the problems of single files and rows.

        Args:
            tolerance: how many bad rows a head may leave out.
            heads: the configuration of the heads, for what can be done about bad rows.
        """
        failures = [self.failures[path] for path in sorted(self.failures)]
        return first_of_kinds(failures) + self._bad_problems(tolerance, heads)

    def run_problems(self) -> list[str]:
        """Returns the problems that do not belong to single files or rows."""
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
        """Returns the names of the heads that left out too many rows, each with why it failed."""
        heads = sorted({head for head, _ in self.bad})
        reasons = {head: tolerance.passed(self.bad_rows(head), self.kept) for head in heads}
        return {head: reason for head, reason in reasons.items() if reason is not None}

    def _bad_problems(self, tolerance: Tolerance, heads: Mapping[str, HeadConfig]) -> list[str]:
        """Returns the problems of the heads that left out too many rows, kind by kind.

        What is the same for several heads is told once.
        """
        failing = self.failing(tolerance)
        summaries: dict[str, list[str]] = {}
        for head, reason in failing.items():
            text = f"{self.bad_rows(head):,} of {self.kept:,} rows are bad, {reason}"
            summaries.setdefault(text, []).append(head)
        kinds: dict[tuple[str, BadRows, str], list[str]] = {}
        for (head, reason), bad in sorted(self.bad.items(), key=lambda item: item[0]):
            if head in failing:
                todo = advice(heads[head], reason, bad.seen) if head in heads else ""
                kinds.setdefault((reason, bad, todo), []).append(head)
        problems = [f"{name_heads(names)}: {text}" for text, names in summaries.items()]
        for (reason, bad, todo), names in list(kinds.items())[:FIRST]:
            problems += bad.lines(names, reason)
            problems += [f"  what to do: {todo}"] if todo else []
        more = len(kinds) - FIRST
        return problems + ([f"... and {more:,} more kinds of bad rows"] if more > 0 else [])


def findings_by_path(parts: Iterable[Mapping[str, Findings]]) -> dict[str, Findings]:
    """Returns the findings of each file, by path, as the sum over all parts."""
    parts_by_path: dict[str, list[Findings]] = {}
    for part in parts:
        for path, findings in part.items():
            parts_by_path.setdefault(path, []).append(findings)
    return {
        path: path_findings[0] if len(path_findings) == 1 else Findings.total(path_findings)
        for path, path_findings in parts_by_path.items()
    }


def files_of_wrong_rows(findings: Mapping[str, Findings]) -> list[tuple[str, str]]:
    """Returns the files whose number of rows is not the number that a manifest lists.

    Args:
        findings: the findings of each file, by path.

    Returns:
        The path of each such file and a message, sorted by path.
    """
    problems = []
    for path, file_findings in sorted(findings.items()):
        losses = file_findings.lost.get(path)
        rows = file_findings.rows + (losses.records if losses else 0)
        # A file that could not be read is a problem already; the rows of a lost rest are not known.
        if path in file_findings.failures or (losses and losses.rest):
            continue
        problems += [
            (path, wrong_rows(shard, rows))
            for shard in file_findings.shards
            if shard.rows not in (None, rows)
        ]
    return problems
