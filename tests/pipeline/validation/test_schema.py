"""A schema against the columns of a file: presence, environments, stages and types."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.validation import row_checks as row_checks_module
from pipeline.validation import schema as schema_module
from pipeline.validation.row_checks import ValuesCheck
from pipeline.validation.schema import parse_schema, schema_problems

TRAINING = """
default_environment: "TRAINING"
default_environment: "SERVING"
feature { name: "age" type: INT presence { min_fraction: 1 } }
feature { name: "label" type: INT presence { min_count: 1 } not_in_environment: "SERVING" }
feature { name: "trace" type: BYTES presence { min_count: 1 } in_environment: "DEBUG"
          not_in_environment: "TRAINING" not_in_environment: "SERVING" }
feature { name: "note" type: BYTES }
"""


def problems_of(text: str, environment: str | None = None, **columns: pa.DataType) -> list[str]:
    return schema_problems(parse_schema(text), environment, columns)


def missing(problems: list[str]) -> list[str]:
    assert all("missing" in problem for problem in problems)
    return [problem.split("'")[1] for problem in problems]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (None, ["age", "label", "trace"]),
        ("TRAINING", ["age", "label"]),
        ("SERVING", ["age"]),
        ("DEBUG", ["trace"]),
    ],
)
def test_a_column_must_be_there_in_its_environments(
    environment: str | None, expected: list[str]
) -> None:
    problems = problems_of(TRAINING, environment, other=pa.int64())
    assert missing(problems) == expected
    if environment:
        assert all(f"'{environment}'" in problem for problem in problems)


def test_an_unknown_environment_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"'SERVIN'; did you mean 'SERVING'.*DEBUG, SERVING"):
        problems_of(TRAINING, "SERVIN")
    with pytest.raises(ValueError, match="its environments are: none"):
        problems_of("feature { name: 'age' }", "SERVING")


def test_a_schema_without_features_is_an_error() -> None:
    for text in ("", "# nothing", "default_environment: 'SERVING'"):
        with pytest.raises(ValueError, match="no features, and would check nothing"):
            parse_schema(text)


def test_domains_are_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [0]
    named = schema_module.named_domains

    def counting(schema: schema_pb2.Schema) -> schema_module.Domains:
        calls[0] += 1
        return named(schema)

    for module in (schema_module, row_checks_module):
        monkeypatch.setattr(module, "named_domains", counting)
    text = "".join(
        f"feature {{ name: 'f{i}' domain: 'd{i}' }} string_domain {{ name: 'd{i}' value: '{i}' }}"
        for i in range(50)
    )
    schema = parse_schema(text)
    names = [f"f{i}" for i in range(50)]
    assert schema_problems(schema, None, dict.fromkeys(names, pa.string())) == []
    checks = row_checks_module.row_checks(schema, None, names)
    assert [check.words for check in checks if isinstance(check, ValuesCheck)] == [
        frozenset([str(i)]) for i in range(50)
    ]
    assert calls == [3]


@pytest.mark.parametrize(
    ("stage", "counts"),
    [
        ("", True),
        ("lifecycle_stage: BETA", True),
        ("lifecycle_stage: PRODUCTION", True),
        ("lifecycle_stage: PRODUCTION deprecated: true", True),
        ("deprecated: true", False),
        ("lifecycle_stage: PLANNED", False),
        ("lifecycle_stage: ALPHA", False),
        ("lifecycle_stage: DEBUG_ONLY", False),
        ("lifecycle_stage: DEPRECATED", False),
        ("lifecycle_stage: DISABLED", False),
    ],
)
def test_features_of_some_stages_are_passed_over(stage: str, counts: bool) -> None:
    text = f"feature {{ name: 'a' type: INT presence {{ min_count: 1 }} {stage} }}"
    assert bool(problems_of(text)) == counts
    assert bool(problems_of(text, a=pa.string())) == counts


@pytest.mark.parametrize("presence", ["", "presence {}", "presence { min_fraction: 0 }"])
def test_a_column_that_need_not_be_there_may_be_missing(presence: str) -> None:
    assert not problems_of(f"feature {{ name: 'a' type: INT {presence} }}")


FIXED = pa.list_(pa.float32(), 3)
CODED = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            "INT",
            [pa.int8(), pa.uint64(), pa.list_(pa.int64())],
            [pa.bool_(), pa.float64(), CODED, FIXED],
        ),
        ("FLOAT", [pa.float16(), pa.float64(), FIXED], [pa.int32(), pa.list_(pa.binary())]),
        ("BYTES", [pa.string(), pa.large_list(pa.binary()), CODED], [pa.int64(), FIXED]),
        ("STRUCT", [pa.struct([("a", pa.int8())])], [pa.int8()]),
        ("INT bool_domain {}", [pa.bool_(), pa.int64(), pa.list_(pa.bool_())], [pa.string()]),
        ("BYTES bool_domain { true_value: 'y' }", [pa.string()], [pa.bool_()]),
        ("TYPE_UNKNOWN", [pa.int8(), pa.string(), pa.date32()], []),
        ("TYPE_UNKNOWN string_domain { value: 'a' }", [pa.string()], [pa.int8()]),
    ],
)
def test_types_are_those_of_values(
    kind: str, good: list[pa.DataType], bad: list[pa.DataType]
) -> None:
    text = f"feature {{ name: 'a' type: {kind} }}"
    for type_ in [*good, pa.null(), pa.list_(pa.null())]:
        assert problems_of(text, a=type_) == [], type_
    for type_ in bad:
        (problem,) = problems_of(text, a=type_)
        said = "BYTES" if "string" in kind else kind.split()[0]
        assert problem == f"column 'a' is {type_}, and the schema says {said}"


def test_all_problems_are_told_at_once_in_the_order_of_the_features() -> None:
    problems = problems_of(TRAINING, "TRAINING", note=pa.int64(), age=pa.float64())
    assert [problem.split("'")[1] for problem in problems] == ["age", "label", "note"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "feature {\n name: 'a'\n typ: INT }",
            "^line 3: not the text of a Schema: .*'typ'|\"typ\"",
        ),
        ("feature { name: 'a'", "^line 1: "),
        ("\x00\x01", "^line 1: "),
        ("feature { type: INT }", "number 1 has no name"),
        ("feature { name: 'a' } feature { name: 'a' }", "'a' is there twice"),
        (
            "string_domain { name: 'sizes' } feature { name: 'a' domain: 'size' }",
            "'a' is of the domain 'size'.*mean 'sizes'",
        ),
        ("feature { name: 'a' type: BYTES bool_domain {} }", "'a' is BYTES.*no words"),
        ("feature { struct_domain { " * 5000, "nested too deeply"),
    ],
)
def test_nonsense_is_an_error_that_says_where(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_schema(text)
