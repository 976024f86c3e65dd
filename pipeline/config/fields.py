"""What the models of the configuration share: their base, their field types, their refusals."""

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline.errors.problems import Path, describe, quote

REFUSED = "config_refused"
"""The type of the errors made here; their `message` is told as it is."""


class Model(BaseModel):
    """Frozen, and strict: no unknown keys, no bool for a number, no number for a text, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def refusal(message: str, path: Path = (), missing: tuple[str, ...] = ()) -> InitErrorDetails:
    """Return a problem at `path` below the value that is being validated.

    `missing` are the keys whose absence it is: it is not told where one of them was misspelt.
    """
    error = PydanticCustomError(REFUSED, "{message}", {"message": message, "missing": missing})
    return InitErrorDetails(type=error, loc=path, input=None)


def refuse(*refusals: InitErrorDetails) -> None:
    """Raise the refusals, if there are any; pydantic joins them with all others."""
    if refusals:
        raise ValidationError.from_exception_data("config", list(refusals))


def together(
    value: Any, handler: ValidatorFunctionWrapHandler, refusals: Iterable[InitErrorDetails]
) -> Any:
    """Return `handler(value)`, or raise its errors and the refusals as one."""
    found = list(refusals)
    try:
        result = handler(value)
    except ValidationError as error:
        refuse(*map(_again, error.errors(include_url=False)), *found)
    refuse(*found)
    return result


def _again(error: Any) -> InitErrorDetails:
    """Return an error that was raised in a form that can be raised again."""
    if error["type"] == REFUSED:
        return refusal(error["ctx"]["message"], error["loc"], error["ctx"]["missing"])
    return InitErrorDetails(
        type=error["type"], loc=error["loc"], input=error["input"], ctx=error.get("ctx", {})
    )


def distinct(key: Callable[[Any], str | None]) -> WrapValidator:
    """Refuse items of a list that share a key; a key of None is none."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return together(value, handler, repeated(value, key))

    return WrapValidator(check)


def wrong_length(value: Any, length: int, what: str, path: Path = ()) -> list[InitErrorDetails]:
    """Return a refusal where `value` is a list, but not of `length` items."""
    if not isinstance(value, list | tuple) or len(value) == length:
        return []
    return [refusal(f"expected {length} {what}, not {len(value)}", path)]


def repeated(value: Any, key: Callable[[Any], str | None]) -> list[InitErrorDetails]:
    """Return a refusal for each item of a list whose key an earlier item has."""
    first: dict[str, int] = {}
    refusals = []
    for position, item in enumerate(value if isinstance(value, list | tuple) else ()):
        if (shown := key(item)) is None:
            continue
        if first.setdefault(shown, position) != position:
            message = f"{shown} is given twice (first as [{first[shown]}]); keep one"
            refusals.append(refusal(message, (position,)))
    return refusals


def word_key(item: Any) -> str | None:
    """Return the key of a text."""
    return quote(item) if isinstance(item, str) else None


def number_key(item: Any) -> str | None:
    """Return the key of a number: six digits, all that the names of metrics show."""
    number = isinstance(item, int | float) and not isinstance(item, bool)
    return f"{item:g}" if number else None


def column_key(item: Any) -> str | None:
    """Return the key of an entry with a `column`."""
    column = item.get("column") if isinstance(item, dict) else getattr(item, "column", None)
    return f"column {quote(column)}" if isinstance(column, str) else None


def as_mapping(value: Any) -> Any:
    """Expand the short form, a column's name alone, to a mapping."""
    if not isinstance(value, str | dict | Model):
        refuse(refusal(f"expected a column or a mapping with 'column', not {describe(value)}"))
    return {"column": value} if isinstance(value, str) else value


def as_list(value: Any) -> Any:
    """Expand the short form, one item alone, to a list."""
    return [value] if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    finite = not isinstance(value, float) or math.isfinite(value)
    if not finite or not isinstance(value, str | int | float | None):
        given = describe(value)
        refuse(refusal(f"expected text, a finite number, true, false or null, not {given}"))
    return value


Text = Annotated[str, Field(min_length=1)]
Listed = Strict(False)
"""Lets a list become a tuple; what is in the list stays strict."""

PlainValue = Annotated[str | int | float | bool | None, BeforeValidator(_plain)]
Words = Annotated[tuple[Text, ...], Listed, distinct(word_key)]
SomeWords = Annotated[tuple[Text, ...], Listed, Field(min_length=1), distinct(word_key)]
