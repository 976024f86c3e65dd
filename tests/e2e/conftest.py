"""Runs of the command, and rows that touch every kind of head."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import cli

CONFIG = """
where:
  - {column: split, values: [test]}
slices:
  - column: country
  - column: day
heads:
  click:
    type: binary
    logits: logit
    label: label
    weight: weight
    thresholds: [0.25, 0.5]
  shown:
    type: contrib_binary
    probability: {column: probabilities, index: 1}
    label: {column: outcome, vocabulary: ["no", "yes"], positive: "yes"}
    thresholds: [0.5]
  topic:
    type: multi_class
    n_classes: 4
    logits: class_logits
    label: topic
    weight: weight
  tags:
    type: multi_label
    n_classes: 3
    logits: tag_logits
    label: {column: tags, form: names, vocabulary: [red, green, blue]}
    thresholds: [0.3]
"""


def make_rows(rows: int, seed: int = 3) -> pa.Table:
    """Rows with scores of many scales, weights, missing slice values, and rows for `where`."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 2, rows) * np.where(rng.random(rows) < 0.01, 1e4, 1)
    positive = 1 / (1 + np.exp(-logit.clip(-30, 30)))
    words = np.array(["red", "green", "blue"])
    return pa.table(
        {
            "logit": logit.astype(np.float32),
            "label": (rng.random(rows) < positive).astype(np.int8),
            "weight": rng.gamma(0.3, 1e3, rows).astype(np.float32),
            "probabilities": [[1 - p, p] for p in positive.tolist()],
            "outcome": rng.choice(["no", "yes"], rows),
            "class_logits": list(rng.normal(size=(rows, 4)).astype(np.float32)),
            "topic": rng.integers(0, 4, rows),
            "tag_logits": list(rng.normal(size=(rows, 3))),
            "tags": [words[own].tolist() for own in rng.random((rows, 3)) < 0.4],
            "country": pa.array(rng.choice(["CH", "DE", "FR"], rows), mask=rng.random(rows) < 0.1),
            "day": rng.integers(0, 3, rows),
            "split": rng.choice(["test", "train"], rows, p=[0.9, 0.1]),
        }
    )


def states_of(output: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(output / "states.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `headcount run` in this process and returns its exit code."""

    def command(files: str, output: Path, *more: str, config: str = CONFIG) -> int:
        path = tmp_path / "config.yaml"
        path.write_text(config)
        options = ["--config", str(path), "--input", files, "--output", str(output), *more]
        return cli.main(["run", *options])

    return command
