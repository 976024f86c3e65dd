"""Runs of the command, and rows that touch every kind of head."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import cli
from pipeline.beam.store import BeamStore
from pipeline.beam.work_directory import WorkDirectory
from pipeline.runs.stage import Stage, new_stage
from pipeline.runs.states_zip import SLICES
from tests.pipeline.beam.without_beam import run_without_beam

CONFIG = """
where:
  - {column: split, values: [test]}
slices:
  - country
  - {column: day, values: [0, 2]}
  - {column: age, edges: [20, 40.5]}
  - genres
  - {column: city, max_slices: 4}
  - {columns: [country, {column: age, edges: [30]}]}
  - {columns: [genres, city], max_slices: 5}
min_slice_size: 200
against_overall: true
confidence: {folds: 10, max_slices: 6}
heads:
  click:
    type: binary
    logits: logit
    label: label
    weight: weight
    baseline: {probability: older}
    thresholds: [0.25]
    logit_thresholds: [-1]
    at: {recall: [0.5], precision: [0.5]}
    metrics: [average_loss, precision/positive_threshold_0.25, auc, roc_auc,
              flip_rate/positive_logit_threshold_-1, gain/decile_1, label/mean,
              expected_calibration_error, best_f1, logit_threshold_at_best_f1,
              precision_at_recall_0.5, debiased_calibration_error, excess_brier_score]
  shown:
    type: contrib_binary
    probability: {column: probabilities, index: 1}
    label: {column: outcome, vocabulary: ["no", "yes"], positive: "yes"}
    thresholds: [0.5]
    metrics: [average_loss, auc, roc_auc]
  topic:
    type: multi_class
    n_classes: 4
    logits: class_logits
    label: topic
    weight: weight
    top_k: [2]
    metrics: [average_loss, accuracy/top_2, f1/macro, precision/class1, roc_auc/class2]
  tags:
    type: multi_label
    n_classes: 3
    logits: tag_logits
    label: {column: tags, form: names, vocabulary: [red, green, blue]}
    thresholds: [0.3]
    metrics: [average_loss, roc_auc/red, f1/macro]
"""
KEYED = CONFIG.replace("confidence: {", "confidence: {key: user, ")
"""Folds by the values of a column, and not by files and numbers of rows."""


def make_rows(rows: int, seed: int = 3) -> pa.Table:
    """Rows with scores of many scales, weights, and rows for `where`.

    Slice values are missing, lists of several, or too many; keys come several times.
    """
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 2, rows) * np.where(rng.random(rows) < 0.01, 1e4, 1)
    positive = 1 / (1 + np.exp(-logit.clip(-30, 30)))
    words = np.array(["red", "green", "blue"])
    return pa.table(
        {
            "logit": logit.astype(np.float32),
            "older": positive.round(2).astype(np.float32),
            "label": (rng.random(rows) < positive).astype(np.int8),
            "weight": rng.gamma(0.3, 1e3, rows).astype(np.float32),
            "probabilities": [[1 - p, p] for p in positive.tolist()],
            "outcome": rng.choice(["no", "yes"], rows),
            "class_logits": list(rng.normal(size=(rows, 4)).astype(np.float32)),
            "topic": rng.integers(0, 4, rows),
            "tag_logits": list(rng.normal(size=(rows, 3))),
            "tags": [words[chosen].tolist() for chosen in rng.random((rows, 3)) < 0.4],
            "country": pa.array(rng.choice(["CH", "DE", "FR"], rows), mask=rng.random(rows) < 0.1),
            "day": rng.integers(0, 3, rows),
            "age": rng.integers(10, 60, rows),
            "city": rng.choice([f"city {i}" for i in range(9)], rows, p=np.arange(1, 10) / 45),
            "genres": [
                rng.choice(["rock", "jazz", "folk"], number).tolist()
                for number in rng.integers(0, 4, rows)
            ],
            "user": rng.integers(0, max(1, rows // 4), rows),
            "split": rng.choice(["test", "train"], rows, p=[0.9, 0.1]),
        }
    )


def states_of(output: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(output / "states.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != SLICES}


Run = Callable[..., int]


def open_stage(output: Path) -> Stage:
    """A stage below an output, as the driver opens it."""
    store = BeamStore()
    stage = new_stage(str(output), overwrite=False, predictions=None, local=True)
    stage.open(store)
    WorkDirectory(stage).open(store)
    return stage


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `headcount run` in this process and returns its exit code."""

    def command(files: str, output: Path, *more: str, config: str = CONFIG) -> int:
        path = tmp_path / "config.yaml"
        path.write_text(config)
        options = ["--config", str(path), "--input", files, "--output", str(output), *more]
        return cli.main(["run", *options])

    return command


@pytest.fixture
def without_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of this process do the steps of a run themselves, which is the same and cheaper."""
    run_without_beam(monkeypatch)
