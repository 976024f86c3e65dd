"""Reads a tensorflow-metadata `Schema`, and compares the columns of a file with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config.pbtxt import parse_text
from pipeline.errors.suggest import did_you_mean
from pipeline.errors.wording import first_names
from pipeline.readers.arrow_types import is_list, is_text, plain_type

Domain: TypeAlias = (
    schema_pb2.IntDomain | schema_pb2.FloatDomain | schema_pb2.StringDomain | schema_pb2.BoolDomain
)
Domains = Mapping[str, Domain]
"""The domains of a schema that features may name, by name."""

# In these stages, data may be wrong or absent; a derived feature is not a column of the files.
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
    """Reads a schema from its text.

    Args:
        text: a `Schema` in text format (`schema.pbtxt`).

    Raises:
        ValueError: if the text is not a schema (the error names the line), or has no features; or
            if a feature has no name or the same name as another feature, refers to a domain that
            does not exist, or is text with a `bool_domain` that has no words.

    >>> parse_schema("feature { name: 'age' type: INT }").feature[0].name
    'age'
    """
    schema = parse_text(text, schema_pb2.Schema())
    if not schema.feature:
        raise ValueError("the schema has no features, and would check nothing; restore it")
    seen: set[str] = set()
    domains = named_domains(schema)
    for number, feature in enumerate(schema.feature, 1):
        if not feature.name:
            raise ValueError(f"feature number {number} has no name; give it that of its column")
        if feature.name in seen:
            raise ValueError(f"feature '{feature.name}' is there twice; keep one")
        seen.add(feature.name)
        domain = domain_of(domains, feature)
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
    """Returns how the columns of a file contradict a schema.

    The column of a feature must exist if the `min_fraction` or `min_count` of its presence is above
    0, if the feature is in the environment, and if its stage is not planned, alpha, debug only,
    deprecated, disabled or derived. Columns that the schema does not know are allowed. The type of
    lists is the type of their values; a column of nulls may have any type. An Arrow boolean counts
    as an integer if the feature has a `bool_domain`.

    Args:
        schema: the schema.
        environment: an environment of the schema; None for the features of all environments.
        columns: the types of the columns of the file by name, with those of its directories.

    Returns:
        A message for each contradiction, in the order of the features.

    Raises:
        ValueError: if the schema does not know the environment.

    >>> schema = parse_schema("feature { name: 'age' type: INT presence { min_count: 1 } }")
    >>> schema_problems(schema, None, {"age": pa.float32()})
    ["column 'age' is float, and the schema says INT"]
    """
    problems = []
    domains = named_domains(schema)
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
        wanted = _wanted_type(domains, feature)
        if not _has_type(_value_type(type_), wanted, feature.HasField("bool_domain")):
            name = schema_pb2.FeatureType.Name(wanted)
            problems.append(f"column '{feature.name}' is {type_}, and the schema says {name}")
    return problems


def features_of(schema: schema_pb2.Schema, environment: str | None) -> Iterator[schema_pb2.Feature]:
    """Yields the features that are in an environment and whose stage is not passed over.

    Args:
        schema: the schema.
        environment: an environment of the schema; None for all environments.

    Raises:
        ValueError: if the schema does not know the environment.
    """
    known = {*schema.default_environment}
    for feature in schema.feature:
        known.update(feature.in_environment, feature.not_in_environment)
    if environment is not None and environment not in known:
        names = first_names(sorted(known)) or "none"
        hint = did_you_mean(environment, sorted(known))
        raise ValueError(
            f"the schema knows no environment {environment!r}{hint}; its environments are: {names}"
        )
    for feature in schema.feature:
        if not _is_passed_over(feature) and _is_in(schema, feature, environment):
            yield feature


def named_domains(schema: schema_pb2.Schema) -> Domains:
    """Returns the domains that features may name; the first counts of those of the same name."""
    domains = [*schema.string_domain, *schema.int_domain, *schema.float_domain]
    return {domain.name: domain for domain in reversed(domains)}


def domain_of(domains: Domains, feature: schema_pb2.Feature) -> Domain | None:
    """Returns the domain of the values of a feature; None if it has none.

    The domain is in the feature, or the feature names a domain of the schema.

    Args:
        domains: the domains that features may name.
        feature: the feature.

    Raises:
        ValueError: if the feature names a domain that does not exist.
    """
    kind = feature.WhichOneof("domain_info")
    if kind in ("int_domain", "float_domain", "string_domain", "bool_domain"):
        in_feature: Domain = getattr(feature, kind)
        return in_feature
    if kind != "domain":
        return None
    if feature.domain in domains:
        return domains[feature.domain]
    hint = did_you_mean(feature.domain, domains)
    raise ValueError(
        f"feature '{feature.name}' is of the domain {feature.domain!r}, which the schema does not"
        f" have{hint}"
    )


def _is_passed_over(feature: schema_pb2.Feature) -> bool:
    """Returns whether the columns of a feature are not compared with the schema."""
    # The stage replaces the older flag `deprecated`.
    if feature.lifecycle_stage != schema_pb2.UNKNOWN_STAGE:
        return feature.lifecycle_stage in _PASSED_OVER
    return bool(feature.deprecated)


def _is_in(schema: schema_pb2.Schema, feature: schema_pb2.Feature, environment: str | None) -> bool:
    """Returns whether a feature is in an environment; None for all environments."""
    if environment is None:
        return True
    if environment in feature.not_in_environment:
        return False
    return environment in feature.in_environment or environment in schema.default_environment


def _wanted_type(domains: Domains, feature: schema_pb2.Feature) -> int:
    """Returns the type of a feature; without a type, a feature with a string domain is BYTES."""
    if feature.type == schema_pb2.TYPE_UNKNOWN and isinstance(
        domain_of(domains, feature), schema_pb2.StringDomain
    ):
        return int(schema_pb2.BYTES)
    return int(feature.type)


def _value_type(type_: pa.DataType) -> pa.DataType:
    """Returns the type of the single values in lists and dictionaries of any depth, as read."""
    type_ = plain_type(type_)
    while is_list(type_) or pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return type_


def _has_type(type_: pa.DataType, wanted: int, is_bool: bool) -> bool:
    """Returns whether an Arrow type is allowed for a type of features.

    Args:
        type_: the Arrow type of single values.
        wanted: the type of the feature.
        is_bool: whether the feature has a `bool_domain`.
    """
    if wanted == schema_pb2.TYPE_UNKNOWN or pa.types.is_null(type_):
        return True
    if wanted == schema_pb2.INT:
        return bool(pa.types.is_integer(type_) or (is_bool and pa.types.is_boolean(type_)))
    if wanted == schema_pb2.FLOAT:
        return bool(pa.types.is_floating(type_))
    return is_text(type_) if wanted == schema_pb2.BYTES else bool(pa.types.is_struct(type_))
