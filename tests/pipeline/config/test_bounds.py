"""Whatever a configuration holds, it is read or refused: in a short time and in few words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import explain, heads, yaml_loader
from pipeline.config.load import parse_config
from pipeline.config.model import Config
from pipeline.config.pbtxt import MAX_BYTES
from pipeline.config.slices import MAX_ENTRIES
from pipeline.errors.problems import MOST_KEPT, ConfigError
from pipeline.errors.suggest import nearest
from pipeline.errors.wording import MOST
from tests.pipeline.config.configurations import BINARY, binary, configs, multi_class
from tests.pipeline.tables import law

ROOT = Path(__file__).parents[3]
SHIPPED = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "configs").glob("*.yaml"))]
PADDING = "# " + "x" * yaml_loader._LARGE + "\n"
"""A comment that makes a document a large one."""


def error_of(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yaml")
    return caught.value


def names(prefix: str, count: int) -> str:
    return ", ".join(f"{prefix}{i}" for i in range(count))


@pytest.mark.parametrize("key", ["allow_missing_shards", "allow_empty_shards"])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("yes", "the text 'yes'; write true"),
        ("On", "the text 'On'; write true"),
        ("y", "the text 'y'; write true"),
        ("NO", "the text 'NO'; write false"),
        ("off", "the text 'off'; write false"),
        ("n", "the text 'n'; write false"),
        ("'true'", "the text 'true'"),
        ("maybe", "the text 'maybe'"),
        ("1", "the number 1"),
        ("", "null"),
        ("[]", "a list"),
        ("{}", "a mapping"),
    ],
)
def test_what_is_no_boolean_is_told(key: str, given: str, told: str) -> None:
    (problem,) = error_of(f"{BINARY}{key}: {given}\n").problems
    assert problem.message == f"expected true or false, not {told}"


@pytest.fixture
def looked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that near names are looked for."""
    searched: list[str] = []

    def counting(name: str, valid: Any) -> str | None:
        searched.append(name)
        return nearest(name, valid)

    def hint(name: str, valid: Any) -> str:
        near = counting(name, valid)
        return "" if near is None else f"; did you mean {near!r}?"

    monkeypatch.setattr(explain, "nearest", counting)
    monkeypatch.setattr(explain, "did_you_mean", hint)
    monkeypatch.setattr(heads, "did_you_mean", hint)
    return searched


MANY = 3 * MOST_KEPT


@pytest.mark.parametrize(
    "text",
    [
        BINARY + "".join(f"inputt{i}: 1\n" for i in range(MANY)),
        binary("logits: s, label: y, " + ", ".join(f"thresholdss{i}: 1" for i in range(MANY))),
        "heads:\n" + "".join(f"  h{i}: {{type: binry}}\n" for i in range(MANY)),
        "heads:\n" + "".join(f"  h{i}: {{typ: binary}}\n" for i in range(MANY)),
        multi_class(
            f"n_classes: {MANY}, label: y, class_names: [{names('a', MANY)}],"
            f" class_metrics: [{names('b', MANY)}]"
        ),
    ],
    ids=["keys", "keys of a head", "types", "keys of heads", "classes"],
)
def test_near_names_are_looked_for_in_the_first_problems(text: str, looked_for: list[str]) -> None:
    error = error_of(text)
    assert len(error.problems) + error.more == MANY
    assert len(looked_for) <= MOST
    lines = str(error).split("\n")
    assert len(lines) == MOST + 1
    assert lines[-1] == f"... and {MANY - MOST:,} more"


