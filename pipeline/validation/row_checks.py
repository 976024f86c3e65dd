"""Checks of rows against the domains, presence and lengths that a schema states."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import (
    Mask,
    coded,
    flat_values,
    is_list,
    is_number,
    is_text,
    list_lengths,
)
from pipeline.validation.schema import domain_of, features_of

_WHOLE = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class RowCheck(ABC):
    """One thing that a schema says of every row of a column.

    Attributes:
        column: the column.
        reason: why a row that breaks it is left out, a key of `SCHEMA_REASONS`.
    """

    column: str
    reason: ClassVar[str]

    @abstractmethod
    def mask(self, array: pa.Array) -> Mask:
        """The rows `[n]` that break it.

        Args:
            array: the column `[n]`, single values or lists.

        Raises:
            ColumnError: if it holds neither numbers nor text, which a domain is of.
        """


@dataclass(frozen=True)
class NullCheck(RowCheck):
    """Every row has a value, or a list, be it empty: `presence.min_fraction` is 1."""

    reason = "null"

    def mask(self, array: pa.Array) -> Mask:
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        null: Mask = array.is_null().to_numpy(zero_copy_only=False)
        return null


@dataclass(frozen=True)
class LengthCheck(RowCheck):
    """Rows that are not null have so many values; a row of a column without lists has one.

    Attributes:
        low: the fewest.
        high: the most; None for any number.
    """

    low: int
    high: int | None
    reason = "wrong_length"

    def mask(self, array: pa.Array) -> Mask:
        present = ~NullCheck(self.column).mask(array)
        lengths = list_lengths(array) if is_list(array.type) else np.ones(len(array), np.int64)
        wrong = lengths < self.low
        if self.high is not None:
            wrong |= lengths > self.high
        out: Mask = wrong & present
        return out


class DomainCheck(RowCheck):
    """Every value is in a domain, the values of lists one by one; null is in every domain."""

    def mask(self, array: pa.Array) -> Mask:
        if not is_list(array.type):
            return self._of_values(array)
        out = np.zeros(len(array), bool)
        row = np.repeat(np.arange(len(array)), list_lengths(array))
        out[row[self._of_values(flat_values(array))]] = True
        return out

    def _of_values(self, values: pa.Array) -> Mask:
        if pa.types.is_null(values.type):
            return np.zeros(len(values), bool)
        if is_text(values.type):
            indices, words = coded(values)
            bad = [word is not None and self._is_bad_word(word) for word in words]
            return np.array(bad, bool).take(indices)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if not is_number(values.type):
            raise ColumnError(
                f"column '{self.column}' holds {values.type}, and the schema has a domain of"
                " numbers or text for it"
            )
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.int8())
        elif pa.types.is_float16(values.type):
            # A limit may be more than a half float can be.
            values = values.cast(pa.float32())
        valid = values.is_valid().to_numpy(zero_copy_only=False)
        if values.null_count:
            # Zeros keep large integers whole, which NaN would not.
            values = values.fill_null(pa.scalar(0, values.type))
        out: Mask = self._bad_numbers(values.to_numpy(zero_copy_only=False)) & valid
        return out

    @abstractmethod
    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        """Which numbers `[v]` are not in the domain."""

    @abstractmethod
    def _is_bad_word(self, word: str | bytes) -> bool:
        """Whether a word is not in the domain; words that are not UTF-8 are bytes."""


@dataclass(frozen=True)
class LowCheck(DomainCheck):
    """No number, or text of a number, is below one; NaN is not.

    Attributes:
        limit: the lowest number.
        whole: whether text is of integers.
    """

    limit: float | int
    whole: bool
    reason = "below_domain"

    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        below: Mask = numbers < self.limit
        return below

    def _is_bad_word(self, word: str | bytes) -> bool:
        number = _number(word, whole=self.whole)
        return number is not None and number < self.limit


@dataclass(frozen=True)
class HighCheck(DomainCheck):
    """No number, or text of a number, is above one; NaN is not.

    Attributes:
        limit: the highest number.
        whole: whether text is of integers.
    """

    limit: float | int
    whole: bool
    reason = "above_domain"

    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        above: Mask = numbers > self.limit
        return above

    def _is_bad_word(self, word: str | bytes) -> bool:
        number = _number(word, whole=self.whole)
        return number is not None and number > self.limit


@dataclass(frozen=True)
class FiniteCheck(DomainCheck):
    """No number is NaN, none is infinite, or both.

    Attributes:
        nan: whether NaN is refused.
        inf: whether the infinities are.
    """

    nan: bool
    inf: bool
    reason = "not_finite"

    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        bad = np.zeros(len(numbers), bool)
        if self.nan:
            bad |= np.isnan(numbers)
        if self.inf:
            bad |= np.isinf(numbers)
        return bad

    def _is_bad_word(self, word: str | bytes) -> bool:
        number = _number(word, whole=False)
        if number is None:
            return False
        return (self.nan and math.isnan(number)) or (self.inf and math.isinf(number))


@dataclass(frozen=True)
class NumberCheck(DomainCheck):
    """Text is of numbers, in decimal; numbers are.

    Attributes:
        whole: whether it is of integers.
    """

    whole: bool
    reason = "not_in_domain"

    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        return np.zeros(len(numbers), bool)

    def _is_bad_word(self, word: str | bytes) -> bool:
        return _number(word, whole=self.whole) is None


@dataclass(frozen=True)
class ValuesCheck(DomainCheck):
    """Every value is one of some words, or one of some numbers.

    Attributes:
        words: the words.
        numbers: the numbers.
    """

    words: frozenset[str]
    numbers: tuple[int, ...] = ()
    reason = "not_in_domain"

    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        return ~np.isin(numbers, self.numbers)

    def _is_bad_word(self, word: str | bytes) -> bool:
        return word not in self.words


def row_checks(
    schema: schema_pb2.Schema, environment: str | None, columns: Collection[str]
) -> list[RowCheck]:
    """What rows are to be checked for, plain data that can be sent to workers.

    The features that count are those of `schema_problems`. A string domain without words, or of
    which a share of the values may be missing (`min_domain_mass` below 1), is not checked by row;
    nor is a presence below 1, and nor are the lengths of lists of lists.

    Args:
        schema: the schema.
        environment: one of its environments; None for all.
        columns: the columns that are read.

    Returns:
        The checks, by column in the order of the schema, then in the order of `SCHEMA_REASONS`.

    Raises:
        ValueError: if the schema does not know the environment.
    """
    return [
        check
        for feature in features_of(schema, environment)
        if feature.name in columns
        for check in _checks(schema, feature)
    ]


def _checks(schema: schema_pb2.Schema, feature: schema_pb2.Feature) -> Iterator[RowCheck]:
    column = feature.name
    if feature.presence.min_fraction >= 1:
        yield NullCheck(column)
    low, high = _lengths(feature)
    if low or high is not None:
        yield LengthCheck(column, low, high)
    domain = domain_of(schema, feature)
    if isinstance(domain, schema_pb2.StringDomain):
        if domain.value and feature.distribution_constraints.min_domain_mass >= 1:
            yield ValuesCheck(column, frozenset(domain.value))
    elif isinstance(domain, schema_pb2.BoolDomain):
        words = (domain.true_value, domain.false_value)
        yield ValuesCheck(column, frozenset(word for word in words if word), (0, 1))
    elif domain is not None:
        whole = isinstance(domain, schema_pb2.IntDomain)
        if not whole and (domain.disallow_nan or domain.disallow_inf):
            yield FiniteCheck(column, domain.disallow_nan, domain.disallow_inf)
        if domain.HasField("min"):
            yield LowCheck(column, domain.min if whole else _as_written(domain.min), whole)
        if domain.HasField("max"):
            yield HighCheck(column, domain.max if whole else _as_written(domain.max), whole)
        if feature.type == schema_pb2.BYTES:
            yield NumberCheck(column, whole)


def _as_written(limit: float) -> float:
    """The shortest decimal of a limit, which a schema holds as float32: 0.1 is 0.1."""
    return float(str(np.float32(limit)))


def _lengths(feature: schema_pb2.Feature) -> tuple[int, int | None]:
    """How many values a row has at least and at most."""
    kind = feature.WhichOneof("shape_type")
    if kind == "shape":
        if all(dim.HasField("size") and dim.size >= 0 for dim in feature.shape.dim):
            size = math.prod(dim.size for dim in feature.shape.dim)
            return size, size
        return 0, None
    if kind == "value_counts":
        counts = list(feature.value_counts.value_count)
    else:
        counts = [feature.value_count] if kind == "value_count" else []
    if len(counts) != 1:
        return 0, None
    return counts[0].min, counts[0].max if counts[0].HasField("max") else None


def _number(word: str | bytes, *, whole: bool) -> float | int | None:
    """The number that a word is, None if it is none."""
    if isinstance(word, bytes):
        return None
    try:
        if whole:
            return int(word) if _WHOLE.fullmatch(word) else None
        return None if "_" in word else float(word)
    except ValueError:
        # No number, or an integer of more digits than Python reads.
        return None
