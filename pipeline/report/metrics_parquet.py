"""Writes all metrics of all slices as one table, `metrics.parquet`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from heads.statistics import OVERALL
from heads.statistics.keys import key_text
from pipeline.evaluation.plan import Plan
from pipeline.results.estimated import Estimates
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
        "degrees_of_freedom": pa.float64(),
        "lower": pa.float64(),
        "upper": pa.float64(),
        "p_worse": pa.float64(),
        "lowest": pa.float64(),
        "highest": pa.float64(),
        "reason": pa.dictionary(pa.int32(), pa.string()),
        "no_interval": pa.dictionary(pa.int32(), pa.string()),
        "against_overall": pa.dictionary(pa.int32(), pa.string()),
        "p_value": pa.float64(),
    }
)
"""The columns of the table, in which a row is one metric in one slice.

`of` is `model` for a head with one model; for a head with two it is `candidate`, `baseline`,
`difference` or `both`. `slice` is the key as JSON, `[]` for overall. An undefined value is null,
and `reason` says why; `no_interval` says why a defined value has no interval. `lowest` and
`highest` are certain bounds of a value that is read from rounded scores, and null where the value
is exact. Where `against_overall` is `difference` or `ratio`, the row compares the metric of a slice
with that of overall, and a difference has the two-sided `p_value`.
"""


def metrics_table(plan: Plan, results: Sequence[Results]) -> pa.Table:
    """Returns the table with the schema `SCHEMA`.

    Its rows are sorted by head, then by the first key of each partition; within a partition by what
    they are `of` and whether they are weighted, then by the name of the metric.

    Args:
        plan: the plan of the run.
        results: the results of all partitions, in any order.
    """
    ordered = sorted(results, key=lambda partition: (partition.head, key_text(partition.keys[0])))
    parts = [
        _rows(partition, of, weighted, against, dict(sorted(estimates.items())))
        for partition in ordered
        for of, weighted, against, estimates in _estimates_by_kind(plan, partition)
        if estimates
    ]
    return pa.concat_tables(parts).unify_dictionaries() if parts else SCHEMA.empty_table()


def parquet_bytes(table: pa.Table) -> bytes:
    """Returns the bytes of a Parquet file that holds the table."""
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _where_defined(
    no_interval_reason: npt.NDArray[np.object_], reasons: npt.NDArray[np.object_]
) -> npt.NDArray[np.object_]:
    """Returns why there is no interval, and None where the value itself is undefined.

    Args:
        no_interval_reason: texts `[n]`, why there is no interval; None where there is one.
        reasons: texts `[n]`, why the value is undefined; None where it is defined.
    """
    shown = no_interval_reason.copy()
    shown[reasons.astype(bool)] = None
    return shown


def _estimates_by_kind(
    plan: Plan, results: Results
) -> Iterator[tuple[str, bool, str | None, Mapping[str, Estimates]]]:
    """Yields the estimates by name of the metric.

    Before them come what `of` says, whether rows are weighted, and what `against_overall` says.
    """
    weighted = plan.heads[results.head].context.weighted
    names = ("candidate", "baseline") if len(results.models) > 1 else ("model",)
    for name, estimates in zip(names, results.models, strict=True):
        yield name, weighted, None, estimates
    for name, estimates in zip(names, results.unweighted, strict=False):
        yield name, False, None, estimates
    yield "difference", weighted, None, results.differences
    yield "both", weighted, None, results.pairs
    for name, compared in zip((*names, "both"), results.against_overall, strict=False):
        differences = {metric: both.difference for metric, both in compared.items()}
        yield name, weighted, "difference", differences
        yield name, weighted, "ratio", {metric: both.ratio for metric, both in compared.items()}


def _rows(
    results: Results,
    of: str,
    weighted: bool,
    against: str | None,
    estimates: Mapping[str, Estimates],
) -> pa.Table:
    """Returns the rows of one kind of estimates: for each metric a row for each slice.

    Overall is not compared with itself.
    """
    slices, metrics = len(results.keys), len(estimates)
    rows = slices * metrics

    def same(value: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([value]))

    def floats(name: str) -> pa.Array:
        columns = [getattr(estimate, name) for estimate in estimates.values()]
        values = np.concatenate(columns)
        # An open end is infinite.
        return pa.array(values, mask=~np.isfinite(values))

    def texts(name: str) -> npt.NDArray[np.object_]:
        return np.concatenate([getattr(estimate, name) for estimate in estimates.values()])

    def coded(values: npt.NDArray[np.object_]) -> pa.Array:
        return pa.array(values, pa.string()).dictionary_encode()

    keys = pa.array([key_text(key) for key in results.keys])
    columns = {
        "head": same(results.head),
        "of": same(of),
        "weighted": pa.repeat(weighted, rows),
        "slice": pa.DictionaryArray.from_arrays(
            np.tile(np.arange(slices, dtype=np.int32), metrics), keys
        ),
        "examples": pa.array(np.tile(np.array(results.examples, np.int64), metrics)),
        "metric": pa.DictionaryArray.from_arrays(
            np.repeat(np.arange(metrics, dtype=np.int32), slices), pa.array(list(estimates))
        ),
        **{name: floats(name) for name in SCHEMA.names[6:14]},
        "reason": coded(texts("reasons")),
        "no_interval": coded(_where_defined(texts("no_interval_reason"), texts("reasons"))),
        "against_overall": coded(np.full(rows, against, object)),
        "p_value": floats("p_value"),
    }
    table = pa.table(columns, SCHEMA)
    if against is not None and OVERALL in results.keys:
        compared = [key != OVERALL for key in results.keys]
        table = table.filter(pa.array(compared * metrics))
    return table
