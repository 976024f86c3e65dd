"""Decides which specs are measured together, in a cross of their columns or of their slices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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

    The groups depend on the table of slices alone, so that they are the same for all batches. Every
    spec goes to the first group that can take it.

    Args:
        resolvers: the resolvers of all specs.
        numbers: the positions of the specs to group.
    """
    groups: list[_GrowingGroup] = []
    # The positions of the groups that have a column.
    having: dict[int, set[int]] = {}
    # All groups before this position have refused a spec of such sizes, of whose columns they have
    # none. They only grow, and so refuse all such specs.
    first_open: dict[tuple[int, ...], int] = {}
    for number in sorted(numbers, key=lambda n: (-len(resolvers[n].column_codes), n)):
        shape = _Shape.of(number, resolvers[number])
        related = set().union(*(having.get(column, ()) for column in shape.columns))
        start = first_open.get(shape.sizes, 0)
        candidates = [*sorted(n for n in related if n < start), *range(start, len(groups))]
        taken = next((n for n in candidates if groups[n].take(shape)), len(groups))
        if taken == len(groups):
            groups.append(_GrowingGroup(shape))
        while start < taken and start not in related:
            start += 1
        first_open[shape.sizes] = start
        for column in shape.columns:
            having.setdefault(column, set()).add(taken)
    return [group.group() for group in groups]


class _Column(NamedTuple):
    """What a spec has of a column.

    Attributes:
        position: the position of the column in the spec.
        codes: how many codes the column has.
        conditions: the conditions of the slices.
        is_open: whether there may be values which are in no slice, or in `other`.
    """

    position: int
    codes: int
    conditions: frozenset[ColumnCondition]
    is_open: bool


@dataclass(frozen=True)
class _Shape:
    """What tells with which other specs a spec can be measured.

    Attributes:
        number: the position of the spec.
        columns: the columns of the spec, by the `id` of their encoder.
        slices: how many slices there are.
        outcomes: the same, and that a row is in none of them; at least 1.
        estimate: how many combinations of conditions of its columns there are.
        grid: how many combinations of codes there are.
        resolver: the resolver of the spec.
    """

    number: int
    columns: Mapping[int, _Column]
    slices: int
    outcomes: int
    estimate: int
    grid: int
    resolver: SpecResolver

    @classmethod
    def of(cls, number: int, resolver: SpecResolver) -> _Shape:
        """Returns the shape of the spec at a position."""
        columns = {
            id(codes): _Column(
                position,
                len(codes),
                frozenset(key[position][1:] for key in resolver.keys if key[position][1] != OTHER),
                resolver.has_other or resolver.spec.parts[position].values is not None,
            )
            for position, codes in enumerate(resolver.column_codes)
        }
        return cls(
            number,
            columns,
            len(resolver.keys),
            max(1, len(resolver.keys) + resolver.listed),
            math.prod(
                _estimate(len(column.conditions), column.is_open) for column in columns.values()
            ),
            math.prod(column.codes + 1 for column in columns.values()),
            resolver,
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """What decides whether a group takes the spec that has none of its columns."""
        return self.slices, self.outcomes, self.estimate, self.grid


def _estimate(conditions: int, is_open: bool) -> int:
    return max(1, conditions + is_open)


class _GrowingGroup:
    """A group that takes specs; it knows the numbers of combinations, and does not count anew.

    Args:
        shape: the first spec, which may have too many combinations to be joined by others.
    """

    def __init__(self, shape: _Shape) -> None:
        self._specs: list[int] = []
        # What the columns of all specs have together, and the spec and the position of the first.
        self._columns: dict[int, tuple[tuple[int, int], set[ColumnCondition], bool]] = {}
        self._estimate = self._grid = 1
        self._crossed: list[_Shape] = []
        self._outcomes = self._crossed_grid = 1
        self._by_columns = True
        self._add(shape, shape.estimate, shape.grid, is_determined=False)

    def group(self) -> Group:
        """Returns the group of the specs that were taken."""
        specs = tuple(self._specs)
        if self._by_columns:
            return Group(specs, tuple(first for first, _, _ in self._columns.values()))
        return Group(specs, (), tuple(shape.number for shape in self._crossed))

    def take(self, shape: _Shape) -> bool:
        """Takes a spec if it can be measured with the others, and returns whether it can."""
        estimate, grid = self._together(shape)
        by_columns = self._by_columns and estimate <= MAX_CROSS and grid <= MAX_GRID
        is_determined = any(finer.resolver.determines(shape.resolver) for finer in self._crossed)
        if not by_columns:
            outcomes, crossed_grid = self._crossed_together(shape, is_determined)
            fits = outcomes <= MAX_CROSS and crossed_grid <= MAX_GRID
            if not fits and (self._by_columns or not is_determined):
                return False
        self._add(shape, estimate, grid, is_determined=is_determined)
        return True

    def _together(self, shape: _Shape) -> tuple[int, int]:
        """Returns how many combinations there are with a spec: of conditions, and of codes."""
        estimate, grid = self._estimate * shape.estimate, self._grid * shape.grid
        for column in shape.columns.keys() & self._columns.keys():
            _, conditions, is_open = self._columns[column]
            more = shape.columns[column]
            before = _estimate(len(conditions), is_open)
            added = _estimate(len(more.conditions), more.is_open)
            together = _estimate(len(conditions | more.conditions), is_open or more.is_open)
            estimate = estimate // (before * added) * together
            grid //= more.codes + 1
        return estimate, grid

    def _crossed_together(self, shape: _Shape, is_determined: bool) -> tuple[int, int]:
        """Returns how many combinations there are with the slices of a spec, and of digits."""
        if is_determined:
            return self._outcomes, self._crossed_grid
        return self._outcomes * shape.outcomes, self._crossed_grid * (shape.slices + 1)

    def _add(self, shape: _Shape, estimate: int, grid: int, *, is_determined: bool) -> None:
        """Adds a spec, with which there are so many combinations.

        Args:
            shape: the spec.
            estimate: how many combinations of conditions there are then.
            grid: how many combinations of codes there are then.
            is_determined: whether the slices of a crossed spec determine that of the spec.
        """
        self._specs.append(shape.number)
        for column, part in shape.columns.items():
            first, conditions, is_open = self._columns.get(
                column, ((shape.number, part.position), set(), False)
            )
            self._columns[column] = first, conditions | part.conditions, is_open or part.is_open
        self._estimate, self._grid = estimate, grid
        self._by_columns &= estimate <= MAX_CROSS and grid <= MAX_GRID
        self._outcomes, self._crossed_grid = self._crossed_together(shape, is_determined)
        if not is_determined:
            self._crossed.append(shape)


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
                group.crossed_specs.index(n)
                if n in group.crossed_specs
                else next(
                    digit
                    for digit, finer in enumerate(group.crossed_specs)
                    if resolvers[finer].determines(resolvers[n])
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
