"""The results of the slices of a partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics import Key
from pipeline.results.against_overall import AgainstOverall
from pipeline.results.estimated import Estimates

MAX_SLICES = 1000
"""At most this many slices of a head, those with the most rows, are in report.json and have their
distributions written. All slices are in metrics.parquet."""


@dataclass(frozen=True, eq=False)
class Results:
    """The results of a head in the slices of one partition.

    Attributes:
        head: the name of the head.
        keys: the keys of the slices, `s` in number.
        examples: the number of rows of each slice, `s` in number.
        models: the metrics by name, one mapping per model.
        unweighted: the metrics of rows without weights by name, one mapping per model; empty if
            the head has no weights.
        differences: the metrics of the candidate minus those of the baseline, by name; empty for
            a single model.
        pairs: the metrics of both models together, by name.
        details: curves and the confusion matrix, by slice, one mapping per model; only for overall,
            the largest slices and those whose values the configuration lists.
        against_overall: the metrics of every slice compared with overall, by name, one mapping per
            model, and for two models one of the metrics of both; empty if that is not configured.
        score_rounding: float64 `[s]` per model, how far scores were rounded down, as a share of
            them; 0 if they were not rounded, NaN if no metric is read from a histogram.
    """

    head: str
    keys: tuple[Key, ...]
    examples: tuple[int, ...]
    models: tuple[Mapping[str, Estimates], ...]
    unweighted: tuple[Mapping[str, Estimates], ...]
    differences: Mapping[str, Estimates] = field(default_factory=dict)
    pairs: Mapping[str, Estimates] = field(default_factory=dict)
    details: Mapping[Key, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    score_rounding: tuple[npt.NDArray[np.float64], ...] = ()
    against_overall: tuple[Mapping[str, AgainstOverall], ...] = ()
