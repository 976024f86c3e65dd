"""The predictions and the loss of every row, as a table."""

from __future__ import annotations

import pyarrow as pa

from heads.statistics import Scored
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.readers.rows import Rows


def predictions_table(head: HeadPlan, rows: Rows, scored: Scored) -> pa.Table:
    """The rows of a batch: `file`, `row`, predictions, `loss`, and `weight` where there are
    weights.

    Predictions are `logits` (where they are stored) and `probabilities`, lists of one value a class
    for heads of several classes, and `class_id` and `class` for heads that predict one class. The
    loss is float64 and not weighted; its weighted mean is the report's `average_loss`.
    """
    columns: dict[str, pa.Array] = {
        "file": pa.DictionaryArray.from_arrays(pa.repeat(0, len(rows)), pa.array([rows.path])),
        "row": pa.array(rows.numbers),
    }
    predictions = {"probabilities": scored.probability}
    if head.config.logits is not None:
        predictions = {"logits": scored.score, **predictions}
    for name, values in predictions.items():
        flat = pa.array(values.ravel())
        width = values.shape[1]
        columns[name] = flat if width == 1 else pa.FixedSizeListArray.from_arrays(flat, width)
    predicted = scored.predicted
    if head.context.columns == 1:
        predicted = (scored.score.ravel() > head.context.space.class_one()).astype("int64")
    if predicted is not None:
        columns["class_id"] = pa.array(predicted)
        names = pa.array(head.context.class_names)
        columns["class"] = pa.DictionaryArray.from_arrays(predicted.astype("int32"), names)
    columns["loss"] = pa.array(scored.loss)
    if scored.weight is not None:
        columns["weight"] = pa.array(scored.weight)
    return pa.table(columns)
