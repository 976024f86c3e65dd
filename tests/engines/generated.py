"""Rows made up for the engines: weighted, in slices, in shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEGMENTS = 2000

FEW_SLICES = """
slices:
  - country
  - {column: day, values: [0, 1, 2, 3, 4, 5, 6]}
  - {columns: [country, day]}
heads:
  click: {type: binary, logits: logit, label: label, weight: weight, thresholds: [0.25, 0.5]}
"""
MANY_SLICES = f"""
slices: [{{column: segment, max_slices: {SEGMENTS}}}]
max_state_mb: 4096
heads:
  click: {{type: binary, logits: logit, label: label, weight: weight}}
"""


def write_shards(directory: Path, shards: int, rows: int) -> str:
    """Writes shards of so many rows each, and returns the glob that finds them."""
    directory.mkdir()
    for number in range(shards):
        rng = np.random.default_rng(number)
        logit = rng.normal(-1, 2, rows).astype(np.float32)
        table = pa.table(
            {
                "logit": logit,
                "label": (rng.logistic(size=rows) < logit).astype(np.int8),
                "weight": rng.gamma(2, 3, rows).astype(np.float32),
                "day": rng.integers(0, 7, rows),
                "country": _words("country", 20, rows, rng),
                "segment": _words("segment", SEGMENTS, rows, rng),
            }
        )
        pq.write_table(table, directory / f"part-{number:05d}-of-{shards:05d}.parquet")
    return str(directory / "*.parquet")


def _words(name: str, values: int, rows: int, rng: np.random.Generator) -> pa.Array:
    codes = pa.array(rng.integers(0, values, rows).astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, [f"{name} {i}" for i in range(values)]).cast(
        pa.string()
    )
