"""The predictions of a head and the loss of every row, as a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heads.statistics import Scored
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.readers.rows import Rows


def predictions_table(head: HeadPlan, rows: Rows, scored: Scored) -> pa.Table:
    """Returns a table of the rows of a batch with their predictions, as the head computes them.

    Args:
        head: the head.
        rows: the rows, `n` in number, all good.
        scored: the rows as the head scored them; with two models, the scores of the candidate.

    Returns:
        A table of `n` rows without null values. A column with one number per row is plain; a
        column with several is a fixed size list. The columns are:

        - `file`, dictionary-coded text, and `row`, int64: the path and the number of the row in it;
        - `label`, as the head used it: float64; int64, the class id, of a multi-class head;
        - what `BaseHead.row_predictions` gives, by name: float64, `class_ids` int64, `classes`
          dictionary-coded text;
        - `loss`, float64, not weighted; its weighted mean is the report's `average_loss`;
        - `weight`, float64, for a head with weights.
    """
    label = scored.label if scored.predicted is None else scored.label.astype(np.int64)
    columns = {
        "file": pa.DictionaryArray.from_arrays(pa.repeat(0, len(rows)), pa.array([rows.path])),
        "row": pa.array(rows.numbers),
        "label": _column(label),
    }
    for key, values in head.head.row_predictions(scored).items():
        columns[key] = _column(values)
    columns["loss"] = pa.array(scored.loss)
    if scored.weight is not None:
        columns["weight"] = pa.array(scored.weight)
    return pa.table(columns)


def _column(values: npt.NDArray[Any]) -> pa.Array:
    """Returns numbers or words `[n, width]` as a column of `n` rows."""
    flat = pa.array(values.ravel())
    if values.dtype.kind == "U":
        flat = flat.dictionary_encode()
    width = values.shape[1]
    return flat if width == 1 else pa.FixedSizeListArray.from_arrays(flat, width)
