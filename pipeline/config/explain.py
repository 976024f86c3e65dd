"""Explains the errors of pydantic with the paths and keys of the configuration, and near names."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.config.fields import REFUSED, errors_of
from pipeline.config.yaml_loader import Document
from pipeline.errors.problems import MOST_KEPT, Path, Problem, describe, quote
from pipeline.errors.suggest import did_you_mean, nearest
from pipeline.errors.wording import MOST
from pipeline.errors.yaml_words import yaml_word

# By the type of an error of pydantic, its message from the given value and the context.
_MESSAGES: Mapping[str, Callable[[Any, Any], str]] = {
    REFUSED: lambda given, ctx: ctx["message"],
    "string_type": lambda given, ctx: (
        f"expected text, not {describe(given)}"
        + ("; put it in quotes if it is text" if isinstance(given, bool | int | float) else "")
    ),
    "int_type": lambda given, ctx: f"expected a whole number, not {describe(given)}",
    "float_type": lambda given, ctx: f"expected a number, not {describe(given)}",
    "bool_type": lambda given, ctx: f"expected true or false, not {describe(given)}{_bool(given)}",
    "finite_number": lambda given, ctx: f"expected a finite number, not {given}",
    "tuple_type": lambda given, ctx: f"expected a list, not {describe(given)}{_as_list(given)}",
    "dict_type": lambda given, ctx: (
        f"expected a mapping, not {describe(given)}"
        + ("; give each item a name, `name: item`" if isinstance(given, list | tuple) else "")
    ),
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
    "too_long": lambda given, ctx: f"at most {ctx['max_length']:,} are allowed, not {len(given):,}",
}


def explain(
    error: ValidationError, document: Document, root: type[BaseModel]
) -> tuple[list[Problem], int]:
    """Returns the problems of a document that the model `root` refused.

    If a key is missing because it is misspelt, only the misspelt key is a problem, so that one slip
    does not give two problems. Only the first problems are returned, with the number of the others,
    and only for the first of these it is looked what was meant.

    Args:
        error: the error that pydantic raised.
        document: the document.
        root: the model of the whole document.
    """
    problems: list[Problem] = []
    # Paths of the keys that unknown keys seem to mean, and keys that are missing with a message.
    meant: set[Path] = set()
    absent: list[tuple[Path, tuple[str, ...], str]] = []
    items, more = errors_of(error)
    items.sort(key=lambda item: document.place(_in_document(item["loc"])))
    more += len(items[MOST_KEPT:])
    for number, item in enumerate(items[:MOST_KEPT]):
        kind, loc, ctx = item["type"], item["loc"], item.get("ctx", {})
        path = _in_document(loc)
        hint = number < MOST
        if kind == "extra_forbidden":
            told = f"unknown key {quote(str(loc[-1]))}"
            if hint:
                valid = _fields(root, loc[:-1])
                near = nearest(str(loc[-1]), valid)
                meant.add((*path[:-1], near or ""))
                owner = None if near else _owner(root, loc[:-1], valid, str(loc[-1]))
                told += (
                    f"; did you mean {near!r}?"
                    if near
                    else f"; it is a key of {owner!r}"
                    if owner
                    else f"; the keys here are {', '.join(valid)}"
                )
            problems.append(document.problem(path, told))
        elif kind == "missing":
            key = str(loc[-1])
            message = f"key {key!r} is missing. {_fields(root, loc[:-1])[key].description}"
            absent.append((path[:-1], (key,), message))
        elif kind == REFUSED and ctx["missing"]:
            absent.append((path[:-1], ctx["missing"], ctx["message"]))
        elif kind == "union_tag_not_found":
            problems.append(_untyped(document, path, list(_members(_at(root, loc))), hint))
        elif kind == "union_tag_invalid":
            message = _one_of(item["input"]["type"], ctx["expected_tags"], hint)
            problems.append(document.problem((*path, "type"), message))
        elif kind == "literal_error":
            problems.append(document.problem(path, _one_of(item["input"], ctx["expected"], hint)))
        elif kind in _MESSAGES:
            told = _MESSAGES[kind](item["input"], ctx)
            if (
                kind == "greater_than"
                and path[-1:] == ("n_classes",)
                and item["input"] == ctx["gt"]
            ):
                told += "; two classes are for type: binary"
            problems.append(document.problem(path, told))
        else:
            problems.append(document.problem(path, item["msg"]))
    problems += (
        document.problem(parent, message)
        for parent, keys, message in absent
        if not any((*parent, key) in meant for key in keys)
    )
    return problems, more


def _untyped(document: Document, path: Path, types: list[str], hint: bool) -> Problem:
    """Returns the problem of a head without the key `type`, or with this key misspelt."""
    near = nearest("type", _value(document.data, path)) if hint else None
    if near is not None:
        message = f"unknown key {quote(near)}; did you mean 'type'?"
        return document.problem((*path, near), message)
    return document.problem(path, f"key 'type' is missing. It is one of {', '.join(types)}")


def _one_of(given: Any, expected: str, hint: bool) -> str:
    """Returns the message for a value that is not one of the expected values.

    Args:
        given: the value.
        expected: the expected values, each in single quotes, as pydantic writes them.
        hint: whether to look for the value that was meant.
    """
    names = re.findall("'([^']*)'", expected)
    near = did_you_mean(given, names) if hint and isinstance(given, str) else ""
    return f"expected one of {', '.join(names)}, not {describe(given)}{near}"


def _as_list(given: Any) -> str:
    """Returns what to write where a list of one item is meant."""
    if isinstance(given, str):
        # A text may be several words, or what needs quotes.
        return f"; write [{yaml_word(given)}]" if given.isidentifier() else ""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return f"; write [{given}]"
    return "; write [{...}], or '- ' before it" if isinstance(given, dict) else ""


def _owner(root: type[BaseModel], loc: Path, fields: Iterable[str], key: str) -> str | None:
    """Returns the key, of the keys at `loc`, whose mapping has a key; None for none."""
    for field in fields:
        inner = _at(root, (*loc, field))
        if isinstance(inner, type) and issubclass(inner, BaseModel) and key in inner.model_fields:
            return field
    return None


def _bool(given: Any) -> str:
    """Returns the hint at what to write for a word that is a boolean in YAML 1.1 alone."""
    word = given.lower() if isinstance(given, str) else ""
    meant = "true" if word in ("yes", "on", "y") else "false" if word in ("no", "off", "n") else ""
    return f"; write {meant}" if meant else ""


def _in_document(loc: Path) -> Path:
    """Returns the path in the document; in `loc`, the type of a head follows the head's name."""
    return loc[:2] + loc[3:] if loc[:1] == ("heads",) else loc


def _value(data: Any, path: Path) -> Any:
    """Returns the part of the data at a path."""
    for step in path:
        data = data[step]
    return data


def _fields(root: type[BaseModel], loc: Path) -> Mapping[str, FieldInfo]:
    """Returns the fields of the model at `loc`, by key."""
    model: type[BaseModel] = _at(root, loc)
    return model.model_fields


def _at(kind: Any, loc: Path) -> Any:
    """Returns the type that the annotations give at `loc`, without `Annotated` and None."""
    if get_origin(kind) is Annotated:
        return _at(get_args(kind)[0], loc)
    choices = [choice for choice in get_args(kind) if choice is not NoneType]
    if get_origin(kind) in (Union, UnionType) and len(choices) == 1:
        return _at(choices[0], loc)
    if not loc:
        return kind
    origin, step = get_origin(kind), loc[0]
    if origin is tuple:
        inner = choices[0]
    elif origin is dict:
        inner = choices[1]
    elif origin is None:
        inner = kind.model_fields[step].annotation
    else:
        inner = _members(kind)[str(step)]
    return _at(inner, loc[1:])


def _members(union: Any) -> dict[str, Any]:
    """Returns the models of a union, by the value of `type` that selects the model."""
    models = get_args(union)
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}
