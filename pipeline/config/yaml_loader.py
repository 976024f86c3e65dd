"""Reads one YAML document strictly: with the plain values of YAML 1.2, and without aliases.

PyYAML reads YAML 1.1. There, `no` is false, `1e-3` is a text, `1:30` is ninety and `012` is ten;
the last of two equal keys wins silently; and a few hundred bytes of aliases may mean gigabytes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.errors.problems import ConfigError, Path, Problem, quote

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _STR = (_TAG + kind for kind in ("null", "bool", "int", "float", "str"))
_UNUSABLE = re.compile("[\0\ud800-\udfff]")  # no file name, column or UTF-8 output can hold them
_LONGEST_INT = 32
_OPEN_QUOTE = "the quotes opened here are never closed"
_NO_TAG = "tags (!name) are not allowed; remove it, or quote a text that begins with '!'"
_NO_ALIAS = (
    "aliases (*name) are not allowed; write the value out, or quote a text that begins with '*'"
)

# PyYAML describes usual mistakes in terms of its parser; these are part of its message, and ours.
_SLIPS = (
    ("undefined tag", _NO_TAG),
    ("scanning an alias", "a text that begins with '*' needs quotes"),
    ("scanning an anchor", "a text that begins with '&' needs quotes"),
    ("unexpected end of stream", _OPEN_QUOTE),
    ("unknown escape", "in double quotes '\\' starts an escape; use single quotes"),
    (r"character '\t' that cannot start", "a tab cannot indent; use spaces"),
    ("that cannot start any token", "a text that begins with this character needs quotes"),
    ("mapping values", "':' is not allowed here; check the indentation or quote the text"),
    ("could not find expected ':'", "a key without ':', or a text that needs quotes"),
    ("<block end>", "the indentation does not fit the lines above"),
    ("expected ',' or", "expected ',' or the closing bracket"),
    ("expected the node content", "a value is missing here"),
    ("another document", "a second document starts here; a configuration is one"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document as plain data, with the place of every value and with its problems.

    Attributes:
        source: the name of the document in error messages.
        data: dicts with text keys, lists, and str, int, float, bool and None. What stands in the
            place of a refused value has no meaning.
        problems: a problem for everything that was refused.
        places: the line and column of every value by its path; `()` is the whole document.
    """

    source: str
    data: Any
    problems: tuple[Problem, ...]
    places: Mapping[Path, tuple[int, int]]

    def problem(self, path: Path, message: str) -> Problem:
        """Returns a problem at `path`, or at its nearest parent if the document lacks the path."""
        while path not in self.places:
            path = path[:-1]
        return Problem(self.source, path, message, *self.places[path])


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
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        message = f"the character U+{error.character:04X} is not allowed in YAML"
        raise _unreadable(source, message, *_end(text[: error.position])) from None
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _unreadable(source, *_syntax(error)) from None
    except (ValueError, OverflowError):  # PyYAML lets chr() of "\UFFFFFFFF" fail
        mark = loader.get_mark()
        message = "an escaped character that Unicode does not have"
        raise _unreadable(source, message, mark.line + 1, mark.column + 1) from None
    builder = _Builder(source, loader.refusals)
    data = None if root is None else builder.build(root, (), root)
    return Document(source, data, tuple(builder.problems), {(): (1, 1)} | builder.places)


