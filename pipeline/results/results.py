"""What was computed of the slices of a partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics import Key
from pipeline.results.estimates import Estimates
from pipeline.results.feature_statistics import SliceStatistics

MAX_SLICES = 1000
"""So many slices of a head, those of most rows, are in report.json and have their distributions
written; metrics.parquet has all."""


@dataclass(frozen=True, eq=False)
class Results:
    """What was computed for the slices of one partition.

    Attributes:
        head: name of the head.
        keys: the slices.
        examples: rows of each.
        models: for each model the metrics by name.
        unweighted: the same of rows without weights; empty where there are no weights.
        differences: candidate less baseline, by name of the metric; empty for one model.
        pairs: the metrics of both models together, by name.
        details: for overall and the slices that a configuration names, what else there is to show:
            curves, confusion matrix; by slice, a mapping for each model.
        statistics: distributions of scores, labels and weights, in overall and the slices of most
            rows.
        score_rounding: for each model float64 `[s]`, how far scores were rounded down, as a share
            of them; 0 where they were not, NaN where no metric is read from a histogram.
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
    statistics: tuple[SliceStatistics, ...] = ()
