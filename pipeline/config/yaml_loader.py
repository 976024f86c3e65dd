"""Read one YAML document strictly: plain values of YAML 1.2, and nothing that surprises or grows.

PyYAML reads YAML 1.1, where `no` is false, `1e-3` a text, `1:30` ninety and `012` ten, where the
last of two equal keys wins silently, and where a few hundred bytes of aliases stand for gigabytes.
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

# PyYAML's words for the usual slips are its parser's, not a reader's.
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
    """One YAML document as plain data, with the place of every value and what is wrong with it.

    `data` holds dicts with text keys, lists, and str, int, float, bool and None. Of a refused
    value only the problem counts, not what `data` holds in its place.
    """

    source: str
    data: Any
    problems: tuple[Problem, ...]
    places: Mapping[Path, tuple[int, int]]

    def problem(self, path: Path, message: str) -> Problem:
        """Return a problem at `path`, or at its nearest parent that the document has."""
        while path not in self.places:
            path = path[:-1]
        return Problem(self.source, path, message, *self.places[path])


def read_document(content: bytes, source: str) -> Document:
    r"""Read one YAML document of at most 1 MiB UTF-8 and 32 levels of lists and mappings.

    Plain values follow YAML 1.2's core schema: `true` and `false` alone are booleans (also `True`
    and `TRUE`), `1e-3` is a number, `012` is twelve, dates and `1:30` are text. Aliases, anchors,
    tags, directives, equal keys and keys that are not text are refused.

    Raises `ConfigError` where reading cannot go on. All else that is refused is in `problems` of
    the document, so that it can be told together with what is wrong with the values.

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
    """Compose nodes by YAML 1.2's core schema, noting what is refused about each."""

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


# Without a table of its own, the class would share the resolvers of YAML 1.1.
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
    """Turn nodes into plain data, keeping places and problems by path."""

    def __init__(self, source: str, refusals: list[tuple[Node | None, str]]) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.places: dict[Path, tuple[int, int]] = {}
        self.refused: dict[int, list[str]] = {}
        for node, message in refusals:
            self.refused.setdefault(id(node), []).append(message)

    def build(self, node: Node, path: Path, place: Node) -> Any:
        """Return the data of `node`; a value of a mapping is found at its key, the `place`."""
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
        first: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.refuse(path, "a key must be text, not a list or mapping", key)
                continue
            name = self.usable(key.value, path, key)
            if name in first:
                message = (
                    f"key {quote(name)} is given twice (first on line {first[name]}); keep one"
                )
                self.refuse((*path, name), message, key)
                continue
            first[name] = key.start_mark.line + 1
            for message in self.refused.get(id(key), ()):
                self.refuse((*path, name), message, key)
            if key.tag != _STR and id(key) not in self.refused:
                self.refuse((*path, name), f"a key must be text; write '{name}' in quotes", key)
            yield name, self.build(value, (*path, name), key)

    def scalar(self, node: Node, path: Path) -> str | int | float | bool | None:
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
        """Return a text that UTF-8 can hold, refusing what it cannot."""
        if found := _UNUSABLE.search(text):
            message = f"the character U+{ord(found[0]):04X} cannot be used in a configuration"
            self.refuse(path, message, node)
        return _UNUSABLE.sub("\ufffd", text)

    def refuse(self, path: Path, message: str, node: Node) -> None:
        mark = node.start_mark
        self.problems.append(Problem(self.source, path, message, mark.line + 1, mark.column + 1))


def _unreadable(
    source: str, message: str, line: int | None = None, column: int | None = None
) -> ConfigError:
    return ConfigError([Problem(source, (), message, line, column)])


def _end(text: str) -> tuple[int, int]:
    """Return line and column of the character after `text`."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _syntax(error: yaml.MarkedYAMLError) -> tuple[str, int | None, int | None]:
    """Say a syntax error of PyYAML in plain words, where its cause is."""
    said = f"{error.context}: {error.problem}"
    mark = error.problem_mark
    message = next((plain for words, plain in _SLIPS if words in said), error.problem)
    if message == _OPEN_QUOTE:  # found at the end of the file, but to be mended where it begins
        mark = error.context_mark
    return message or "not valid YAML", *(
        (mark.line + 1, mark.column + 1) if mark else (None, None)
    )
