"""Reads JSON that a run stored: strictly, with one line for what is wrong, in little memory.

A type is a function that raises `Misfit` unless it is given a value of that type. It stops at the
first fault: pydantic collects all, and a few MB of faults would take gigabytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json

from pipeline.errors.problems import Path, describe, quote, show_path

Type = Callable[[Any], None]

MAX_INT = (1 << 63) - 1


class Misfit(ValueError):
    """The error for a value that is not of the type it should be.

    Attributes:
        path: where the value is.
        reason: what is wrong with it.
    """

    def __init__(self, reason: str, path: Path = ()) -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return ": ".join(part for part in (show_path(self.path), self.reason) if part)

    def below(self, *path: str | int) -> Misfit:
        """Returns the error of the same value, seen from further above."""
        return Misfit(self.reason, (*path, *self.path))


def parse_json(content: bytes) -> Any:
    """Returns the data of a JSON text, which take at most about 30 times its bytes.

    The words NaN and Infinity are refused, and so are texts that are no Unicode and data nested
    more than 200 deep. Numbers beyond the largest float are infinite.

    Raises:
        ValueError: if the text is no such JSON.
    """
    try:
        return from_json(content, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from error


def check_version(data: Any, key: str, version: int) -> None:
    """Raises ValueError unless data have the version of their layout that this release reads.

    Args:
        data: the data.
        key: the key of the version.
        version: the version that this release reads.
    """
    found = data.get(key) if isinstance(data, dict) else None
    if type(found) is not int:
        raise ValueError(f"it has no '{key}', the version of its layout")
    if found != version:
        raise ValueError(
            f"its layout '{key}' has version {found}, and this release of headcount reads {version}"
        )


def text(value: Any) -> None:
    """The type of texts."""
    if type(value) is not str:
        raise Misfit(f"expected text, not {describe(value)}")


def flag(value: Any) -> None:
    """The type of true and false."""
    if type(value) is not bool:
        raise Misfit(f"expected true or false, not {describe(value)}")


def count(value: Any) -> None:
    """The type of whole numbers that count something."""
    if type(value) is not int or not 0 <= value <= MAX_INT:
        raise Misfit(f"expected a count, not {describe(value)}")


def number(value: Any) -> None:
    """The type of finite numbers."""
    if type(value) is float:
        if math.isfinite(value):
            return
    elif type(value) is int and -MAX_INT <= value <= MAX_INT:
        return
    raise Misfit(f"expected a finite number, not {describe(value)}")


def at_least_0(value: Any) -> None:
    """The type of finite numbers that are not negative."""
    number(value)
    if value < 0:
        raise Misfit(f"must be at least 0, not {value}")


def share(value: Any) -> None:
    """The type of numbers from 0 to 1."""
    number(value)
    if not 0 <= value <= 1:
        raise Misfit(f"must be from 0 to 1, not {value}")


def anything(value: Any) -> None:
    """The type of all values."""


def matching(pattern: str) -> Type:
    """Returns the type of texts that match a regular expression as a whole."""
    compiled = re.compile(pattern)

    def check(value: Any) -> None:
        text(value)
        if not compiled.fullmatch(value):
            raise Misfit(f"{quote(value)} is not of the form {pattern}")

    return check


def or_null(kind: Type) -> Type:
    """Returns the type of null and the values of another type."""

    def check(value: Any) -> None:
        if value is not None:
            kind(value)

    return check


def list_of(kind: Type) -> Type:
    """Returns the type of lists."""

    def check(value: Any) -> None:
        if type(value) is not list:
            raise Misfit(f"expected a list, not {describe(value)}")
        for position, item in enumerate(value):
            try:
                kind(item)
            except Misfit as misfit:
                raise misfit.below(position) from None

    return check


def mapping_of(kind: Type, key_kind: Type = anything) -> Type:
    """Returns the type of mappings with any keys, or with keys of a type."""

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise Misfit(f"expected a mapping, not {describe(value)}")
        for key, item in value.items():
            try:
                key_kind(key)
                kind(item)
            except Misfit as misfit:
                raise misfit.below(key) from None

    return check


def record(
    required: Mapping[str, Type], optional: Mapping[str, Type] | None = None, *, more: bool = False
) -> Type:
    """Returns the type of mappings with certain keys.

    Args:
        required: the types of the keys that are always there.
        optional: the types of other keys.
        more: whether there may be yet other keys.
    """
    kinds = {**required, **(optional or {})}

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise Misfit(f"expected a mapping, not {describe(value)}")
        for key, item in value.items():
            if key in kinds:
                try:
                    kinds[key](item)
                except Misfit as misfit:
                    raise misfit.below(key) from None
            elif not more:
                raise Misfit(f"unknown key {quote(key)}")
        for key in required:
            if key not in value:
                raise Misfit(f"key '{key}' is missing")

    return check
