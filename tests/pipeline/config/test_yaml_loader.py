"""The YAML loader: YAML 1.2's values, what it refuses and where, and that nothing else escapes."""

import json
import math
import re

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.config.yaml_loader import MAX_BYTES, MAX_DEPTH, Document, read_document
from pipeline.errors.problems import ConfigError, Problem

law = settings(deadline=None)


def read(text: str) -> Document:
    return read_document(text.encode(), "c.yaml")


def problems_of(content: bytes) -> tuple[Problem, ...]:
    """Return all that is wrong with a text, whether it can be read to its end or not."""
    try:
        return read_document(content, "c.yaml").problems
    except ConfigError as error:
        return error.problems


def told(text: str | bytes) -> list[str]:
    """Return all that is wrong with a text, with the name of the file cut off."""
    content = text.encode() if isinstance(text, str) else text
    return [str(problem).removeprefix("c.yaml:").lstrip() for problem in problems_of(content)]


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("+3", 3),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e+2", -150.0),
        ("-.inf", -math.inf),
        ("1.5.2", "1.5.2"),
        ("e3", "e3"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01 10:00:00", "2026-01-01 10:00:00"),
        ("=", "="),
        ("<<", "<<"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("'1e-3'", "1e-3"),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(plain: str, value: object) -> None:
    data = read(f"key: {plain}\n").data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(read(".NaN").data)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: &x 1", ["1:4: a: anchors (&name) are not allowed; remove it"]),
        ("a: !!int '3'", [r"1:4: a: tags \(!name\) are not allowed; .*"]),
        ("a: !!float x", [r"1:4: a: tags \(!name\) are not allowed; .*"]),
        ("a: !foo x", [r"1:4: a: tags \(!name\) are not allowed; .*"]),
        ("a: ! x", [r"1:4: a: tags \(!name\) are not allowed; .*"]),
        ("a: !!python/object/apply:os.getcwd []", [r"1:4: a: tags \(!name\) .*"]),
        ("a: !b!c x", [r"1:4: tags \(!name\) are not allowed; .*"]),
        ("a: 1\nb: *x", [r"2:4: b: aliases \(\*name\) are not allowed; .*"]),
        ("a: 1\nb: 2\na: 3", ["3:1: a: key 'a' is given twice (first on line 1); keep one"]),
        ("x: {b: 1, b: 1}", ["1:11: x.b: key 'b' is given twice (first on line 1); keep one"]),
        ("'a': 1\na: 2", ["2:1: a: key 'a' is given twice (first on line 1); keep one"]),
        ("x:\n  5: 6", ["2:3: x.5: a key must be text; write '5' in quotes"]),
        ("true: 6", ["1:1: true: a key must be text; write 'true' in quotes"]),
        ("[a]: 6", ["1:1: a key must be text, not a list or mapping"]),
        ("? {a: b}\n: 6", ["1:3: a key must be text, not a list or mapping"]),
        ("&x a: 6", ["1:1: a: anchors (&name) are not allowed; remove it"]),
        ('a: "x\\0"', ["1:4: a: the character U+0000 cannot be used in a configuration"]),
        ('a: "\\uD800"', ["1:4: a: the character U+D800 cannot be used in a configuration"]),
        ('"\\uD800": 1', ["1:1: the character U+D800 cannot be used in a configuration"]),
        ("a: 18446744073709551616", [r"1:4: a: no 64-bit column holds this whole number; .*"]),
        ("a: -9223372036854775809", [r"1:4: a: no 64-bit column holds this whole number; .*"]),
        (f"a: {'9' * 5000}", [r"1:4: a: no 64-bit column holds this whole number; .*"]),
        (
            "a: &x [1]\nb: !t 1\na: *x",
            [
                "1:4: a: anchors (&name) are not allowed; remove it",
                r"2:4: b: tags \(!name\) are not allowed; .*",
                "3:1: a: key 'a' is given twice (first on line 1); keep one",
            ],
        ),
    ],
)
def test_what_is_refused_is_told_with_its_place(text: str, problems: list[str]) -> None:
    lines = told(text)
    assert len(lines) == len(problems)
    for line, expected in zip(lines, problems, strict=True):
        assert line == expected or re.fullmatch(expected, line)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 'x\nb: 3", "1:4: the quotes opened here are never closed"),
        ("a:\n\tb: 3", "2:1: a tab cannot indent; use spaces"),
        ("a: b: c", "1:5: ':' is not allowed here; check the indentation or quote the text"),
        ("a:\n   b: 3\n  c: 4", "3:3: the indentation does not fit the lines above"),
        ("x: [1, 2\ny: 3", "2:2: expected ',' or the closing bracket"),
        ("a: [1,,2]", "1:7: a value is missing here"),
        ("a: *.parquet", "1:5: a text that begins with '*' needs quotes"),
        ("a: @x", "1:4: a text that begins with this character needs quotes"),
        ('a: "C:\\q"', "1:8: in double quotes '\\' starts an escape; use single quotes"),
        ('a: "\\UFFFFFFFF"', "1:7: an escaped character that Unicode does not have"),
        ('a: "\\U00110000"', "1:7: an escaped character that Unicode does not have"),
        ("a: 1\n---\nb: 2", "2:1: a second document starts here; a configuration is one"),
        ("%YAML 1.1\n---\na: no", "1:1: directives (%YAML, %TAG) are not allowed; remove the line"),
        ("%TAG ! x:\n---\na: 1", "1:1: directives (%YAML, %TAG) are not allowed; remove the line"),
        ("b: 1\na: \0", "2:4: the character U+0000 is not allowed in YAML"),
    ],
)
def test_syntax_errors_are_plain_words_with_a_place(text: str, problem: str) -> None:
    assert told(text) == [problem]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\nb: caf\xe9", "2:7: not UTF-8; save the file as UTF-8"),
        ("é: é".encode() + b"\xff", "1:5: not UTF-8; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "1:4: not UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "1:1: not UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16-le"), "1:2: the character U+0000 is not allowed in YAML"),
    ],
)
def test_only_utf_8_is_read(content: bytes, problem: str) -> None:
    assert told(content) == [problem]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read("\ufeffa: 1").data == {"a": 1}


