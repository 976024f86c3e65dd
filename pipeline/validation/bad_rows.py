"""Bad rows: how many there are of a kind, the first of them, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.errors.problems import quote
from pipeline.errors.wording import counted, first_names
from pipeline.readers.arrow_types import is_list, is_number, is_text
from pipeline.readers.rows import coded, flat_values, list_lengths, numbers
from pipeline.validation.reasons import REASONS

FIRST = 20
"""The number of bad rows that are listed; these are the first by file and row."""

EXAMPLES = 3
"""The number of bad rows of a kind that a message names."""


class Place(NamedTuple):
    """The place of a bad row.

    Attributes:
        path: the path of its file; empty for a row that has no place.
        row: the number of the row within the file, from 0.
        sample: the values that the row has, if they may be shown; empty otherwise.
    """

    path: str
    row: int
    sample: str = ""


@dataclass(frozen=True, order=True)
class BadRow:
    """A bad row, which was left out of a head.

    Attributes:
        path: the path of its file; empty for a row that has no place.
        row: the number of the row within the file, from 0.
        head: the name of the head it was left out of.
        reason: what is wrong, and with which column, such as `null:label`.
        sample: the values that the row has, if they may be shown; empty otherwise.
    """

    path: str
    row: int
    head: str
    reason: str
    sample: str = ""

    @property
    def place(self) -> str:
        """The file and the row, as people read them."""
        return f"{self.path}: row {self.row}" if self.path else "a row"


class Seen(NamedTuple):
    """What the bad rows of a kind hold in the column that is wrong, as far as it may be shown.

    Attributes:
        lowest: the smallest number, or the length of the shortest list if lengths are wrong; None
            if there is none, or if it may not be shown.
        highest: the largest number, or the length of the longest list.
        words: the distinct words, sorted, at most `FIRST`.
    """

    lowest: float | None = None
    highest: float | None = None
    words: tuple[str, ...] = ()

    def merged(self, other: Seen) -> Seen:
        """Returns what these rows and others hold together."""
        lows = [low for low in (self.lowest, other.lowest) if low is not None]
        highs = [high for high in (self.highest, other.highest) if high is not None]
        words = tuple(sorted({*self.words, *other.words})[:FIRST])
        return Seen(min(lows, default=None), max(highs, default=None), words)


NOTHING_SEEN = Seen()


@dataclass(frozen=True)
class BadRows:
    """The bad rows of a kind: of one head, and bad for one reason.

    Attributes:
        rows: how many there are.
        first: the first by file and row, at most `FIRST`.
        last: the path and the number of the last by file and row.
        seen: what they hold.
        files: how many files they are in; 0 where this is not known, as within a single file.
    """

    rows: int
    first: tuple[Place, ...] = ()
    last: tuple[str, int] | None = None
    seen: Seen = NOTHING_SEEN
    files: int = 0

    def __add__(self, other: BadRows) -> BadRows:
        lasts = [last for last in (self.last, other.last) if last is not None]
        return BadRows(
            self.rows + other.rows,
            tuple(sorted({*self.first, *other.first})[:FIRST]),
            max(lasts, default=None),
            self.seen.merged(other.seen),
            self.files + other.files,
        )

    def lines(self, heads: Sequence[str], reason: str) -> list[str]:
        """Returns a line that says what is wrong with how many rows, and a line for each sample.

        Args:
            heads: the names of the heads that leave these rows out.
            reason: the reason with its column, such as `null:label`.
        """
        code, _, column = reason.partition(":")
        where = counted(self.rows, "row")
        if self.files > 1:
            where += f" of {self.files:,} files"
        elif self.rows > EXAMPLES and self.last and self.last[0] == self.first[0].path != "":
            where += f" from {self.first[0].row} to {self.last[1]}"
        places = show_places(self.first[:EXAMPLES])
        what = f"{name_heads(heads)}: '{column}' {REASONS[code]}{self._shown(code)}"
        samples = [
            f"  {BadRow(place.path, place.row, '', reason).place}: {place.sample}"
            for place in self.first[:EXAMPLES]
            if place.sample
        ]
        return [f"{what} in {where}{f': {places}' if places else ''}", *samples]

    def _shown(self, code: str) -> str:
        """Returns in words what the rows hold; empty if nothing of it may be shown."""
        if self.seen.words:
            return f" ({first_names([quote(word) for word in self.seen.words], 5)})"
        low, high = self.seen.lowest, self.seen.highest
        if low is None or high is None:
            return ""
        span = f"{low:.6g}" if low == high else f"from {low:.6g} to {high:.6g}"
        if code == "wrong_length":
            return f" ({span} {'value' if low == high == 1 else 'values'})"
        return f" ({span})"


def seen_in(column: pa.Array, reason: str, *, shown: bool) -> Seen:
    """Returns what bad rows hold in a column.

    How long lists are may always be shown, as the shape of a column is no value of a row.

    Args:
        column: the column of the bad rows.
        reason: the reason with its column.
        shown: whether values of rows may be shown.
    """
    if reason.startswith("wrong_length:"):
        lengths = list_lengths(column) if is_list(column.type) else np.ones(len(column))
        return Seen(float(lengths.min()), float(lengths.max())) if len(lengths) else NOTHING_SEEN
    if not shown:
        return NOTHING_SEEN
    if is_list(column.type):
        column = flat_values(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        words = {word for word in coded(column)[1] if isinstance(word, str)}
        return Seen(words=tuple(sorted(words)[:FIRST]))
    if not is_number(column.type):
        return NOTHING_SEEN
    values = numbers(column)[0]
    values = values[np.isfinite(values)]
    return Seen(float(values.min()), float(values.max())) if len(values) else NOTHING_SEEN


def name_heads(heads: Sequence[str]) -> str:
    """Returns the names of heads for the beginning of a line.

    >>> name_heads(["click"]), name_heads(["click", "order"])
    ("head 'click'", "heads 'click', 'order'")
    """
    shown = first_names([f"'{head}'" for head in heads], 5)
    return f"head {shown}" if len(heads) == 1 else f"heads {shown}"


def show_places(places: Iterable[Place]) -> str:
    """Returns places as a list in words; empty if they are not known.

    >>> show_places([Place("a", 3), Place("a", 7), Place("b", 0)])
    'a: rows 3, 7; b: row 0'
    """
    shown = []
    for path, group in groupby(places, key=lambda place: place.path):
        found = [str(place.row) for place in group]
        if path:
            shown.append(f"{path}: row{'s' if len(found) > 1 else ''} {', '.join(found)}")
    return "; ".join(shown)
