"""Reads one YAML document strictly: with the plain values of YAML 1.2, and without aliases.

PyYAML reads YAML 1.1. There, `no` is false, `1e-3` is a text, `1:30` is ninety and `012` is ten;
the last of two equal keys wins silently; and a few hundred bytes of aliases may mean gigabytes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from pipeline.errors.problems import MOST_KEPT, ConfigError, Path, Problem, quote

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 250_000
"""The largest number of keys and values that a document may have."""

_UNUSABLE = re.compile("[\0\ud800-\udfff]")  # no file name, column or UTF-8 output can hold them
_LONGEST_INT = 32
_OPEN_QUOTE = "the quotes opened here are never closed"
_TAB = "a tab cannot indent; use spaces"
_NO_START = "a text that begins with this character needs quotes"
_INDENTATION = "the indentation does not fit the lines above"
_NO_SUCH = "an escaped character that Unicode does not have"
_NO_ANCHOR = "anchors (&name) are not allowed; remove it"
_NO_TAG = "tags (!name) are not allowed; remove it, or quote a text that begins with '!'"
_NO_ALIAS = (
    "aliases (*name) are not allowed; write the value out, or quote a text that begins with '*'"
)

# What a plain scalar is by the core schema of YAML 1.2; all else is text.
_NOT_TEXT = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)

# The parser of libyaml, if PyYAML has it, is many times as fast as that of Python, which explains
# mistakes better, and takes half a second for so many characters.
_SLOW: Any = yaml.SafeLoader
_FAST: Any = getattr(yaml, "CSafeLoader", _SLOW)
_LARGE = 1 << 16

# The parsers describe usual mistakes in terms of their own; these are part of it, and our message.
_SLIPS = (
    ("undefined tag", _NO_TAG),
    ("scanning an alias", "a text that begins with '*' needs quotes"),
    ("scanning an anchor", "a text that begins with '&' needs quotes"),
    ("unexpected end of stream", _OPEN_QUOTE),
    ("unknown escape", "in double quotes '\\' starts an escape; use single quotes"),
    ("found a tab character", _TAB),
    ("that cannot start any token", _NO_START),
    ("mapping values", "':' is not allowed here; check the indentation or quote the text"),
    ("could not find expected ':'", "a key without ':', or a text that needs quotes"),
    ("<block end>", _INDENTATION),
    ("did not find expected key", _INDENTATION),
    ("did not find expected '-'", _INDENTATION),
    ("expected ',' or", "expected ',' or the closing bracket"),
    ("node content", "a value is missing here"),
    ("invalid Unicode character escape", _NO_SUCH),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document as plain data, with the place of every value and with its problems.

    Attributes:
        source: the name of the document in error messages.
        data: dicts with text keys, lists, and str, int, float, bool and None. What stands in the
            place of a refused value has no meaning.
        problems: a problem for everything that was refused, or for the first of very many.
        more: the number of other problems.
        places: the line and column of every value by its path, if they are known; `()` is the
            whole document.
    """

    source: str
    data: Any
    problems: tuple[Problem, ...]
    more: int
    places: Mapping[Path, tuple[int | None, int | None]]

    def problem(self, path: Path, message: str) -> Problem:
        """Returns a problem at `path`, or at its nearest parent if the document lacks the path."""
        path = self._known(path)
        return Problem(self.source, path, message, *self.places[path])

    def place(self, path: Path) -> tuple[int | None, int | None]:
        """Returns the line and column of `path`, or of its nearest parent."""
        return self.places[self._known(path)]

    def below(self, key: str) -> "Document":
        """Returns the document that has this one as the value of its only key."""
        problems = tuple(replace(problem, path=(key, *problem.path)) for problem in self.problems)
        places = {(key, *path): place for path, place in self.places.items()}
        return replace(
            self, data={key: self.data}, problems=problems, places={(): self.places[()], **places}
        )

    def _known(self, path: Path) -> Path:
        while path not in self.places:
            path = path[:-1]
        return path


