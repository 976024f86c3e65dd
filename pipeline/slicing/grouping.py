"""Which specs are measured together, in the cross of their columns or of their slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from heads.statistics import Key
from pipeline.slicing.conditions import OTHER, ColumnCondition
from pipeline.slicing.resolving import SpecResolver

MAX_CROSS = 16
"""So many combinations a joint pass may have, as estimated from the table of slices."""

# A table over all combinations that can be thought of has at most so many cells.
MAX_GRID = 1 << 20


@dataclass(frozen=True)
class Group:
    """Specs that are measured in one pass, by what a row has in each of some factors.

    Attributes:
        specs: positions of the specs.
        parts: for each factor a spec and one of its columns, where the columns are crossed.
        factors: the specs whose slices are crossed, where the columns would be too many.
        alone: whether it is one spec by itself, whose rows need not all be in a slice, nor in one.
    """

    specs: tuple[int, ...]
    parts: tuple[tuple[int, int], ...] = ()
    factors: tuple[int, ...] = ()
    alone: bool = False


class ChangedError(Exception):
    """A slice of a spec was not there when slices were counted."""

    def __init__(self, spec: int) -> None:
        super().__init__(spec)
        self.spec = spec


def group_specs(specs: Sequence[SpecResolver], numbers: Sequence[int]) -> list[Group]:
    """Groups specs, the finest first; it depends on the table of slices alone.

    Args:
        specs: all specs.
        numbers: which of them to group.
    """
    groups: list[Group] = []
    for number in sorted(numbers, key=lambda n: (-len(specs[n].codes), n)):
        for place, group in enumerate(groups):
            wider = _group(specs, (*group.specs, number))
            if wider is not None or _carrier(specs, group.factors, number) is not None:
                groups[place] = wider or Group((*group.specs, number), (), group.factors)
                break
        else:
            groups.append(_group(specs, (number,)) or Group((number,), (), (number,)))
    return groups


def _group(specs: Sequence[SpecResolver], numbers: tuple[int, ...]) -> Group | None:
    """The specs as one group; None if there would be too many combinations."""
    parts: dict[int, tuple[int, int]] = {}
    seen: dict[int, set[ColumnCondition]] = {}
    open_: set[int] = set()
    for number in numbers:
        spec = specs[number]
        for place, codes in enumerate(spec.codes):
            parts.setdefault(id(codes), (number, place))
            own = seen.setdefault(id(codes), set())
            own.update(key[place][1:] for key in spec.keys if key[place][1] != OTHER)
            if spec.has_other or spec.spec.parts[place].values is not None:
                open_.add(id(codes))
    estimate = math.prod(max(1, len(own) + (of in open_)) for of, own in seen.items())
    grid = math.prod(len(specs[n].codes[place]) + 1 for n, place in parts.values())
    if estimate <= MAX_CROSS and grid <= MAX_GRID:
        return Group(numbers, tuple(parts.values()))
    factors: list[int] = []
    for number in numbers:
        if _carrier(specs, factors, number) is None:
            factors.append(number)
    sizes = [len(specs[n].keys) + specs[n].listed for n in factors]
    grid = math.prod(len(specs[n].keys) + 1 for n in factors)
    if math.prod(sizes) <= MAX_CROSS and grid <= MAX_GRID:
        return Group(numbers, (), tuple(factors))
    return None


def _carrier(specs: Sequence[SpecResolver], factors: Sequence[int], number: int) -> int | None:
    """The factor whose slices tell the slice of a spec; None if there is none.

    They do where its columns include those of the spec and every row has a slice of its own values.
    """
    own = {id(codes) for codes in specs[number].codes}
    for factor in factors:
        finer = specs[factor]
        if not finer.has_other and not finer.listed and own <= {id(codes) for codes in finer.codes}:
            return factor
    return None


class CrossResolver:
    """Resolves the combinations of a group.

    Args:
        specs: all specs.
        group: the group.
    """

    def __init__(self, specs: Sequence[SpecResolver], group: Group) -> None:
        self._specs = specs
        self._group = group
        if group.parts:
            self.sizes = [len(specs[n].codes[place]) + 1 for n, place in group.parts]
            self._own: list[list[ColumnCondition | None]] = [
                [None, *specs[n].codes[place].conditions()] for n, place in group.parts
            ]
            at = {id(specs[n].codes[place]): i for i, (n, place) in enumerate(group.parts)}
            self._places = [[at[id(codes)] for codes in specs[n].codes] for n in group.specs]
        else:
            self.sizes = [len(specs[n].keys) + 1 for n in group.factors]
            # For each spec the factor that tells its slice: itself, or one that is finer.
            self._tells = [
                group.factors.index(n if n in group.factors else _carrier(specs, group.factors, n))
                for n in group.specs
            ]

    @property
    def size(self) -> int:
        """How many combinations can be thought of."""
        return math.prod(self.sizes)

    def slices(self, combination: int) -> list[tuple[int, Key]]:
        """The slices of a combination, each with its spec.

        Raises:
            ChangedError: if a slice was not there when slices were counted.
        """
        digits: list[int] = []
        for size in reversed(self.sizes):
            combination, digit = divmod(combination, size)
            digits.insert(0, digit)
        found = []
        for position, number in enumerate(self._group.specs):
            try:
                key = self._key(position, number, digits)
            except KeyError as error:
                raise ChangedError(number) from error
            if key is not None:
                found.append((number, key))
        return found

    def _key(self, position: int, number: int, digits: list[int]) -> Key | None:
        spec = self._specs[number]
        if self._group.parts:
            return spec.key_of([self._own[at][digits[at]] for at in self._places[position]])
        factor = self._group.factors[self._tells[position]]
        digit = digits[self._tells[position]]
        if factor == number:
            return spec.keys[digit - 1] if digit else None
        own = {column: (kind, value) for column, kind, value in self._specs[factor].keys[digit - 1]}
        return spec.key_of([own[part.column] for part in spec.spec.parts])
