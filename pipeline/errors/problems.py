"""Problems of a configuration, and the exception that carries them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.errors.printable import printable
from pipeline.errors.wording import MOST, first_lines, first_names

Path = tuple[str | int, ...]
"""The keys and list positions that lead from the root of a document to a value."""

_MAX_LENGTH = 60

MOST_KEPT = 1000
"""The largest number of problems of a document that are kept; others are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A single problem and its place; `str()` is always one line.

    Attributes:
        source: the name of the document, usually a path.
        path: the keys and list positions that lead to the value.
        message: a text that says what is wrong.
        line: the line, from 1; None if it is not known.
        column: the column, from 1; None if it is not known.

    >>> print(Problem("c.yaml", ("heads", "cancer", "thresholds", 2), "must be below 1", 7, 29))
    c.yaml:7:29: heads.cancer.thresholds[2]: must be below 1
    """

    source: str
    path: Path
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = [str(part) for part in (self.source, self.line, self.column) if part is not None]
        parts = (":".join(place), show_path(self.path), self.message)
        return printable(": ".join(part for part in parts if part))


class ConfigError(Exception):
    """An exception for a configuration that cannot be used.

    `str()` has a line for each of the first problems, and one that counts the others. The command
    line prints it and exits with code 2.

    Attributes:
        problems: all problems, or the first of them if there are very many, sorted by line.
        more: the number of problems that are not among them.
    """

    def __init__(self, problems: Iterable[Problem], more: int = 0) -> None:
        self.problems = tuple(sorted(problems, key=_position))
        self.more = more
        super().__init__(self.problems, more)

    def __str__(self) -> str:
        return "\n".join(first_lines(self.problems, self.more))


def show_path(path: Path) -> str:
    """Returns a path as text, `heads.cancer.thresholds[2]`; a key that is not a word is quoted.

    >>> show_path(("heads", "my head", "type"))
    "heads.'my head'.type"
    """
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            plain = step.replace("_", "a").replace("-", "a").isalnum()
            shown += ("." if shown else "") + (
                step if plain and len(step) <= _MAX_LENGTH else quote(step)
            )
    return shown


def quote(text: str) -> str:
    """Returns a text in quotes for an error: one line, printable, and cut if it is long."""
    return repr(text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}...")


def first_values(values: Sequence[str | int | float | bool | None]) -> str:
    """Returns the first of listed values, in words, and the number of the others."""
    shown = [quote(v) if isinstance(v, str) else repr(v) for v in values[:MOST]]
    return first_names(shown, total=len(values))


def describe(value: object) -> str:
    """Returns what a YAML value is, in words, for "expected ..., not ...".

    >>> describe("1e-3x"), describe(True), describe(None), describe([1])
    ("the text '1e-3x'", 'true', 'null', 'a list')
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {quote(value)}"
        case int() | float():
            return f"the number {value}"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


def _position(problem: Problem) -> tuple[int, int, tuple[str, ...]]:
    # Positions in lists are sorted as numbers.
    path = (f"{step:09}" if isinstance(step, int) else step for step in problem.path)
    return problem.line or 0, problem.column or 0, tuple(path)
