"""All metrics of all slices as one table: what metrics.parquet holds."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from heads.statistics.keys import key_text
from pipeline.evaluation.plan import Plan
from pipeline.results.estimates import Estimates
from pipeline.results.results import Results

SCHEMA = pa.schema(
    {
        "head": pa.dictionary(pa.int32(), pa.string()),
        "of": pa.dictionary(pa.int32(), pa.string()),
        "weighted": pa.bool_(),
        "slice": pa.dictionary(pa.int32(), pa.string()),
        "examples": pa.int64(),
        "metric": pa.dictionary(pa.int32(), pa.string()),
        "value": pa.float64(),
        "standard_error": pa.float64(),
        "lower": pa.float64(),
        "upper": pa.float64(),
        "p_worse": pa.float64(),
        "reason": pa.dictionary(pa.int32(), pa.string()),
        "no_interval": pa.dictionary(pa.int32(), pa.string()),
    }
)
"""A row is a metric in a slice. `of` is `model`, or `candidate`, `baseline`, `difference` and
`both`; `slice` is the key as JSON, `[]` for overall; what is undefined is null, and `reason` says
why."""


def metrics_table(plan: Plan, results: Sequence[Results]) -> pa.Table:
    """The table, by head, then by slice as the results have them."""
    ordered = sorted(results, key=lambda each: (each.head, key_text(each.keys[0])))
    parts = [
        _rows(each, of, weighted, estimates)
        for each in ordered
        for of, weighted, estimates in _tables(plan, each)
        if estimates
    ]
    return pa.concat_tables(parts).unify_dictionaries() if parts else SCHEMA.empty_table()


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _where_defined(
    no_interval_reason: npt.NDArray[np.object_], reasons: npt.NDArray[np.object_]
) -> npt.NDArray[np.object_]:
    """Why there is no interval, where there is a value."""
    out = no_interval_reason.copy()
    out[reasons.astype(bool)] = None
    return out


def _tables(plan: Plan, results: Results) -> Iterator[tuple[str, bool, Mapping[str, Estimates]]]:
    weighted = plan.heads[results.head].context.weighted
    names = ("candidate", "baseline") if len(results.models) > 1 else ("model",)
    for name, estimates in zip(names, results.models, strict=True):
        yield name, weighted, estimates
    for name, estimates in zip(names, results.unweighted, strict=False):
        yield name, False, estimates
    yield "difference", weighted, results.differences
    yield "both", weighted, results.pairs


def _rows(
    results: Results, of: str, weighted: bool, estimates: Mapping[str, Estimates]
) -> pa.Table:
    slices, metrics = len(results.keys), len(estimates)
    number = slices * metrics

    def same(value: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(np.zeros(number, np.int32), pa.array([value]))

    def floats(name: str) -> pa.Array:
        columns = [getattr(each, name) for each in estimates.values()]
        values = np.concatenate(columns)
        return pa.array(values, mask=np.isnan(values))

    def texts(name: str) -> npt.NDArray[np.object_]:
        return np.concatenate([getattr(each, name) for each in estimates.values()])

    def coded(values: npt.NDArray[np.object_]) -> pa.Array:
        return pa.array(values, pa.string()).dictionary_encode()

    keys = pa.array([key_text(key) for key in results.keys])
    columns = {
        "head": same(results.head),
        "of": same(of),
        "weighted": pa.repeat(weighted, number),
        "slice": pa.DictionaryArray.from_arrays(
            np.tile(np.arange(slices, dtype=np.int32), metrics), keys
        ),
        "examples": pa.array(np.tile(np.array(results.examples, np.int64), metrics)),
        "metric": pa.DictionaryArray.from_arrays(
            np.repeat(np.arange(metrics, dtype=np.int32), slices), pa.array(list(estimates))
        ),
        **{name: floats(name) for name in SCHEMA.names[6:11]},
        "reason": coded(texts("reasons")),
        "no_interval": coded(_where_defined(texts("no_interval_reason"), texts("reasons"))),
    }
    return pa.table(columns, SCHEMA)
