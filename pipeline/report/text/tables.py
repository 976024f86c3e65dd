"""Tables that fit any width: columns that do not stand beside the others stand below them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.table import Table
from rich.text import Text

_GAP = 2
_LEAST = 14
_FEWEST = 6
_HEADER = 10
"""Names of columns are broken into lines of this width, or of that of the cells below."""
_LONGEST_WORD = 16


@dataclass
class Column:
    """A column of a table.

    Attributes:
        title: its name; empty for none.
        cells: its cells, one for each row; a cell may have several lines.
        right: whether it is flush right, as numbers are.
    """

    title: str
    cells: list[Text]
    right: bool = True


def stacked(fixed: Sequence[Column], columns: Sequence[Column], width: int) -> Iterator[Table]:
    """Yields tables that hold columns, as many as fit side by side.

    Args:
        fixed: the columns that every table begins with.
        columns: the others; without any there is a table of the fixed ones.
        width: the columns of the screen.
    """
    # What does not fit gives way: first the titles, then the names in the first column, as far as
    # that makes fewer tables.
    if _together([*fixed, *columns]) > width:
        fixed, columns = ([_broken(column, width) for column in part] for part in (fixed, columns))
    first, *others = fixed
    beside = _together(others) + _GAP * bool(others)
    narrower = [_broken(first, max(most, _LEAST)) for most in (width // 4, width // 6, 0)]
    most = width - beside - _GAP - _FEWEST
    fitting = [column for column in (first, *narrower) if _measure(column) <= most]
    choices = [[column, *others] for column in fitting or narrower[-1:]]
    split = [(leading, _split(leading, columns, width)) for leading in choices]
    leading, parts = min(split, key=lambda choice: len(choice[1]))
    yield from (_table([*leading, *part]) for part in parts)


def _split(leading: Sequence[Column], columns: Sequence[Column], width: int) -> list[list[Column]]:
    """Returns columns in as few parts as fit beside others."""
    place = _together(leading) + _GAP
    parts: list[list[Column]] = []
    used = width
    for column in columns:
        if place + _measure(column) > width:
            column = _broken(column, max(width - place, _FEWEST))
        if used + _GAP + _measure(column) > width:
            parts.append([])
            used = place - _GAP
        parts[-1].append(column)
        used += _GAP + _measure(column)
    return parts or [[]]


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(Text(column.title), justify="right" if column.right else "left")
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    table.show_header = any(column.title for column in columns)
    return table


def _together(columns: Sequence[Column]) -> int:
    """Returns the width of columns side by side."""
    return sum(_measure(column) + _GAP for column in columns) - _GAP


def _measure(column: Column) -> int:
    """Returns the width of a column."""
    return max(_width(text) for text in (column.title, *(cell.plain for cell in column.cells)))


def _width(text: str) -> int:
    """Returns the width of the widest line of a text."""
    return max(map(cell_len, text.split("\n")))


def _broken(column: Column, most: int) -> Column:
    """Returns a column no wider than `most`; its name is broken so that it makes no more width."""
    cells = [_fold(cell, most) for cell in column.cells]
    body = max((_width(cell.plain) for cell in cells), default=0)
    word = max(map(cell_len, _parts(column.title)), default=0)
    title = break_name(column.title, min(most, max(body, _HEADER, min(word, _LONGEST_WORD))))
    return Column(title, cells, column.right)


def _fold(cell: Text, most: int) -> Text:
    """Returns a cell with lines of a width at most; only those of names are longer."""
    if _width(cell.plain) <= most:
        return cell
    return Text(break_name(cell.plain, most), cell.style)


def break_name(name: str, most: int) -> str:
    """Returns a name as lines of a width at most, broken behind its marks where it has any.

    >>> print(break_name("recall/positive_threshold_0.5", 10))
    recall/
    positive_
    threshold_
    0.5
    """
    lines = []
    for text in name.split("\n"):
        lines.append("")
        for part in _parts(text):
            if lines[-1] and cell_len((lines[-1] + part).rstrip()) > most:
                lines.append("")
            lines[-1] += part
    pieces = (chop_cells(line.rstrip(), most) for line in lines)
    return "\n".join(piece for chopped in pieces for piece in chopped)


def _parts(name: str) -> list[str]:
    """Returns the parts of a name that stay on one line if that is wide enough."""
    return re.findall(r"[^_/, \n]*[_/, \n]+|[^_/, \n]+$", name)
