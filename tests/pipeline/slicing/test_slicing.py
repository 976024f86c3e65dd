"""Counting, deciding and slicing against the slices of every row."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics.keys import key_text
from pipeline.slicing import entries, grouping, numbering, resolving
from pipeline.slicing.conditions import key_order
from pipeline.slicing.counting import SliceCounter
from pipeline.slicing.slicer import Slicer
from pipeline.slicing.table import decide, fixed_table
from tests.pipeline.slicing.by_row import (
    MANY,
    count,
    counted,
    cut,
    expected_slices,
    found_slices,
    kept,
    law,
    merged,
    other_of,
    sliced_tables,
    table_of,
)


def texts(counter: SliceCounter, specs: Any) -> list[dict[str, int]]:
    counts: list[dict[str, int]] = [{} for _ in specs]
    for (spec, _), part in counter.counts().items():
        assert not counts[spec].keys() & part.counts.keys()
        counts[spec] |= part.counts
    return counts


@law
@given(sliced_tables(files=2), st.sampled_from([0, 1 << 16]))
def test_the_rows_of_every_slice_are_counted(table: Any, many: int) -> None:
    specs, files = table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbering, "MANY", many)
        counts = texts(count(specs, files), specs)
    expected = counted(specs, files)
    assert counts == [{key_text(key): n for key, n in counter.items()} for counter in expected]


@law
@given(sliced_tables(files=2), st.data())
def test_how_rows_are_cut_and_merged_changes_nothing(table: Any, data: Any) -> None:
    specs, files = table
    whole = table_of(specs, files, 3)
    pieces = [
        piece
        for rows in files
        for piece in cut(rows, data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    ]
    pieces = data.draw(st.permutations(pieces))
    middle = data.draw(st.integers(0, len(pieces)))
    counters = [count(specs, pieces[:middle]), count(specs, pieces[middle:])]
    counts = merged(counters)
    assert decide(specs, counts, MANY, 3) == whole
    assert decide(specs, dict(reversed(counts.items())), MANY, 3) == whole
    most = max(spec.max_slices for spec in specs)
    short = {key: part.keep(most) for key, part in counts.items()}
    assert decide(specs, short, MANY, 3) == whole


@law
@given(sliced_tables(), st.sampled_from([0, 1, 3, 200]))
def test_the_largest_slices_are_kept(table: Any, max_largest: int) -> None:
    specs, files = table
    decided = table_of(specs, files, max_largest)
    counters = counted(specs, files)
    rows: Counter[Any] = Counter()
    for spec, slices, counter in zip(specs, decided.specs, counters, strict=True):
        kept_keys = kept(spec, counter)
        keys = sorted(kept_keys, key=key_order)
        folded = len(counter) - len(kept_keys)
        assert slices.merged_into_other == folded
        assert list(slices.keys) == keys + [other_of(spec)] * (folded > 0)
        for key, examples in zip(slices.keys, slices.examples, strict=True):
            if key in kept_keys:
                assert examples == counter[key]
                rows[key] = counter[key]
            else:
                other_rows = sum(counter[key] for key in counter if key not in kept_keys)
                assert examples in (None, other_rows)
                rows[key] = other_rows
    ranked = sorted(rows, key=lambda key: (-rows[key], key_text(key)))
    if not decided.problems:
        assert decided.largest == set(ranked[:max_largest])
    assert pickle.loads(pickle.dumps(decided)) == decided


@pytest.mark.slow
@law
@given(
    sliced_tables(files=2),
    st.sampled_from([0, 1, 5, 200]),
    st.sampled_from([1, 8, 4096]),
    st.sampled_from([1, 20, 1 << 20]),
    st.sampled_from([1, 10, 1 << 18]),
    st.data(),
)
def test_rows_are_measured_in_their_slices(
    table: Any, max_largest: int, cross: int, grid: int, dense: int, data: Any
) -> None:
    specs, files = table
    decided = table_of(specs, files, max_largest)
    if decided.problems:
        return
    expected = expected_slices(specs, files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "MAX_CROSS", cross)
        patch.setattr(grouping, "MAX_GRID", grid)
        patch.setattr(resolving, "DENSE", dense)
        slicer = Slicer(specs, decided)
        assert found_slices(slicer, files) == expected
        pieces = [
            piece
            for rows in files
            for piece in cut(rows, data.draw(st.lists(st.integers(0, len(rows)), max_size=2)))
        ]
        assert found_slices(slicer, pieces) == expected
        assert found_slices(Slicer(specs, decided), pieces) == expected


@law
@given(sliced_tables(files=2))
def test_a_fixed_table_has_the_slices_of_every_row(table: Any) -> None:
    specs, files = table
    fixed = fixed_table(specs, 200)
    if fixed is None:
        return
    assert found_slices(Slicer(specs, fixed), files) == expected_slices(specs, files)
    for slices, counter in zip(fixed.specs, counted(specs, files), strict=True):
        assert set(slices.keys) >= counter.keys()
        assert list(slices.keys) == sorted(slices.keys, key=key_order)
    assert fixed.largest == {key for slices in fixed.specs for key in slices.keys}


def test_the_bound_of_combinations_is_the_one_told() -> None:
    assert entries.MAX_COMBINATIONS == 1000
