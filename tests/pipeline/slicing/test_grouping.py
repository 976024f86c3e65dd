"""Which specs are measured together: each in the first group that takes it, quickly found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.slices import Slice, SliceColumn
from pipeline.slicing import grouping
from pipeline.slicing.codes import make_codes
from pipeline.slicing.conditions import OTHER, other_key
from pipeline.slicing.grouping import MAX_CROSS, MAX_GRID, Group, group_specs
from pipeline.slicing.resolving import SpecResolver
from pipeline.slicing.table import SpecSlices
from tests.pipeline.slicing.by_row import law

COLUMNS = "abcdefgh"


def resolvers_of(specs: Sequence[tuple[Slice, SpecSlices]]) -> list[SpecResolver]:
    conditions: dict[str, dict[tuple[str, object], None]] = {}
    for spec, slices in specs:
        for position, part in enumerate(spec.parts):
            conditions.setdefault(repr(part), {}).update(
                (key[position][1:], None) for key in slices.keys if key[position][1] != OTHER
            )
    codes = {
        repr(part): make_codes(part, list(conditions[repr(part)]))  # type: ignore[arg-type]
        for spec, _ in specs
        for part in spec.parts
    }
    return [
        SpecResolver(spec, slices, [codes[repr(part)] for part in spec.parts])
        for spec, slices in specs
    ]


@st.composite
def a_spec(draw: st.DrawFn) -> tuple[Slice, SpecSlices]:
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3, unique=True))
    lists = draw(st.sampled_from([None, (0, 1)]))
    spec = Slice(columns=tuple(SliceColumn(column=name, values=lists) for name in names))
    most = 2 if lists else draw(st.integers(1, 6))
    rows = list(product(range(most), repeat=len(names)))
    kept = draw(st.lists(st.sampled_from(rows), min_size=1, max_size=20, unique=True))
    keys = [
        tuple((part.column, "int", value) for part, value in zip(spec.parts, row, strict=True))
        for row in sorted(kept)
    ]
    merged = draw(st.sampled_from([0, 0, 7]))
    all_keys = (*keys, *([other_key(spec)] if merged else []))
    return spec, SpecSlices(all_keys, (1,) * len(all_keys), merged)


def fits(resolvers: Sequence[SpecResolver], numbers: Sequence[int]) -> Group | None:
    """The group of some specs, all counted anew."""
    first: dict[int, tuple[int, int]] = {}
    conditions: dict[int, set[object]] = {}
    for number in numbers:
        resolver = resolvers[number]
        for position, codes in enumerate(resolver.column_codes):
            first.setdefault(id(codes), (number, position))
            found = conditions.setdefault(id(codes), set())
            found.update(key[position][1:] for key in resolver.keys if key[position][1] != OTHER)
            if resolver.has_other or resolver.spec.parts[position].values is not None:
                found.add(OTHER)
    grid = math.prod(len(resolvers[n].column_codes[at]) + 1 for n, at in first.values())
    if math.prod(map(len, conditions.values())) <= MAX_CROSS and grid <= MAX_GRID:
        return Group(tuple(numbers), tuple(first.values()))
    crossed: list[int] = []
    for number in numbers:
        if not is_determined(resolvers, crossed, number):
            crossed.append(number)
    outcomes = math.prod(len(resolvers[n].keys) + resolvers[n].listed for n in crossed)
    grid = math.prod(len(resolvers[n].keys) + 1 for n in crossed)
    if outcomes <= MAX_CROSS and grid <= MAX_GRID:
        return Group(tuple(numbers), (), tuple(crossed))
    return None


def is_determined(resolvers: Sequence[SpecResolver], crossed: Sequence[int], number: int) -> bool:
    wanted = {id(codes) for codes in resolvers[number].column_codes}
    return any(
        wanted <= {id(codes) for codes in resolvers[finer].column_codes}
        and not resolvers[finer].has_other
        and not resolvers[finer].listed
        for finer in crossed
    )


@law
@given(st.lists(a_spec(), min_size=1, max_size=14))
def test_a_spec_goes_to_the_first_group_that_can_take_it(
    specs: list[tuple[Slice, SpecSlices]],
) -> None:
    resolvers = resolvers_of(specs)
    expected: list[Group] = []
    for number in sorted(range(len(specs)), key=lambda n: (-len(specs[n][0].parts), n)):
        for at, group in enumerate(expected):
            together = (*group.specs, number)
            wider = fits(resolvers, together)
            if wider or is_determined(resolvers, group.crossed_specs, number):
                expected[at] = wider or Group(together, (), group.crossed_specs)
                break
        else:
            expected.append(fits(resolvers, [number]) or Group((number,), (), (number,)))
    assert group_specs(resolvers, range(len(specs))) == expected


@pytest.mark.parametrize("slices", [1, 2, 5, 20])
def test_groups_that_refuse_a_spec_are_not_asked_for_the_next_like_it(
    monkeypatch: pytest.MonkeyPatch, slices: int
) -> None:
    asked = [0]
    take = grouping._GrowingGroup.take

    def counting(self: grouping._GrowingGroup, shape: grouping._Shape) -> bool:
        asked[0] += 1
        return take(self, shape)

    monkeypatch.setattr(grouping._GrowingGroup, "take", counting)
    specs = []
    for number in range(300):
        spec = Slice(column=f"c{number}")
        keys = tuple(((f"c{number}", "int", value),) for value in range(slices))
        specs.append((spec, SpecSlices(keys, (1,) * slices)))
    groups = group_specs(resolvers_of(specs), range(300))
    assert sum(len(group.specs) for group in groups) == 300
    assert asked[0] <= 600
