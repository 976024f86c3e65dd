"""What is wrong with a configuration, and the error that carries it."""

from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and list positions that lead from the root of a document to a value."""

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where; `str()` is one line, however odd the value.

    Lines and columns count from 1; `None` where the place is not known.

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
        return ": ".join(
            part for part in (":".join(place), show_path(self.path), self.message) if part
        )


class ConfigError(Exception):
    """A configuration that cannot be used; `problems` lists all that is wrong, by line.

    `str()` is one line a problem. The command line prints it and exits with code 2.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_place))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def show_path(path: Path) -> str:
    """Write a path as `heads.cancer.thresholds[2]`; a key that is no plain word is quoted.

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
                step if plain and len(step) <= _LONGEST else quote(step)
            )
    return shown


def quote(text: str) -> str:
    """Quote a text for an error: one line, nothing unprintable, cut when it is long."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def describe(value: object) -> str:
    """Say what a YAML value is, for "expected ..., not ...".

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


def _place(problem: Problem) -> tuple[int, int, str]:
    return (problem.line or 0, problem.column or 0, show_path(problem.path))