def test_an_empty_document_is_null() -> None:
    assert read("").data is None
    assert read("# nothing\n").data is None


def test_size_is_bounded() -> None:
    assert read_document(b"#" * MAX_BYTES, "c.yaml").data is None
    assert told(b"#" * (MAX_BYTES + 1)) == ["larger than 1,048,576 bytes; is this a configuration?"]


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? "])
def test_depth_is_bounded(opening: str) -> None:
    assert told(opening * MAX_DEPTH)[:1] != told(opening * (MAX_DEPTH + 1))[:1]
    place = MAX_DEPTH * len(opening) + 1
    for levels in (MAX_DEPTH + 1, 3000):
        expected = f"1:{place}: more than {MAX_DEPTH} levels of lists and mappings"
        assert told(opening * levels) == [expected]


def test_length_is_no_depth() -> None:
    assert read("- {}\n" * 100).data == [{}] * 100


def test_a_bomb_of_aliases_stays_small() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 30)]
    document = read("\n".join(lines))
    assert document.data["a29"] == ["*a28", "*a28"]
    assert len(document.problems) == 30 + 2 * 29


def test_a_problem_has_the_place_of_its_nearest_parent() -> None:
    document = read("a:\n  - b: 1\n")
    assert str(document.problem(("a", 0, "b"), "odd")) == "c.yaml:2:5: a[0].b: odd"
    assert str(document.problem(("a", 0, "c", "d"), "odd")) == "c.yaml:2:5: a[0]: odd"
    assert str(document.problem(("z",), "odd")) == "c.yaml:1:1: odd"


# Beyond the tests of single cases: laws over generated documents.

printable = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=["Cs", "Cc"],
        exclude_characters="\ufeff\ufffe\uffff\u2028\u2029",
    ),
    max_size=20,
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(printable, inner), max_leaves=20
)


@law
@given(documents, st.sampled_from([None, 2]))
def test_json_is_yaml_and_reads_as_itself(data: object, indent: int | None) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    document = read(text)
    assert document.problems == ()
    assert json.dumps(document.data) == json.dumps(data)  # tells 1 from 1.0 and True


@law
@given(documents)
def test_places_point_at_what_they_name(data: object) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=1)
    lines = text.split("\n")
    document = read(text)
    for path, (line, column) in document.places.items():
        value = document.data
        for step in path:
            value = value[step]
        key = path[-1] if path and isinstance(path[-1], str) else None
        # The place of an entry of a mapping is its key, of an item of a list the item.
        shown = json.dumps(value if key is None else key, ensure_ascii=False, indent=1)
        assert lines[line - 1][column - 1 :].startswith(shown.split("\n")[0].strip(" ")[:1])
        if key is not None:
            assert lines[line - 1][column - 1 :].startswith(shown + ":")


@law
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_that_float(number: float) -> None:
    value = read(repr(number)).data
    assert type(value) is float
    assert repr(value) == repr(number)


@law
@given(st.text("0123456789+-.eExXoO_:abfnity~ ", max_size=8))
def test_a_number_is_one_for_json_too_or_has_a_form_of_its_own(text: str) -> None:
    """Whatever JSON takes for a number is that number; nothing Python refuses is a number."""
    try:
        value = read(text).data
    except ConfigError:
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        plain = text.strip()
        base = {"0o": 8, "0x": 16}.get(plain[:2])
        inf_or_nan = re.fullmatch(r"[-+]?\.(inf|nan)", plain, re.IGNORECASE)
        assert inf_or_nan or value == (int(plain, base) if base else float(plain))
        assert "_" not in plain
    try:
        number = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    except ValueError:
        return
    assert value == number
    assert type(value) is type(number)


pieces = st.one_of(
    st.sampled_from(["a", "0", ".", "é", "~", "1e9", "<<", "@", "`", "%", "#", "\\", "'", '"']),
    st.sampled_from([": ", "- ", "? ", "[", "]", "{", "}", ",", "|\n", ">\n", "---\n", "...\n"]),
    st.sampled_from([" ", "  ", "\n", "\r", "\t", "\0", "\ufeff", "\x85", "\ud800"]),
    st.sampled_from(["&x ", "*x", "!t ", "%YAML 1.2\n", "%TAG ! x\n", "\\U00110000", "\\ud800"]),
)


@law
@given(st.lists(pieces, max_size=30).map("".join) | st.text(max_size=30))
@example("a: !<> x")
def test_any_text_is_a_document_or_has_problems_of_one_line(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    problems = problems_of(content)
    for problem in problems:
        assert len(str(problem).splitlines()) == 1
        assert problem.line is not None
    if not problems:  # then it is data that UTF-8 can hold, and PyYAML takes the text too
        json.dumps(read_document(content, "c.yaml").data, ensure_ascii=False).encode()
        yaml.compose(text.removeprefix("\ufeff"))


@law
@given(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_a_configuration_error(content: bytes) -> None:
    assert all(problem.message for problem in problems_of(content))