DESCENDING = ", ".join(map(str, range(MANY, 0, -1)))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (BINARY + f"input: [{'1, ' * MANY}]", MANY),
        (BINARY + f"input: [{'a, ' * MANY}]", MANY - 1),
        (BINARY + f"slices: [{{column: a, edges: [{DESCENDING}]}}]", MANY - 1),
        (BINARY + f"slices: [{{column: a, edges: [{'x, ' * MANY}]}}]", MANY),
        (BINARY + f"where: [{{column: a, values: [{'[], ' * MANY}]}}]", MANY),
        (BINARY + f"x: [{'&a b, ' * MANY}]", MANY + 1),
        (BINARY + "output: a\n" * (MANY + 1), MANY),
        (binary(f"logits: s, label: y, thresholds: [{'2, ' * MANY}]"), 2 * MANY - 1),
    ],
    ids=["numbers", "repeated", "descending", "words", "lists", "anchors", "keys", "twice"],
)
def test_problems_are_counted_and_the_first_are_kept(text: str, count: int) -> None:
    error = error_of(text)
    assert len(error.problems) + error.more == count
    assert len(error.problems) <= 2 * MOST_KEPT
    lines = [problem.line or 0 for problem in error.problems]
    assert lines == sorted(lines)
    assert str(error).split("\n")[-1] == f"... and {count - MOST:,} more"


def test_the_number_of_keys_and_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_loader, "MAX_VALUES", 10)
    assert yaml_loader.read_document(b"[1, 2, 3, {a: 4}, [5], 6]", "c.yaml").data
    # What is refused, and so is not read, counts too.
    repeated, no_key = "{" + "a: 1, " * 6 + "}", "{a: {[1, 2, 3]: {b: [4, 5]}}}"
    for text in ("[1, 2, 3, {a: 4}, [5], 6, 7]", no_key, repeated):
        with pytest.raises(ConfigError, match="more than 10 keys and values; is this a"):
            yaml_loader.read_document(text.encode(), "c.yaml")


def test_entries_are_bounded() -> None:
    for key in ("slices", "where"):
        entries = [f"{{column: c{i}, values: [1]}}" for i in range(MAX_ENTRIES + 1)]
        parse_config(f"{BINARY}{key}: [{', '.join(entries[:-1])}]", "c.yaml")
        (problem,) = error_of(f"{BINARY}{key}: [{', '.join(entries)}]").problems
        assert (problem.path, problem.line) == ((key,), 3)
        assert problem.message == "at most 1,000 are allowed, not 1,001"


def test_classes_are_bounded_in_all_heads_together() -> None:
    head = "type: multi_class, logits: s, label: y, n_classes"
    parse_config(f"heads: {{a: {{{head}: 3}}, b: {{{head}: 999997}}}}", "c.yaml")
    # Nothing is made for each class before the number is known to be sound.
    text = ", ".join(f"h{i}: {{{head}: 1000000}}" for i in range(3))
    (problem,) = error_of(f"heads: {{{text}}}").problems
    assert problem.message == "3,000,000 classes in all; at most 1,000,000 can be evaluated"


def test_the_page_names_the_bounds() -> None:
    page = (ROOT / "docs" / "config.md").read_text()
    assert f"{yaml_loader.MAX_VALUES:,} keys and values" in page
    assert f"at most {MAX_ENTRIES:,}. Without it" in page
    assert f"At most {MAX_ENTRIES:,} entries" in page
    assert f"at most {heads.MAX_CLASSES:,} classes" in page