class _Loader(yaml.SafeLoader):
    """A loader that composes nodes by the core schema of YAML 1.2, and collects refusals.

    Args:
        text: the text of the document.

    Attributes:
        depth: the number of lists and mappings around the node that is being composed.
        refusals: the refused nodes, each with a message.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.refusals: list[tuple[Node | None, str]] = []
        self._peek: Callable[[], Any] = self.peek_event
        self._next: Callable[[], Any] = self.get_event

    def compose_document(self) -> Node | None:
        start = self._peek()
        if start.version or start.tags:
            message = "directives (%YAML, %TAG) are not allowed; remove the line"
            raise ComposerError(problem=message, problem_mark=start.start_mark)
        return super().compose_document()

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self._peek()
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            alias = ScalarNode(_STR, f"*{event.anchor}", mark, mark)
            self.refusals.append((alias, _NO_ALIAS))
            self._next()
            return alias
        refused = []
        if event.anchor is not None:
            refused.append("anchors (&name) are not allowed; remove it")
            event.anchor = None
        if event.tag is not None:
            refused.append(_NO_TAG)
            event.tag = None
        nested = isinstance(event, yaml.CollectionStartEvent)
        self.depth += nested
        if self.depth > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels of lists and mappings"
            raise ComposerError(problem=message, problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= nested
        self.refusals.extend((node, message) for message in refused)
        return node


# Without this table, the class would share the resolvers of its base class, for YAML 1.1.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    (_NULL, r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    (_BOOL, r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    (_INT, r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z", list("-+0123456789")),
    (
        _FLOAT,
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


class _Builder:
    """A builder, which converts nodes to plain data, and collects places and problems.

    Args:
        source: the name of the document in error messages.
        refusals: the refused nodes, each with a message.

    Attributes:
        problems: the problems so far.
        places: the line and column of every value so far, by its path.
        refused: the messages of refused nodes by the `id` of the node.
    """

    def __init__(self, source: str, refusals: list[tuple[Node | None, str]]) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.places: dict[Path, tuple[int, int]] = {}
        self.refused: dict[int, list[str]] = {}
        for node, message in refusals:
            self.refused.setdefault(id(node), []).append(message)

    def build(self, node: Node, path: Path, place: Node) -> Any:
        """Returns the data of a node.

        Args:
            node: the node.
            path: the path of the node.
            place: the node whose line and column are shown for the path; for a value of a mapping
                it is the key.
        """
        self.places[path] = (place.start_mark.line + 1, place.start_mark.column + 1)
        for message in self.refused.get(id(node), ()):
            self.refuse(path, message, node)
        match node:
            case MappingNode():
                return dict(self.entries(node, path))
            case SequenceNode():
                return [self.build(item, (*path, i), item) for i, item in enumerate(node.value)]
        return self.scalar(node, path)

    def entries(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        """Yields the keys and values of a mapping, without the entries that are refused."""
        first_line: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.refuse(path, "a key must be text, not a list or mapping", key)
                continue
            name = self.usable(key.value, path, key)
            if name in first_line:
                message = (
                    f"key {quote(name)} is given twice (first on line {first_line[name]}); keep one"
                )
                self.refuse((*path, name), message, key)
                continue
            first_line[name] = key.start_mark.line + 1
            for message in self.refused.get(id(key), ()):
                self.refuse((*path, name), message, key)
            if key.tag != _STR and id(key) not in self.refused:
                self.refuse((*path, name), f"a key must be text; write '{name}' in quotes", key)
            yield name, self.build(value, (*path, name), key)

    def scalar(self, node: Node, path: Path) -> str | int | float | bool | None:
        """Returns the value of a scalar node."""
        text: str = node.value
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text.lower() == "true"
        if node.tag == _INT:
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            number = int(text, base) if len(text) <= _LONGEST_INT else 1 << 64
            if not -(1 << 63) <= number < 1 << 64:
                self.refuse(
                    path, "no 64-bit column holds this whole number; quote it if it is text", node
                )
            return number
        if node.tag == _FLOAT:
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return self.usable(text, path, node)

    def usable(self, text: str, path: Path, node: Node) -> str:
        """Returns the text; characters that UTF-8 or file names cannot hold are refused."""
        if match := _UNUSABLE.search(text):
            message = f"the character U+{ord(match[0]):04X} cannot be used in a configuration"
            self.refuse(path, message, node)
        return _UNUSABLE.sub("\ufffd", text)

    def refuse(self, path: Path, message: str, node: Node) -> None:
        """Adds a problem at a path, with the line and column of a node."""
        mark = node.start_mark
        self.problems.append(Problem(self.source, path, message, mark.line + 1, mark.column + 1))


def _unreadable(
    source: str, message: str, line: int | None = None, column: int | None = None
) -> ConfigError:
    """Returns the error of a document that cannot be read."""
    return ConfigError([Problem(source, (), message, line, column)])


def _end(text: str) -> tuple[int, int]:
    """Returns the line and the column of the character after `text`."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _syntax(error: yaml.MarkedYAMLError) -> tuple[str, int | None, int | None]:
    """Returns a message in plain words for a syntax error of PyYAML, and its line and column."""
    description = f"{error.context}: {error.problem}"
    mark = error.problem_mark
    message = next((plain for words, plain in _SLIPS if words in description), error.problem)
    if message == _OPEN_QUOTE:
        # PyYAML finds it at the end of the file, but its cause is the opening quote.
        mark = error.context_mark
    return message or "not valid YAML", *(
        (mark.line + 1, mark.column + 1) if mark else (None, None)
    )
