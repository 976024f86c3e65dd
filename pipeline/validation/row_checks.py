"""Checks rows against the domains, presence and lengths that a schema states."""

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
from pipeline.readers.arrow_types import is_list, is_number, is_text
from pipeline.readers.rows import (
    Mask,
    coded,
    filled,
    flat_values,
    list_lengths,
)
from pipeline.validation.schema import Domains, domain_of, features_of, named_domains

_WHOLE = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class RowCheck(ABC):
    """The base class of checks: a check is a rule of a schema for all rows of a column.

    Attributes:
        column: the name of the column.
        reason: why a row that breaks the rule is left out, a key of `SCHEMA_REASONS`.
    """

    column: str
    reason: ClassVar[str]

    @abstractmethod
    def mask(self, array: pa.Array) -> Mask:
        """Returns which rows break the rule, bool `[n]`.

        Args:
            array: the column `[n]`, of single values or lists.

        Raises:
            ColumnError: if the rule is a domain, and the column has neither numbers nor text.
        """


@dataclass(frozen=True)
class NullCheck(RowCheck):
    """A check that every row has a value or a list, which may be empty.

    It stands for a `presence.min_fraction` of 1.
    """

    reason = "null"

    def mask(self, array: pa.Array) -> Mask:
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        null: Mask = array.is_null().to_numpy(zero_copy_only=False)
        return null


@dataclass(frozen=True)
class LengthCheck(RowCheck):
    """A check of the number of values in every row that is not null.

    A row of a column without lists has 1 value.

    Attributes:
        low: the least number of values.
        high: the largest number of values; None for no limit.
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
    """The base class of checks that every value, also in a list, is in a domain.

    Null is in all domains.
    """

    def mask(self, array: pa.Array) -> Mask:
        if not is_list(array.type):
            return self._bad_values(array)
        out = np.zeros(len(array), bool)
        value_rows = np.repeat(np.arange(len(array)), list_lengths(array))
        out[value_rows[self._bad_values(flat_values(array))]] = True
        return out

    def _bad_values(self, values: pa.Array) -> Mask:
        """Returns which single values are not in the domain, bool `[v]`."""
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
        valid = values.is_valid().to_numpy(zero_copy_only=False)
        out: Mask = self._bad_numbers(filled(values)) & valid
        return out

    @abstractmethod
    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        """Returns which numbers, of any dtype that `filled` returns, are not in the domain."""

    @abstractmethod
    def _is_bad_word(self, word: str | bytes) -> bool:
        """Returns whether a word is not in the domain; a word that is not UTF-8 is bytes."""


@dataclass(frozen=True)
class LowCheck(DomainCheck):
    """A check that no number, also as text, is below a limit; NaN is not below it.

    Attributes:
        limit: the lowest number allowed.
        whole: whether text must be an integer to count as a number.
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
    """A check that no number, also as text, is above a limit; NaN is not above it.

    Attributes:
        limit: the highest number allowed.
        whole: whether text must be an integer to count as a number.
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
    """A check that no number, also as text, is NaN or infinite.

    Attributes:
        nan: whether NaN is refused.
        inf: whether the infinities are refused.
    """

    nan: bool
    inf: bool
    reason = "not_finite"

    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        bad = np.zeros(len(numbers), bool)
        if numbers.dtype == object:
            return bad
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
    """A check that every text is a decimal number; a column of numbers always passes.

    Attributes:
        whole: whether the text must be an integer.
    """

    whole: bool
    reason = "not_in_domain"

    def _bad_numbers(self, numbers: npt.NDArray[Any]) -> Mask:
        return np.zeros(len(numbers), bool)

    def _is_bad_word(self, word: str | bytes) -> bool:
        return _number(word, whole=self.whole) is None


@dataclass(frozen=True)
class ValuesCheck(DomainCheck):
    """A check that every value is an allowed word or an allowed number.

    Attributes:
        words: the allowed words, for a column of text.
        numbers: the allowed numbers, for a column of numbers.
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
    """Returns the checks of rows for a schema, as plain data that can be sent to workers.

    The checks are for the features that `features_of` yields. Rules that cannot be decided for a
    single row are not checked: a string domain that some values may miss (`min_domain_mass` below
    1), and a presence below 1. A string domain without words, and the lengths of lists of lists,
    are not checked either.

    Args:
        schema: the schema.
        environment: an environment of the schema; None for all environments.
        columns: the names of the columns that are read.

    Returns:
        The checks, by column in the order of the schema, then in the order of `SCHEMA_REASONS`.

    Raises:
        ValueError: if the schema does not know the environment.
    """
    domains, names = named_domains(schema), frozenset(columns)
    return [
        check
        for feature in features_of(schema, environment)
        if feature.name in names
        for check in _checks(domains, feature)
    ]


def _checks(domains: Domains, feature: schema_pb2.Feature) -> Iterator[RowCheck]:
    """Yields the checks of a feature."""
    column = feature.name
    if feature.presence.min_fraction >= 1:
        yield NullCheck(column)
    low, high = _lengths(feature)
    if low or high is not None:
        yield LengthCheck(column, low, high)
    domain = domain_of(domains, feature)
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
    """Returns the shortest decimal of a limit, which a schema holds as float32: 0.1 stays 0.1."""
    return float(str(np.float32(limit)))


def _lengths(feature: schema_pb2.Feature) -> tuple[int, int | None]:
    """Returns the least and the largest number of values of a row; None for no largest number."""
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
    """Returns the number that a word stands for; None if it is not a number.

    Args:
        word: the word; a word that is not UTF-8 is bytes.
        whole: whether only integers count as numbers.
    """
    if isinstance(word, bytes):
        return None
    try:
        if whole:
            return int(word) if _WHOLE.fullmatch(word) else None
        return None if "_" in word else float(word)
    except ValueError:
        # The word is no number, or an integer of more digits than Python can read.
        return None