def test_a_problem_statement_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "statement.pbtxt"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    (problem,) = error_of(f"{BINARY}problem_statement: {path}").problems
    assert problem.message.endswith("larger than 16,777,216 bytes")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """YAML, and what was YAML before a few letters were changed."""
    text = json.dumps(draw(configs), indent=draw(st.sampled_from([None, 1])))
    if draw(st.booleans()):
        text = yaml.safe_dump(json.loads(text), allow_unicode=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        inserted = draw(st.sampled_from([*":-[]{},#&*!|>'\"@ \n", "a", "- ", ": ", "é", "---\n"]))
        text = text[:at] + inserted + text[at + draw(st.integers(0, 2)) :]
    return text


def document_of(text: str) -> Any:
    """The data, problems and places of a document; None if it is no YAML."""
    try:
        document = yaml_loader.read_document(text.encode(), "c.yaml")
    except ConfigError:
        return None
    places = {path: place for path, place in document.places.items() if path}
    return document.data, [str(problem) for problem in document.problems], places


@law
@given(texts())
def test_a_large_document_is_what_a_small_one_is(text: str) -> None:
    small, large = document_of("#\n" + text), document_of(PADDING + text)
    # The parsers may disagree on what is YAML; what both read, they read alike.
    assert small is None or large is None or small == large


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 'x\nb: 3", "the quotes opened here are never closed"),
        ("a:\n\tb: 3", "a tab cannot indent; use spaces"),
        ("a: |\n x\n\ty", "a tab cannot indent; use spaces"),
        ("a: b: c", "':' is not allowed here; check the indentation or quote the text"),
        ("a:\n   b: 3\n  c: 4", "the indentation does not fit the lines above"),
        ("- a\nb: c", "the indentation does not fit the lines above"),
        ("x: [1, 2\ny: 3", "expected ',' or the closing bracket"),
        ("a: [1,,2]", "a value is missing here"),
        ("a: *.parquet", "a text that begins with '*' needs quotes"),
        ("a: @x", "a text that begins with this character needs quotes"),
        ('a: "C:\\q"', "in double quotes '\\' starts an escape; use single quotes"),
        ('a: "\\UFFFFFFFF"', "an escaped character that Unicode does not have"),
        ("a: 1\n---\nb: 2", "a second document starts here; a configuration is one"),
        ("a: !b!c x", "tags (!name) are not allowed; remove it, or quote a text that begins w"),
        ("a: \0", "the character U+0000 is not allowed in YAML"),
        ("[" * 40, "more than 32 levels of lists and mappings"),
    ],
)
def test_mistakes_of_a_large_document_are_plain_words_too(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        yaml_loader.read_document((PADDING + text).encode(), "c.yaml")
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.line is not None
    assert 2 <= problem.line <= 5


WORDS = [
    "yes",
    "no",
    "on",
    "binary",
    "multi_class",
    "ids",
    "fail",
    "\u202e",
    "a\nb",
    "",
    "{message}",
]
KEYS = sorted({*Config.model_fields, *heads.MultiLabelHeadConfig.model_fields, "values", "edges"})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**65)
    | st.floats()
    | st.sampled_from([*WORDS, *KEYS])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "column", "columns", *WORDS]), inner, max_size=3)
    ),
    max_leaves=5,
)


def places_in(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all that is in a document."""
    if not isinstance(data, dict | list):
        return
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*path, key)
        yield from places_in(value, (*path, key))


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A configuration that is right but for a few values, keys or items."""
    data = deepcopy(draw(st.sampled_from(SHIPPED) | configs))
    for _ in range(draw(st.integers(1, 3))):
        paths = list(places_in(data))
        *parents, last = draw(st.sampled_from(paths)) if paths else ["heads"]
        target = data
        for step in parents:
            target = target[step]
        if isinstance(target, dict) and draw(st.booleans()):
            last = draw(st.sampled_from([*KEYS, *WORDS]))
        if draw(st.integers(0, 3)):
            target[last] = draw(VALUES)
        elif isinstance(target, list) or last in target:
            del target[last]
    text = json.dumps(data)
    return text.replace("NaN", ".nan").replace("Infinity", ".inf")


@pytest.mark.slow
@settings(law, max_examples=150)
@given(mutants())
def test_any_document_is_a_configuration_or_its_problems(text: str) -> None:
    config, told = None, ""
    try:
        config = parse_config(text, "c.yaml")
    except ConfigError as error:
        told = str(error)
    assert (config is None) == bool(told)
    assert all(line.isprintable() for line in told.split("\n"))
    if config is not None:
        assert parse_config(json.dumps(config.to_dict()), "c.yaml") == config
