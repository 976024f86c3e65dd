"""Evaluates what a program holds, in its process and without Beam."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pipeline.api.data import as_arrow_or_globs
from pipeline.api.gates import Given, gated
from pipeline.api.places import list_anywhere, open_anywhere
from pipeline.api.report import Report
from pipeline.config.load import as_config
from pipeline.config.model import Config
from pipeline.evaluate import evaluate as in_process
from pipeline.evaluation.plan import make_plan


def evaluate(
    data: Any,
    config: str | os.PathLike[str] | Mapping[str, Any] | Config,
    *,
    gates: Given = None,
    against: str | os.PathLike[str] | None = None,
) -> Report:
    """Evaluates rows in memory, or files, in this process and without Beam.

    Args:
        data: an Arrow table, record batch or reader of record batches; a data frame of pandas (from
            2.2), of polars or of another library with Arrow's PyCapsule interface; a dict of
            columns, each a list, an array `[n]`, or an array `[n, k]` for lists of `k` values; or
            one or more globs of Parquet and TFRecord files.
        config: the path of a YAML file, the same as a dict, or a `Config`.
        gates: the gates in place of those of the configuration: the path of a YAML file, or a list
            of dicts.
        against: the directory of the finished run that gates with `against: run` compare with; or
            `"none"` to skip those gates.

    Returns:
        The report; `report.passed` is whether the gates let the model through. The folds of rows in
        memory follow from their order, unless `confidence.key` names a column; those of files from
        their names and the places of rows in them.

    Raises:
        BadData: if rows or files are bad, or there are none.
        ConfigError: if the configuration or the gates are wrong or do not fit the data or each
            other; or if rows of slices must be counted first, and a reader gives them once.
        TypeError: if the data are nothing that can be evaluated.

    >>> columns = {"score": [0.9, 0.2, 0.6, 0.4], "clicked": [1, 0, 0, 1]}
    >>> head = {"type": "binary", "probability": "score", "label": "clicked"}
    >>> evaluate(columns, {"heads": {"click": head}}).metric("accuracy").value
    0.5
    """
    checked, source = as_config(config, open_anywhere)
    plan = make_plan(checked, source, open_anywhere)
    plan, other = gated(plan, source, gates, against)
    rows = as_arrow_or_globs(data, plan.columns, source)
    if isinstance(rows, list):
        return Report.of(in_process(rows, plan, source, list_anywhere, open_anywhere), other)
    return Report.of(in_process(rows, plan, source), other)
