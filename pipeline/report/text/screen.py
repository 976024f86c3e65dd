"""The screen that a text is drawn for: its width, its letters and its colours."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.errors.printable import printable

NARROWEST = 40
"""The smallest width that a text is drawn for; a narrower terminal breaks its lines."""
PIPED = 120
"""The width of a text that is drawn for no terminal."""
LONGEST_NAME = 48
"""How many columns of a terminal a name takes at most; the rest is cut."""

Colours = Literal["standard", "256", "truecolor", "windows"]


@dataclass(frozen=True)
class Screen:
    """What a text is drawn for; by default a file or a pipe.

    Attributes:
        width: the columns that a line may take.
        encoding: the encoding of the letters; a text has none that it lacks.
        colours: the colours that the terminal knows, by rich's name; None for plain text.
        cuts_names: whether names are cut to `LONGEST_NAME` columns, as on a terminal.
    """

    width: int = PIPED
    encoding: str = "utf-8"
    colours: Colours | None = None
    cuts_names: bool = False

    @property
    def columns(self) -> int:
        """The columns that a text is drawn for, `NARROWEST` at least."""
        return max(self.width, NARROWEST)

    def text(self, text: str, style: str = "") -> Text:
        """Returns a text of one line, in which every character is seen and nothing is markup."""
        return Text(printable(text, self.encoding), style)

    def name(self, name: str) -> str:
        """Returns a name as it is shown, such as that of a slice: printable, and cut if need be."""
        # Marks on a letter take no column of their own, but nobody reads more than a few of them.
        most = 4 * LONGEST_NAME if self.cuts_names else len(name)
        shown = printable(name[:most], self.encoding)
        if not self.cuts_names or (cell_len(shown) <= LONGEST_NAME and len(name) <= most):
            return shown
        return set_cell_size(shown, min(LONGEST_NAME - 3, cell_len(shown))) + "..."

    def draw(self, parts: Iterable[RenderableType]) -> str:
        """Returns parts as lines, none of which is wider than the screen."""
        stream = io.StringIO()
        console = Console(
            file=stream,
            width=self.columns,
            color_system=self.colours,
            force_terminal=self.colours is not None,
            force_jupyter=False,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            # The screen says all: nothing depends on the variables of a shell.
            _environ={},
        )
        for part in parts:
            console.print(part)
        lines = [line.rstrip(" ") for line in stream.getvalue().split("\n")]
        return "\n".join(lines).lstrip("\n")


def screen_of(stream: Any, encoding: str) -> Screen:
    """Returns the screen that a stream leads to, as rich finds it.

    A terminal has its width, and its colours unless `NO_COLOR` is set or it knows none. Anything
    else gets plain text of the same width always, which tools can compare.

    Args:
        stream: the stream, such as stdout.
        encoding: its encoding.
    """
    if not stream.isatty():
        return Screen(encoding=encoding)
    console = Console(file=stream)
    colours = None if console.no_color else console.color_system
    return Screen(console.width, encoding, colours, cuts_names=True)  # type: ignore[arg-type]


def indented(part: RenderableType, columns: int = 2) -> Padding:
    """Returns a part that stands some columns to the right."""
    return Padding(part, (0, 0, 0, columns))


def section(parts: Iterable[RenderableType]) -> list[RenderableType]:
    """Returns parts below an empty line; nothing if there are none."""
    found = list(parts)
    return [Text(), *found] if found else []


def labelled(label: Text, text: Text) -> Table:
    """Returns a text behind a label, under which its further lines do not go."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=cell_len(label.plain))
    grid.add_column(overflow="fold")
    grid.add_row(label, text)
    return grid
