"""Decides which specs are measured together, in a cross of their columns or of their slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from heads.statistics import Key
from pipeline.slicing.conditions import OTHER, ColumnCondition
from pipeline.slicing.resolving import SpecResolver

MAX_CROSS = 16
"""The largest number of combinations of a joint pass, as estimated from the table of slices."""

# The largest number of cells of a table that has a cell for every possible combination.
MAX_GRID = 1 << 20


@dataclass(frozen=True)
class Group:
    """A group of specs that are measured in one pass.

    A combination of the group says what an entry has in every crossed column, or in which slice of
    every crossed spec it is. `crossed_columns`, `crossed_specs` or both are empty.

    Attributes:
        specs: the positions of the specs in the group.
        crossed_columns: the columns that are crossed, each as the position of a spec and the
            position of the column in this spec.
        crossed_specs: the positions of the specs whose slices are crossed, if a cross of columns
            would have too many combinations.
        alone: whether the group is a single spec whose rows may be in no slice or in several.
    """

    specs: tuple[int, ...]
    crossed_columns: tuple[tuple[int, int], ...] = ()
    crossed_specs: tuple[int, ...] = ()
    alone: bool = False


class ChangedError(Exception):
    """A slice was not there when slices were counted.

    Args:
        spec: the position of the spec of the slice.
    """

    def __init__(self, spec: int) -> None:
        super().__init__(spec)
        self.spec = spec


def group_specs(resolvers: Sequence[SpecResolver], numbers: Sequence[int]) -> list[Group]:
    """Returns groups of specs, those of the most columns first.

    The groups depend on the table of slices alone, so that they are the same for all batches.

    Args:
        resolvers: the resolvers of all specs.
        numbers: the positions of the specs to group.
    """
    groups: list[Group] = []
    for number in sorted(numbers, key=lambda n: (-len(resolvers[n].column_codes), n)):
        for position, group in enumerate(groups):
            specs = (*group.specs, number)
            wider = _joint_group(resolvers, specs)
            if wider is not None or _finer_spec(resolvers, group.crossed_specs, number) is not None:
                groups[position] = wider or Group(specs, (), group.crossed_specs)
                break
        else:
            groups.append(_joint_group(resolvers, (number,)) or Group((number,), (), (number,)))
    return groups


def _joint_group(resolvers: Sequence[SpecResolver], numbers: tuple[int, ...]) -> Group | None:
    """Returns one group of all these specs; None if it would have too many combinations."""
    columns: dict[int, tuple[int, int]] = {}
    conditions_by_column: dict[int, set[ColumnCondition]] = {}
    # Columns that may have values which are in no slice, or in `other`.
    open_columns: set[int] = set()
    for number in numbers:
        resolver = resolvers[number]
        for position, codes in enumerate(resolver.column_codes):
            columns.setdefault(id(codes), (number, position))
            conditions = conditions_by_column.setdefault(id(codes), set())
            conditions.update(
                key[position][1:] for key in resolver.keys if key[position][1] != OTHER
            )
            if resolver.has_other or resolver.spec.parts[position].values is not None:
                open_columns.add(id(codes))
    estimate = math.prod(
        max(1, len(conditions) + (column in open_columns))
        for column, conditions in conditions_by_column.items()
    )
    grid = math.prod(len(resolvers[n].column_codes[i]) + 1 for n, i in columns.values())
    if estimate <= MAX_CROSS and grid <= MAX_GRID:
        return Group(numbers, tuple(columns.values()))
    crossed_specs: list[int] = []
    for number in numbers:
        if _finer_spec(resolvers, crossed_specs, number) is None:
            crossed_specs.append(number)
    sizes = [len(resolvers[n].keys) + resolvers[n].listed for n in crossed_specs]
    grid = math.prod(len(resolvers[n].keys) + 1 for n in crossed_specs)
    if math.prod(sizes) <= MAX_CROSS and grid <= MAX_GRID:
        return Group(numbers, (), tuple(crossed_specs))
    return None


def _finer_spec(
    resolvers: Sequence[SpecResolver], crossed_specs: Sequence[int], number: int
) -> int | None:
    """Returns the crossed spec whose slices determine the slice of a spec; None if there is none.

    The slices of a finer spec do so if its columns include those of the spec, and if every row is
    in a slice of its values, that is, neither in `other` nor in no slice.
    """
    columns = {id(codes) for codes in resolvers[number].column_codes}
    for crossed_spec in crossed_specs:
        finer = resolvers[crossed_spec]
        finer_columns = {id(codes) for codes in finer.column_codes}
        if not finer.has_other and not finer.listed and columns <= finer_columns:
            return crossed_spec
    return None


class CrossResolver:
    """A resolver, which finds the slices of the combinations of a group.

    A combination is one number, whose digits say what an entry has in the crossed columns (the code
    plus 1) or specs (the position of the slice plus 1). The digit is 0 for no code or no slice.

    Args:
        resolvers: the resolvers of all specs.
        group: the group.

    Attributes:
        sizes: the base of every digit, that of the highest digit first.
    """

    def __init__(self, resolvers: Sequence[SpecResolver], group: Group) -> None:
        self._resolvers = resolvers
        self._group = group
        if group.crossed_columns:
            crossed = [resolvers[n].column_codes[i] for n, i in group.crossed_columns]
            self.sizes = [len(codes) + 1 for codes in crossed]
            # For every crossed column the condition of each digit.
            self._conditions: list[list[ColumnCondition | None]] = [
                [None, *codes.conditions()] for codes in crossed
            ]
            digit_of = {id(codes): i for i, codes in enumerate(crossed)}
            # For every spec of the group the digits of its columns.
            self._column_digits = [
                [digit_of[id(codes)] for codes in resolvers[n].column_codes] for n in group.specs
            ]
        else:
            self.sizes = [len(resolvers[n].keys) + 1 for n in group.crossed_specs]
            # For every spec the digit that determines its slice, which may be of a finer spec.
            self._spec_digits = [
                group.crossed_specs.index(
                    n
                    if n in group.crossed_specs
                    else _finer_spec(resolvers, group.crossed_specs, n)
                )
                for n in group.specs
            ]

    @property
    def size(self) -> int:
        """The number of possible combinations."""
        return math.prod(self.sizes)

    def slices(self, combination: int) -> list[tuple[int, Key]]:
        """Returns the slices of a combination, each as the position of its spec and its key.

        Raises:
            ChangedError: if a slice was not there when slices were counted.
        """
        digits: list[int] = []
        for size in reversed(self.sizes):
            combination, digit = divmod(combination, size)
            digits.insert(0, digit)
        slices = []
        for position, number in enumerate(self._group.specs):
            try:
                key = self._key(position, number, digits)
            except KeyError as error:
                raise ChangedError(number) from error
            if key is not None:
                slices.append((number, key))
        return slices

    def _key(self, position: int, number: int, digits: list[int]) -> Key | None:
        """Returns the key of the slice of a spec; None if the combination is in none of its slices.

        Args:
            position: the position of the spec in the group.
            number: the position of the spec among all specs.
            digits: the digits of the combination.

        Raises:
            KeyError: if the slice was not there when slices were counted.
        """
        resolver = self._resolvers[number]
        if self._group.crossed_columns:
            return resolver.key_of(
                [self._conditions[i][digits[i]] for i in self._column_digits[position]]
            )
        crossed_spec = self._group.crossed_specs[self._spec_digits[position]]
        digit = digits[self._spec_digits[position]]
        if crossed_spec == number:
            return resolver.keys[digit - 1] if digit else None
        finer_key = self._resolvers[crossed_spec].keys[digit - 1]
        conditions = {column: (kind, value) for column, kind, value in finer_key}
        return resolver.key_of([conditions[part.column] for part in resolver.spec.parts])