def read_document(content: bytes, source: str) -> Document:
    r"""Reads one YAML document of at most 1 MiB UTF-8 and 32 levels of lists and mappings.

    Plain values follow the core schema of YAML 1.2: only `true` and `false` are booleans (also
    `True` and `TRUE`), `1e-3` is a number, `012` is twelve, and dates and `1:30` are text. Aliases,
    anchors, tags, directives, equal keys and keys that are not text are refused.

    Args:
        content: the bytes of the document.
        source: the name of the document in error messages.

    Returns:
        The document. Its `problems` say what was refused, so that they can be reported together
        with the problems of its values.

    Raises:
        ConfigError: if the document cannot be read to its end.

    >>> read_document(b"a: [no, 1e-3, 012, 1:30]", "c.yaml").data
    {'a': ['no', 0.001, 12, '1:30']}
    >>> print(*read_document(b"a: 1\na: 2", "c.yaml").problems)
    c.yaml:2:1: a: key 'a' is given twice (first on line 1); keep one
    """
    if len(content) > MAX_BYTES:
        raise _unreadable(source, f"larger than {MAX_BYTES:,} bytes; is this a configuration?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        raise _unreadable(source, "not UTF-8; save the file as UTF-8", *_end(before)) from None
    if match := yaml.reader.Reader.NON_PRINTABLE.search(text):
        message = f"the character U+{ord(match[0]):04X} is not allowed in YAML"
        raise _unreadable(source, message, *_end(text[: match.start()]))
    parser = (_FAST if len(text) > _LARGE else _SLOW)(text)
    try:
        return _Builder(source, parser).document()
    except yaml.MarkedYAMLError as error:
        raise _unreadable(source, *_syntax(error, text)) from None
    except (ValueError, OverflowError):  # PyYAML lets chr() of "\UFFFFFFFF" fail
        mark = parser.get_mark()
        raise _unreadable(source, _NO_SUCH, mark.line + 1, mark.column + 1) from None


class _Builder:
    """A builder, which turns the events of a parser into a document.

    Args:
        source: the name of the document in error messages.
        parser: a loader of PyYAML.
    """

    def __init__(self, source: str, parser: Any) -> None:
        self._source = source
        self._parser = parser
        self._problems: list[Problem] = []
        self._more = 0
        self._places: dict[Path, tuple[int, int]] = {(): (1, 1)}
        self._depth = 0
        self._values = 0

    def document(self) -> Document:
        """Returns the document.

        Raises:
            ConfigError: if it is not a single document, or too deep or large.
            YAMLError: if it is not YAML.
        """
        self._parser.get_event()
        data = None
        start = self._parser.get_event()
        if not isinstance(start, yaml.StreamEndEvent):
            if start.version or start.tags:
                raise self._wrong(
                    start, "directives (%YAML, %TAG) are not allowed; remove the line"
                )
            root = self._parser.get_event()
            data = self._build(root, (), root)
            self._parser.get_event()
            end = self._parser.get_event()
            if not isinstance(end, yaml.StreamEndEvent):
                raise self._wrong(end, "a second document starts here; a configuration is one")
        return Document(self._source, data, tuple(self._problems), self._more, self._places)

    def _build(self, event: Any, path: Path, place: Any) -> Any:
        """Returns the data of a node.

        Args:
            event: the first event of the node.
            path: the path of the node.
            place: the event whose line and column are shown for the path; for a value of a mapping
                it is that of the key.
        """
        mark = place.start_mark
        self._places[path] = mark.line + 1, mark.column + 1
        self._count(event)
        for message in _refused(event):
            self._refuse(path, message, event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.AliasEvent):
            return f"*{event.anchor}"
        if isinstance(event, yaml.MappingStartEvent):
            data: Any = dict(self._entries(path))
        else:
            data = [self._build(item, (*path, i), item) for i, item in enumerate(self._items())]
        self._depth -= 1
        return data

    def _items(self) -> Iterator[Any]:
        """Yields the first event of each node of a list or mapping; the taker takes the others."""
        while not isinstance(event := self._parser.get_event(), yaml.CollectionEndEvent):
            yield event

    def _entries(self, path: Path) -> Iterator[tuple[str, Any]]:
        """Yields the keys and values of a mapping, without the entries that are refused."""
        first_line: dict[str, int] = {}
        for key in self._items():
            if isinstance(key, yaml.CollectionStartEvent):
                self._refuse(path, "a key must be text, not a list or mapping", key)
                self._skip(key)
                self._skip(self._parser.get_event())
                continue
            self._count(key)
            alias = isinstance(key, yaml.AliasEvent)
            name = self._usable(f"*{key.anchor}" if alias else key.value, path, key)
            value = self._parser.get_event()
            if name in first_line:
                message = (
                    f"key {quote(name)} is given twice (first on line {first_line[name]}); keep one"
                )
                self._refuse((*path, name), message, key)
                self._skip(value)
                continue
            first_line[name] = key.start_mark.line + 1
            refused = _refused(key)
            for message in refused:
                self._refuse((*path, name), message, key)
            if not refused and key.implicit[0] and _NOT_TEXT.fullmatch(name):
                self._refuse((*path, name), f"a key must be text; write '{name}' in quotes", key)
            yield name, self._build(value, (*path, name), key)

    def _skip(self, event: Any) -> None:
        """Passes over a node that begins with an event."""
        self._count(event)
        if isinstance(event, yaml.CollectionStartEvent):
            for item in self._items():
                self._skip(item)
            self._depth -= 1

    def _count(self, event: Any) -> None:
        """Counts a node, and one level more if it is a list or mapping.

        Raises:
            ConfigError: if there are too many.
        """
        self._values += 1
        if self._values > MAX_VALUES:
            message = f"more than {MAX_VALUES:,} keys and values; is this a configuration?"
            raise self._wrong(event, message)
        if isinstance(event, yaml.CollectionStartEvent):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise self._wrong(event, f"more than {MAX_DEPTH} levels of lists and mappings")

    def _scalar(self, event: Any, path: Path) -> str | int | float | bool | None:
        """Returns the value of a scalar."""
        text: str = event.value
        match = _NOT_TEXT.fullmatch(text) if event.implicit[0] else None
        if match is None:
            return self._usable(text, path, event)
        if match.lastgroup == "null":
            return None
        if match.lastgroup == "bool":
            return text.lower() == "true"
        if match.lastgroup == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        number = int(text, base) if len(text) <= _LONGEST_INT else 1 << 64
        if not -(1 << 63) <= number < 1 << 64:
            message = "no 64-bit column holds this whole number; quote it if it is text"
            self._refuse(path, message, event)
        return number

    def _usable(self, text: str, path: Path, event: Any) -> str:
        """Returns the text; characters that UTF-8 or file names cannot hold are refused."""
        message = unusable(text)
        if message is None:
            return text
        self._refuse(path, message, event)
        return _UNUSABLE.sub("\ufffd", text)

    def _refuse(self, path: Path, message: str, event: Any) -> None:
        """Adds a problem at a path, with the line and column of an event."""
        if len(self._problems) == MOST_KEPT:
            self._more += 1
            return
        mark = event.start_mark
        self._problems.append(Problem(self._source, path, message, mark.line + 1, mark.column + 1))

    def _wrong(self, event: Any, message: str) -> ConfigError:
        """Returns the error of a document that must not be read further than an event."""
        mark = event.start_mark
        return _unreadable(self._source, message, mark.line + 1, mark.column + 1)


def unusable(text: str) -> str | None:
    """Returns why a text cannot be used: UTF-8 or file names cannot hold a character; or None."""
    match = _UNUSABLE.search(text)
    if match is None:
        return None
    return f"the character U+{ord(match[0]):04X} cannot be used in a configuration"


def _refused(event: Any) -> list[str]:
    """Returns why a node must not be there."""
    if isinstance(event, yaml.AliasEvent):
        return [_NO_ALIAS]
    refused = [] if event.anchor is None else [_NO_ANCHOR]
    return refused if event.tag is None else [*refused, _NO_TAG]


def _unreadable(
    source: str, message: str, line: int | None = None, column: int | None = None
) -> ConfigError:
    """Returns the error of a document that cannot be read."""
    return ConfigError([Problem(source, (), message, line, column)])


def _end(text: str) -> tuple[int, int]:
    """Returns the line and the column of the character after `text`."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[str, int | None, int | None]:
    """Returns a message in plain words for a syntax error of PyYAML, and its line and column."""
    description = f"{error.context}: {error.problem}"
    mark = error.problem_mark
    message = next((plain for words, plain in _SLIPS if words in description), error.problem)
    if message == _OPEN_QUOTE:
        # PyYAML finds it at the end of the file, but its cause is the opening quote.
        mark = error.context_mark
    if message == _NO_START and mark and text[mark.index : mark.index + 1] == "\t":
        message = _TAB
    return message or "not valid YAML", *(
        (mark.line + 1, mark.column + 1) if mark else (None, None)
    )
