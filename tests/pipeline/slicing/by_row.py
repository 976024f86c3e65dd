"""Slices row by row, without a word of the implementation; and tables to slice, for hypothesis."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from heads.statistics import OVERALL, Key
from heads.statistics.keys import key_text
from pipeline.config.load import parse_config
from pipeline.config.slices import Slice
from pipeline.readers.rows import Rows
from pipeline.slicing.counting import SliceCounter, SliceCounts, merge_counts
from pipeline.slicing.slicer import Slicer
from pipeline.slicing.table import SliceTable, decide
from tests.pipeline.arrow_columns import lists_of

HEADS = "heads: {h: {type: binary, logits: s, label: y}}\n"
MANY = 1_000_000

law = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def specs_of(text: str) -> tuple[Slice, ...]:
    return parse_config(f"{HEADS}slices: {text}", "c.yaml").slices


def rows_of(columns: dict[str, Any], first: int = 0) -> Rows:
    batch = pa.record_batch(columns)
    return Rows(batch, np.arange(first, first + batch.num_rows), "a.parquet", {})


def cut(rows: Rows, bounds: Sequence[int]) -> list[Rows]:
    """The rows in pieces."""
    edges = [0, *sorted(bounds), len(rows)]
    return [
        Rows(rows.batch.slice(a, b - a), rows.numbers[a:b], rows.path, rows.directory)
        for a, b in pairwise(edges)
    ]


def slices_by_row(specs: Sequence[Slice], rows: Rows) -> list[list[set[Key]]]:
    """For every row and spec the slices that the row is in, before any is folded."""
    cells = {
        part.column: (rows.column(part.column).to_pylist(), rows.column(part.column).type)
        for spec in specs
        for part in spec.parts
    }
    slices = []
    for i in range(len(rows)):
        of_row = []
        for spec in specs:
            conditions = []
            for part in spec.parts:
                column, type_ = cells[part.column]
                conditions.append(conditions_of_cell(part, column[i], type_))
            of_row.append(set(product(*conditions)))
        slices.append(of_row)
    return slices


def conditions_of_cell(part: Any, cell: Any, type_: pa.DataType) -> set[Any]:
    is_list = isinstance(cell, list)
    inner = (
        type_.value_type
        if not pa.types.is_dictionary(type_) and hasattr(type_, "value_field")
        else type_
    )
    values = (cell or [None]) if is_list else [cell]
    conditions = {condition(part, value, inner) for value in values}
    return {(part.column, *item) for item in conditions if item is not None}


def condition(part: Any, value: Any, type_: pa.DataType) -> Any:
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if part.values is not None:
        for listed in part.values:
            if listed is None and value is None:
                return "missing", None
            same_kind = isinstance(listed, bool) == isinstance(value, bool)
            if not same_kind or listed is None or value is None:
                continue
            if isinstance(value, float) and isinstance(listed, int | float):
                narrow = np.float32 if type_ == pa.float32() else np.float64
                if narrow(listed) == value:
                    return plain(listed)
            elif isinstance(value, bytes) and isinstance(listed, str):
                if listed.encode() == value:
                    return plain(listed)
            elif listed == value:
                return plain(listed)
        return None
    if part.edges is not None and value is not None and not math.isnan(value):
        marks = [repr(edge) for edge in part.edges]
        below = "(-inf"
        for edge, mark in zip(part.edges, marks, strict=True):
            at = np.float32(edge) if type_ == pa.float32() and abs(edge) < 1e38 else edge
            if value < at:
                return "bucket", f"{below}, {mark})"
            below = f"[{mark}"
        return "bucket", f"{below}, inf)"
    return plain(value)


def plain(value: Any) -> Any:
    match value:
        case None:
            return "missing", None
        case bool():
            return "bool", value
        case int():
            return "int", value
        case float():
            return "float", repr(value + 0.0)
        case str():
            return "string", value
        case datetime.date():
            return "date", value.isoformat()
    text = value.decode("utf-8", "ignore")
    is_text = text.encode() == value
    return "string" if is_text else "bytes", text if is_text else value.hex()


def counted(specs: Sequence[Slice], rows: Sequence[Rows]) -> list[Counter[Key]]:
    """The rows of every slice by spec."""
    counters: list[Counter[Key]] = [Counter() for _ in specs]
    for batch in rows:
        for of_row in slices_by_row(specs, batch):
            for counter, keys in zip(counters, of_row, strict=True):
                counter.update(keys)
    return counters


def kept(spec: Slice, counter: Counter[Key]) -> set[Key]:
    ranked = sorted(counter, key=lambda key: (-counter[key], key_text(key)))
    return set(ranked[: spec.max_slices])


def other_of(spec: Slice) -> Key:
    return tuple((part.column, "other", None) for part in spec.parts)


def expected_slices(specs: Sequence[Slice], rows: Sequence[Rows]) -> list[Counter[Key]]:
    """For every row the slices it counts in, once each, overall included; in the order of rows."""
    keep = [kept(spec, counter) for spec, counter in zip(specs, counted(specs, rows), strict=True)]
    expected = []
    for batch in rows:
        for of_row in slices_by_row(specs, batch):
            slices = {OVERALL}
            for spec, kept_keys, keys in zip(specs, keep, of_row, strict=True):
                slices |= {key if key in kept_keys else other_of(spec) for key in keys}
            expected.append(Counter(slices))
    return expected


def count(specs: Sequence[Slice], rows: Sequence[Rows], max_distinct: int = MANY) -> SliceCounter:
    counter = SliceCounter(specs, max_distinct)
    for batch in rows:
        counter.add(batch)
    return counter


def merged(counters: Sequence[SliceCounter], max_distinct: int = MANY) -> Any:
    parts: dict[tuple[int, int], list[SliceCounts]] = {}
    for counter in counters:
        for key, counts in counter.counts().items():
            parts.setdefault(key, []).append(counts)
    return {key: merge_counts(of_part, max_distinct) for key, of_part in parts.items()}


def table_of(specs: Sequence[Slice], rows: Sequence[Rows], max_largest: int = 200) -> SliceTable:
    return decide(specs, merged([count(specs, rows)]), MANY, max_largest)


def found_slices(slicer: Slicer, rows: Sequence[Rows]) -> list[Counter[Key]]:
    """For every row the slices it counts in, as the passes give them, checked on the way."""
    counters = []
    lists: dict[tuple[int, Key], tuple[Any, bool]] = {}
    for batch in rows:
        of_rows: list[Counter[Key]] = [Counter() for _ in range(len(batch))]
        passes = slicer.segments(batch)
        # What was given before can be read from the last passes.
        assert {position for position, _ in lists} <= set(range(len(passes)))
        for position, pass_ in enumerate(passes):
            segments = pass_.segments
            assert segments.index.dtype == np.int64
            assert len(segments.keys) == len(pass_.slices) == len(pass_.top_slice)
            assert len(set(segments.keys)) == len(segments.keys)
            assert {key for at, key in lists if at == position} <= set(segments.keys)
            for key, slices, large in zip(
                segments.keys, pass_.slices, pass_.top_slice.tolist(), strict=True
            ):
                # A key of a position never changes its meaning.
                assert lists.setdefault((position, key), (slices, large)) == (slices, large)
                assert (OVERALL in slices) == (position == 0)
            index = segments.index.tolist()
            entry_rows = range(len(batch)) if segments.rows is None else segments.rows.tolist()
            for row, at in zip(entry_rows, index, strict=True):
                of_rows[row].update(pass_.slices[at])
        counters += of_rows
    return counters


VALUES: dict[pa.DataType, list[Any]] = {
    pa.int8(): [-128, 0, 1, 18, 127, None],
    pa.int64(): [-(2**63), 2**63 - 1, 2**53 + 1, 18, 30, 0, None],
    pa.uint64(): [2**64 - 1, 2**63, 18, 0, None],
    pa.float32(): [0.1, 18.0, 0.5, math.nan, math.inf, None],
    pa.float64(): [math.nan, math.inf, -math.inf, 0.0, -0.0, 0.1, 18.0, 5e-324, None],
    pa.bool_(): [True, False, None],
    pa.string(): ["", "missing", "nan", "1", "é\n", "a", None],
    pa.large_string(): ["a", "A", None],
    pa.binary(): [b"", b"\xff", b"a", "é".encode(), None],
    pa.large_binary(): [b"\x00", b"a", None],
    pa.date32(): [datetime.date(2026, 11, 1), datetime.date(1970, 1, 1), None],
    pa.null(): [None],
}
NUMBERS = [type_ for type_, values in VALUES.items() if plain(values[0])[0] in ("int", "float")]
LISTED: dict[str, list[list[Any]]] = {
    "number": [[18], [0, 1, None], [0.1, 18, 2**63], [0.5, -128, 2**53 + 1, 5e-324]],
    "text": [["a"], ["", "nan", None], ["A", "é\n", "1"]],
    "bool": [[True], [False, None]],
}
EDGES = [[18], [0.1, 18], [-(2**63), 0, 2**63 - 1], [-1e300, -0.5, 18.5, 1e300], [0, 2**63]]


def a_column(draw: st.DrawFn, n: int, type_: pa.DataType) -> pa.Array:
    values = st.sampled_from(VALUES[type_])
    forms = ["plain", "hidden", "list"]
    forms += [] if pa.types.is_null(type_) else ["coded", "odd", "coded_list"]
    form = draw(st.sampled_from(forms))
    if "list" in form:
        cell = st.none() | st.lists(values, max_size=3) | st.lists(values, min_size=1, max_size=1)
        array = lists_of(draw, draw(st.lists(cell, min_size=n, max_size=n)), type_)
        if form == "coded_list" and pa.types.is_list(array.type):
            coded = pa.ListArray.from_arrays(array.offsets, array.values.dictionary_encode())
            return hidden(coded)
        return array
    array = pa.array(draw(st.lists(values, min_size=n, max_size=n)), type_)
    match form:
        case "hidden":
            return hidden(array)
        case "coded":
            return hidden(array.dictionary_encode())
        case "odd":
            # Unused, repeated and null values in the dictionary, and nulls in the codes.
            words = [*VALUES[type_], *VALUES[type_]]
            codes = draw(
                st.lists(st.integers(0, len(words) - 1) | st.none(), min_size=n, max_size=n)
            )
            return pa.DictionaryArray.from_arrays(
                pa.array(codes, pa.int8()), pa.array(words, type_)
            )
    return array


def hidden(array: pa.Array) -> pa.Array:
    """The array as a part of a longer one."""
    return pa.concat_arrays([array, array, array]).slice(len(array), len(array))


def a_part(draw: st.DrawFn, column: str, type_: pa.DataType) -> dict[str, Any]:
    how = draw(st.sampled_from(["every", "every", "values", "edges"]))
    if how == "edges" and type_ in NUMBERS:
        return {"column": column, "edges": draw(st.sampled_from(EDGES))}
    kind = plain(VALUES[type_][0])[0]
    group = {"int": "number", "float": "number", "string": "text", "bytes": "text"}.get(kind, kind)
    if how == "values" and group in LISTED:
        return {"column": column, "values": draw(st.sampled_from(LISTED[group]))}
    return {"column": column}


@st.composite
def sliced_tables(draw: st.DrawFn, files: int = 1) -> tuple[tuple[Slice, ...], list[Rows]]:
    """Specs, and the rows of some files with columns of the same types, as lists or not."""
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    types = {name: draw(st.sampled_from(list(VALUES))) for name in names}
    specs: dict[Any, Any] = {}
    for _ in range(draw(st.integers(1, 4))):
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        spec = Slice.model_validate(
            {
                "columns": [a_part(draw, name, types[name]) for name in chosen],
                "max_slices": draw(st.sampled_from([1, 2, 3, 10_000])),
            }
        )
        specs[tuple(part.identity for part in spec.parts)] = spec
    rows = []
    for _ in range(files):
        n = draw(st.integers(0, 8))
        rows.append(rows_of({name: a_column(draw, n, types[name]) for name in names}, 100))
    return tuple(specs.values()), rows
