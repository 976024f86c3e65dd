"""The base class, the field types and the refusals that the models of the configuration share."""

import math
import re
from collections.abc import Callable, Hashable, Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
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

from pipeline.errors.problems import MOST_KEPT, Path, describe, quote

REFUSED = "config_refused"
"""The type of the pydantic errors that `refusal` makes; their `message` is shown as it is."""
MORE_REFUSED = "more_refused"
"""The type of the pydantic error that counts, as `more`, the errors that `refuse` left out."""


class Model(BaseModel):
    """The base class of models, which are frozen and strict.

    A model accepts no unknown keys, no bool for a number, no number for a text, and no NaN.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def refusal(message: str, path: Path = (), missing: tuple[str, ...] = ()) -> InitErrorDetails:
    """Returns an error for `refuse` to raise.

    Args:
        message: the message.
        path: the place of the error, below the value that is being validated.
        missing: the keys whose absence is the error; if one of them is misspelt in the document,
            this error is not shown.
    """
    error = PydanticCustomError(REFUSED, "{message}", {"message": message, "missing": missing})
    return InitErrorDetails(type=error, loc=path, input=None)


def refuse(*refusals: InitErrorDetails, more: int = 0) -> None:
    """Raises the refusals, if there are any; pydantic adds them to the errors of other fields.

    Args:
        refusals: the refusals.
        more: the number of others that were left out already.

    Raises:
        ValidationError: with all refusals, or with the first and their number if there are many.
    """
    if not refusals:
        return
    kept = list(refusals[:MOST_KEPT])
    more += len(refusals) - len(kept)
    if more:
        error = PydanticCustomError(MORE_REFUSED, "{more} more", {"more": more})
        kept.append(InitErrorDetails(type=error, loc=(), input=None))
    raise ValidationError.from_exception_data("config", kept)


def together(
    value: Any, handler: ValidatorFunctionWrapHandler, refusals: Iterable[InitErrorDetails]
) -> Any:
    """Returns `handler(value)` if there are neither errors nor refusals.

    Args:
        value: the value to validate.
        handler: the validation of pydantic.
        refusals: other errors of the value.

    Raises:
        ValidationError: with the errors of the handler and the refusals together.
    """
    all_refusals = list(refusals)
    try:
        result = handler(value)
    except ValidationError as error:
        errors, more = errors_of(error)
        more += len(errors[MOST_KEPT:])
        refuse(*map(_again, errors[:MOST_KEPT]), *all_refusals, more=more)
    refuse(*all_refusals)
    return result


def errors_of(error: ValidationError) -> tuple[list[Any], int]:
    """Returns the errors as pydantic reports them, and the number of those that were left out.

    That a list is empty is no error if that is so because all its items were refused.
    """
    errors, more = [], 0
    for item in error.errors(include_url=False):
        if item["type"] == MORE_REFUSED:
            more += item["ctx"]["more"]
        elif not (item["type"] == "too_short" and item["input"]):
            errors.append(item)
    return errors, more


def _again(error: Any) -> InitErrorDetails:
    """Converts an error that pydantic reports to the form that `refuse` can raise."""
    if error["type"] == REFUSED:
        return refusal(error["ctx"]["message"], error["loc"], error["ctx"]["missing"])
    return InitErrorDetails(
        type=error["type"], loc=error["loc"], input=error["input"], ctx=error.get("ctx", {})
    )


class Key(NamedTuple):
    """What tells an item of a list from others.

    Attributes:
        value: equal for items that are the same.
        shown: the item as errors show it, where a long text is cut.
    """

    value: Hashable
    shown: str


def distinct(key: Callable[[Any], Key | None]) -> WrapValidator:
    """Returns a validator that refuses items of a list that have the same key.

    Args:
        key: returns the key of an item; None for an item that is not compared.
    """

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return together(value, handler, repeated(value, key))

    return WrapValidator(check)


def wrong_length(value: Any, length: int, items: str, path: Path = ()) -> list[InitErrorDetails]:
    """Returns a refusal if `value` is a list, but not of `length` items; `items` describes them."""
    if not isinstance(value, list | tuple) or len(value) == length:
        return []
    return [refusal(f"expected {length} {items}, not {len(value)}", path)]


def repeated(value: Any, key: Callable[[Any], Key | None]) -> list[InitErrorDetails]:
    """Returns a refusal for every item of a list that has the same key as an earlier item.

    Args:
        value: the list; other values have no refusals.
        key: returns the key of an item; None for an item that is not compared.
    """
    first_position: dict[Hashable, int] = {}
    refusals = []
    for position, item in enumerate(value if isinstance(value, list | tuple) else ()):
        if (found := key(item)) is None:
            continue
        first = first_position.setdefault(found.value, position)
        if first != position:
            message = f"{found.shown} is given twice (first as [{first}]); keep one"
            refusals.append(refusal(message, (position,)))
    return refusals


def word_key(item: Any) -> Key | None:
    """Returns the key of a text; None for other items."""
    return Key(item, quote(item)) if isinstance(item, str) else None


def number_key(item: Any) -> Key | None:
    """Returns the key of a number, shown in as many digits as it has; None for other items."""
    if isinstance(item, bool) or not isinstance(item, int | float):
        return None
    # Adding zero makes 1 and 1.0 alike, and 0.0 and -0.0.
    number = item + 0.0
    short = f"{number:g}"
    return Key(number, short if float(short) == number else repr(number))


def value_key(item: Any) -> Key:
    """Returns the key of a listed value: 1 and 1.0 have the same key, the text '1' another."""
    if isinstance(item, str):
        return Key(repr(item), quote(item))
    whole = isinstance(item, float) and item.is_integer()
    shown = str(int(item)) if whole else describe(item).removeprefix("the number ")
    return Key(shown, shown)


def column_key(item: Any) -> Key | None:
    """Returns the key of an entry that has a `column`; None for other items."""
    column = item.get("column") if isinstance(item, dict) else getattr(item, "column", None)
    return Key(column, f"column {quote(column)}") if isinstance(column, str) else None


def module_name(value: str) -> str:
    """Returns the name of a module, given as text.

    Raises:
        ValidationError: if it is none.
    """
    if not re.fullmatch(_MODULE, value):
        refuse(refusal(f"{quote(value)} is no name of a module; a path or a suffix is none"))
    return value


def as_mapping(value: Any) -> Any:
    """Expands the short form, which is only the name of a column, to a mapping.

    Raises:
        ValidationError: if the value is neither a text nor a mapping.
    """
    if not isinstance(value, str | dict | Model):
        told = f"expected a column or a mapping with 'column', not {describe(value)}"
        several = "; several numbers of a row are one column of lists"
        refuse(refusal(told + (several if isinstance(value, list | tuple) else "")))
    return {"column": value} if isinstance(value, str) else value


def default_names(n_classes: int) -> tuple[str, ...]:
    """Returns the names of classes that have none, wherever a report names a class.

    >>> default_names(3)
    ('class0', 'class1', 'class2')
    """
    return tuple(f"class{number}" for number in range(n_classes))


def as_list(value: Any) -> Any:
    """Expands the short form, which is a single text, to a list."""
    return [value] if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """Returns the value if it is text, a finite number, a bool or None, and refuses all others."""
    finite = not isinstance(value, float) or math.isfinite(value)
    if not finite or not isinstance(value, str | int | float | None):
        given = describe(value)
        refuse(refusal(f"expected text, a finite number, true, false or null, not {given}"))
    return value


Text = Annotated[str, Field(min_length=1)]
Listed = Strict(False)
"""Lets a list become a tuple; what is in the list stays strict."""

_MODULE = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*"
ModuleName = Annotated[
    Text, AfterValidator(module_name), Field(json_schema_extra={"pattern": f"^{_MODULE}$"})
]
Modules = Annotated[tuple[ModuleName, ...], Listed, Field(max_length=100), distinct(word_key)]
PlainValue = Annotated[str | int | float | bool | None, BeforeValidator(_plain)]
Words = Annotated[tuple[Text, ...], Listed, distinct(word_key)]
SomeWords = Annotated[tuple[Text, ...], Listed, Field(min_length=1), distinct(word_key)]

BASELINE = "A second model, whose scores are in other columns of the same rows, to compare with."
Weight = Annotated[
    Text | None,
    Field(description="The column of the weights. Without it, each row weighs 1."),
]
Metrics = Annotated[
    SomeWords | None,
    Field(description="The names of the metrics to report. Without it, all that the head has."),
]
