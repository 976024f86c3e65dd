"""The text of slices is bounded: all keys reach a worker in one piece, as do parts of counts."""

from __future__ import annotations

import zlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, Key
from heads.statistics.keys import key_text
from pipeline.errors.faults import BadData
from pipeline.evaluate import evaluate
from pipeline.evaluation.plan import PARTITION_BYTES
from pipeline.slicing import counting, text
from pipeline.slicing.counting import SliceCounter, SliceCounts, merge_counts
from pipeline.slicing.table import SliceTable, SpecSlices, decide, fixed_table
from pipeline.slicing.text import text_problems
from tests.pipeline.tables import PLAIN, binary_table, law, plan_of, rows_of


def slices_by(**values: list[str]) -> list[SpecSlices]:
    """An entry for each column, with a slice for each of its values."""
    keys = [[((name, "string", value),) for value in listed] for name, listed in values.items()]
    return [SpecSlices(tuple(some), (1,) * len(some)) for some in keys]


def test_text_up_to_the_bound_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = slices_by(a=["x" * 100] * 2, b=["y"] * 9)
    keys = [key for spec in slices for key in spec.keys]
    size = sum(len(key_text(key)) - len("[]") + text._FRAME for key in keys)
    monkeypatch.setattr(text, "MAX_BYTES", size)
    assert text_problems(slices, 0) == []
    monkeypatch.setattr(text, "MAX_BYTES", size - 1)
    (problem,) = text_problems(slices, 0)
    assert problem.startswith("slices[0]: the values of column 'a' in 2 slices take ")


def test_the_columns_of_the_most_text_are_told_until_the_others_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text, "MAX_BYTES", 1000)
    slices = slices_by(a=["x" * 900], b=["y" * 400], c=["界" * 700], d=["z" * 10])
    assert [problem.split(" take ")[0] for problem in text_problems(slices, 0)] == [
        "slices[2]: the values of column 'c' in 1 slices",
        "slices[0]: the values of column 'a' in 1 slices",
    ]


def test_a_slice_must_fit_beside_its_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_LONG", 50)
    slices = slices_by(a=["x"], b=["y" * 100])
    assert text_problems(slices, text.MAX_BYTES - 200) == []
    (problem,) = text_problems(slices, text.MAX_BYTES - 100)
    assert problem.startswith("slices[1]: the values of a slice by column 'b' take 121 bytes")


CONFIG = f"{PLAIN}\nslices: [g, {{columns: [g, h]}}]\nconfidence: {{folds: 0}}"


def test_a_run_of_too_much_text_ends_with_the_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_BYTES", 1000)
    table = binary_table(60, 0)
    table = table.append_column("h", pa.array([f"{'long ' * 20}{i % 7}" for i in range(60)]))
    with pytest.raises(BadData) as caught:
        evaluate(table, plan_of(CONFIG))
    (problem,) = caught.value.problems
    assert problem.startswith("slices[1]: the values of column 'h' in ")
    assert "lower 'max_slices'" in problem


def counts_of(values: list[str], bundles: int) -> list[SliceCounts]:
    """The merged counts of a column, counted in several bundles."""
    (spec,) = plan_of(f"{PLAIN}\nslices: [c]").config.slices
    found: dict[tuple[int, int], list[SliceCounts]] = {}
    for bundle in range(bundles):
        counter = SliceCounter([spec], 99)
        counter.add(rows_of({"c": values[bundle::bundles]}))
        for key, counts in counter.counts().items():
            found.setdefault(key, []).append(counts)
    merged = {key: merge_counts(parts, 99) for key, parts in found.items()}
    assert bool(decide([spec], merged, 99, 9).problems) == any(c.long for c in merged.values())
    return list(merged.values())


@law
@given(st.lists(st.text("ab", min_size=1, max_size=40), min_size=3, max_size=30), st.integers(1, 3))
def test_too_much_text_is_found_however_rows_are_cut(values: list[str], bundles: int) -> None:
    sizes = [0, 0]
    for value in set(values):
        encoded = key_text((("c", "string", value),)).encode()
        sizes[zlib.crc32(encoded) % 2] += len(encoded)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "MAX_BYTES", 200)
        patch.setattr(counting, "PARTS", 2)
        assert any(c.long for c in counts_of(values, bundles)) == (max(sizes) > 200)


def test_nothing_is_kept_of_a_column_of_too_much_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_BYTES", 10)
    (spec,) = plan_of(f"{PLAIN}\nslices: [c]").config.slices
    counter = SliceCounter([spec], 99_999)
    counter.add(rows_of({"c": [f"value {i}" for i in range(200)]}))
    assert counter.counts() == {(0, 0): SliceCounts(long=True)}
    counter.add(rows_of({"c": ["more"]}))
    (problem,) = decide([spec], counter.counts(), 99_999, 9).problems
    assert problem.startswith("slices[0]: column 'c' has too much text to be counted: ")


def test_partitions_of_long_keys_hold_few() -> None:
    plan = plan_of(CONFIG)
    short: list[Key] = [(("c", "string", f"{i}"),) for i in range(9)]
    long: list[Key] = [(("c", "string", f"{i}" + "界" * 100_000),) for i in range(8)]
    for keys, most in ((short, 9), (long, 3)):
        table = SliceTable((SpecSlices(tuple(keys), (1,) * len(keys)),), frozenset(keys))
        found = plan.partitions(table)
        assert found.keys() == {OVERALL, *keys}
        together = [sum(found[key] == n for key in keys) for n in set(found.values())]
        assert max(together) == most
    # Such a character takes six bytes in an encoded state.
    assert 3 * 600_000 <= PARTITION_BYTES < 4 * 600_000


def test_slices_without_end_are_counted_and_not_listed() -> None:
    edges = ", ".join(map(str, range(300)))
    columns = ", ".join(f"{{column: {name}, edges: [{edges}]}}" for name in "abcd")
    config = f"{PLAIN}\nslices: [{{columns: [{columns}], max_slices: 1000000000000}}]"
    assert fixed_table(plan_of(config).config.slices, 1 << 60) is None
