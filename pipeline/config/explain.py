"""Tell what pydantic found in the words of the configuration: paths, keys, near names."""

import re
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.config.fields import REFUSED
from pipeline.config.yaml_loader import Document
from pipeline.errors.problems import Path, Problem, describe, quote
from pipeline.errors.suggest import did_you_mean, nearest

_TELL: Mapping[str, Callable[[Any, Any], str]] = {
    REFUSED: lambda given, ctx: ctx["message"],
    "string_type": lambda given, ctx: (
        f"expected text, not {describe(given)}"
        + ("; put it in quotes if it is text" if isinstance(given, bool | int | float) else "")
    ),
    "int_type": lambda given, ctx: f"expected a whole number, not {describe(given)}",
    "float_type": lambda given, ctx: f"expected a number, not {describe(given)}",
    "finite_number": lambda given, ctx: f"expected a finite number, not {given}",
    "tuple_type": lambda given, ctx: f"expected a list, not {describe(given)}",
    "dict_type": lambda given, ctx: f"expected a mapping, not {describe(given)}",
    "model_type": lambda given, ctx: f"expected a mapping, not {describe(given)}",
    "model_attributes_type": lambda given, ctx: f"expected a mapping, not {describe(given)}",
    "string_too_short": lambda given, ctx: "must not be empty",
    "too_short": lambda given, ctx: "must not be empty",
    "string_pattern_mismatch": lambda given, ctx: (
        f"{quote(given)} cannot be a name: at most 64 of a-z, 0-9 and _, a letter first"
    ),
    "greater_than": lambda given, ctx: f"must be greater than {ctx['gt']:g}, not {given}",
    "greater_than_equal": lambda given, ctx: f"must be at least {ctx['ge']}, not {given}",
    "less_than": lambda given, ctx: f"must be less than {ctx['lt']:g}, not {given}",
    "less_than_equal": lambda given, ctx: f"must be at most {ctx['le']}, not {given}",
    "literal_error": lambda given, ctx: _one_of(given, ctx["expected"]),
    "union_tag_invalid": lambda given, ctx: _one_of(given["type"], ctx["expected_tags"]),
}


def tell(error: ValidationError, document: Document, root: type[BaseModel]) -> list[Problem]:
    """Return the problems of a document that the model `root` refused.

    A missing key is left out where a key beside it is that key misspelt: one slip, one problem.
    """
    problems: list[Problem] = []
    meant: set[Path] = set()
    absent: list[tuple[Path, tuple[str, ...], str]] = []
    for item in error.errors(include_url=False):
        kind, loc, ctx = item["type"], item["loc"], item.get("ctx", {})
        path = _in_document(loc)
        if kind == "extra_forbidden":
            name, valid = str(loc[-1]), _fields(root, loc[:-1])
            near = nearest(name, valid)
            meant.add((*path[:-1], near or ""))
            hint = f"did you mean {near!r}?" if near else f"the keys here are {', '.join(valid)}"
            problems.append(document.problem(path, f"unknown key {quote(name)}; {hint}"))
        elif kind == "missing":
            key = str(loc[-1])
            told = f"key {key!r} is missing. {_fields(root, loc[:-1])[key].description}"
            absent.append((path[:-1], (key,), told))
        elif kind == REFUSED and ctx["missing"]:
            absent.append((path[:-1], ctx["missing"], ctx["message"]))
        elif kind == "too_short" and item["input"]:
            continue  # empty only because each of its items is refused, which is told
        elif kind == "union_tag_not_found":
            problems.append(_untyped(document, path, list(_members(_at(root, loc)))))
        elif kind == "union_tag_invalid":
            problems.append(document.problem((*path, "type"), _TELL[kind](item["input"], ctx)))
        else:
            problems.append(document.problem(path, _TELL[kind](item["input"], ctx)))
    problems += (
        document.problem(parent, message)
        for parent, keys, message in absent
        if not any((*parent, key) in meant for key in keys)
    )
    return problems


def _untyped(document: Document, path: Path, types: list[str]) -> Problem:
    """Return the problem of a head without `type`, or with that key misspelt."""
    near = nearest("type", _value(document.data, path))
    if near is not None:
        message = f"unknown key {quote(near)}; did you mean 'type'?"
        return document.problem((*path, near), message)
    return document.problem(path, f"key 'type' is missing. It is one of {', '.join(types)}")


def _one_of(given: Any, expected: str) -> str:
    """Refuse a value that is none of those `expected`, each in single quotes."""
    names = re.findall("'([^']*)'", expected)
    hint = did_you_mean(given, names) if isinstance(given, str) else ""
    return f"expected one of {', '.join(names)}, not {describe(given)}{hint}"


def _in_document(loc: Path) -> Path:
    """Return the path in the document: pydantic puts the type of a head behind its name."""
    return loc[:2] + loc[3:] if loc[:1] == ("heads",) else loc


def _value(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _fields(root: type[BaseModel], loc: Path) -> Mapping[str, FieldInfo]:
    """Return the keys of the mapping that pydantic calls `loc`."""
    model: type[BaseModel] = _at(root, loc)
    return model.model_fields


def _at(kind: Any, loc: Path) -> Any:
    """Return the type that the annotations give at `loc`, without Annotated and None."""
    if get_origin(kind) is Annotated:
        return _at(get_args(kind)[0], loc)
    some = [choice for choice in get_args(kind) if choice is not NoneType]
    if get_origin(kind) in (Union, UnionType) and len(some) == 1:
        return _at(some[0], loc)
    if not loc:
        return kind
    origin, step = get_origin(kind), loc[0]
    if origin is tuple:
        inner = some[0]
    elif origin is dict:
        inner = some[1]
    elif origin is None:
        inner = kind.model_fields[step].annotation
    else:
        inner = _members(kind)[str(step)]
    return _at(inner, loc[1:])


def _members(union: Any) -> dict[str, Any]:
    """Return the models of a union by the `type` that chooses them."""
    models = get_args(union)
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}
