"""A tensorflow-metadata `Schema`, and which columns of a file contradict it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config.pbtxt import parse_text
from pipeline.errors.suggest import did_you_mean
from pipeline.readers.rows import is_list, is_text

# Stages in which data may be wrong or absent; a derived feature is no column at all.
_PASSED_OVER = frozenset(
    {
        schema_pb2.PLANNED,
        schema_pb2.ALPHA,
        schema_pb2.DEBUG_ONLY,
        schema_pb2.DEPRECATED,
        schema_pb2.DISABLED,
        schema_pb2.VALIDATION_DERIVED,
    }
)


def parse_schema(text: str) -> schema_pb2.Schema:
    """A schema from its text.

    Args:
        text: a `Schema` in text format (`schema.pbtxt`).

    Raises:
        ValueError: if it is no schema, naming the line; or if a feature has no name, has the name
            of another, refers to a domain that is not there, or is text whose `bool_domain` has no
            words.

    >>> parse_schema("feature { name: 'age' type: INT }").feature[0].name
    'age'
    """
    schema = parse_text(text, schema_pb2.Schema())
    seen: set[str] = set()
    for place, feature in enumerate(schema.feature):
        if not feature.name:
            raise ValueError(f"feature number {place + 1} has no name; give it that of its column")
        if feature.name in seen:
            raise ValueError(f"feature '{feature.name}' is there twice; keep one")
        seen.add(feature.name)
        domain = domain_of(schema, feature)
        wordless = isinstance(domain, schema_pb2.BoolDomain) and not (
            domain.true_value or domain.false_value
        )
        if wordless and feature.type == schema_pb2.BYTES:
            raise ValueError(
                f"feature '{feature.name}' is BYTES, and its 'bool_domain' has no words; give it a"
                " 'true_value' and a 'false_value'"
            )
    return schema


def schema_problems(
    schema: schema_pb2.Schema, environment: str | None, columns: Mapping[str, pa.DataType]
) -> list[str]:
    """How the columns of one file contradict a schema.

    A feature must be there if its presence has a `min_fraction` or `min_count` above 0, it is in
    the environment, and its stage is not one of those whose data nobody counts on (planned, alpha,
    debug only, deprecated, disabled, derived). Columns that the schema does not know are fine. The
    type of lists is that of their values; a column without any value may be of any type. An Arrow
    boolean is an integer of a `bool_domain`.

    Args:
        schema: the schema.
        environment: one of its environments; None asks for the features of all.
        columns: the columns of the file, those stated by its directories included.

    Returns:
        A line for each contradiction, in the order of the features.

    Raises:
        ValueError: if the schema does not know the environment.

    >>> schema = parse_schema("feature { name: 'age' type: INT presence { min_count: 1 } }")
    >>> schema_problems(schema, None, {"age": pa.float32()})
    ["column 'age' is float, and the schema says INT"]
    """
    problems = []
    where = "" if environment is None else f" in the environment '{environment}'"
    for feature in features_of(schema, environment):
        if feature.name not in columns:
            presence = feature.presence
            if presence.min_fraction > 0 or presence.min_count > 0:
                problems.append(
                    f"column '{feature.name}' is missing, and the schema requires it{where}; write"
                    " it, or take its 'presence' out of the schema"
                )
            continue
        type_ = columns[feature.name]
        wanted = _wanted_type(schema, feature)
        if not _is_of(_value_type(type_), wanted, feature.HasField("bool_domain")):
            name = schema_pb2.FeatureType.Name(wanted)
            problems.append(f"column '{feature.name}' is {type_}, and the schema says {name}")
    return problems


def features_of(schema: schema_pb2.Schema, environment: str | None) -> Iterator[schema_pb2.Feature]:
    """The features that count in an environment; None for all environments.

    Raises:
        ValueError: if the schema does not know the environment.
    """
    known = {*schema.default_environment}
    for feature in schema.feature:
        known.update(feature.in_environment, feature.not_in_environment)
    if environment is not None and environment not in known:
        names = ", ".join(sorted(known)) or "none"
        hint = did_you_mean(environment, sorted(known))
        raise ValueError(
            f"the schema knows no environment {environment!r}{hint}; its environments are: {names}"
        )
    for feature in schema.feature:
        if not _is_passed_over(feature) and _is_in(schema, feature, environment):
            yield feature


def domain_of(
    schema: schema_pb2.Schema, feature: schema_pb2.Feature
) -> (
    schema_pb2.IntDomain
    | schema_pb2.FloatDomain
    | schema_pb2.StringDomain
    | schema_pb2.BoolDomain
    | None
):
    """The domain of the values of a feature, its own or one of the schema that it names.

    Raises:
        ValueError: if it names one that is not there.
    """
    kind = feature.WhichOneof("domain_info")
    if kind in ("int_domain", "float_domain", "string_domain", "bool_domain"):
        return getattr(feature, kind)
    if kind != "domain":
        return None
    shared = [*schema.string_domain, *schema.int_domain, *schema.float_domain]
    for domain in shared:
        if domain.name == feature.domain:
            return domain
    hint = did_you_mean(feature.domain, [domain.name for domain in shared])
    raise ValueError(
        f"feature '{feature.name}' is of the domain {feature.domain!r}, which the schema does not"
        f" have{hint}"
    )


def _is_passed_over(feature: schema_pb2.Feature) -> bool:
    # The stage goes before the older flag.
    if feature.lifecycle_stage != schema_pb2.UNKNOWN_STAGE:
        return feature.lifecycle_stage in _PASSED_OVER
    return bool(feature.deprecated)


def _is_in(schema: schema_pb2.Schema, feature: schema_pb2.Feature, environment: str | None) -> bool:
    if environment is None:
        return True
    if environment in feature.not_in_environment:
        return False
    return environment in feature.in_environment or environment in schema.default_environment


def _wanted_type(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> int:
    if feature.type == schema_pb2.TYPE_UNKNOWN and isinstance(
        domain_of(schema, feature), schema_pb2.StringDomain
    ):
        return int(schema_pb2.BYTES)
    return int(feature.type)


def _value_type(type_: pa.DataType) -> pa.DataType:
    while is_list(type_) or pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return type_


def _is_of(type_: pa.DataType, wanted: int, is_bool: bool) -> bool:
    if wanted == schema_pb2.TYPE_UNKNOWN or pa.types.is_null(type_):
        return True
    if wanted == schema_pb2.INT:
        return bool(pa.types.is_integer(type_) or (is_bool and pa.types.is_boolean(type_)))
    if wanted == schema_pb2.FLOAT:
        return bool(pa.types.is_floating(type_))
    return is_text(type_) if wanted == schema_pb2.BYTES else bool(pa.types.is_struct(type_))
