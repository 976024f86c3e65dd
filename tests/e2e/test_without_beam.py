"""What tests run without Beam leaves and says what it does with Beam."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

import headcount
from pipeline.runs.manifest import MANIFEST, SUCCESS
from tests.e2e.conftest import Run, make_rows
from tests.pipeline.beam.without_beam import run_without_beam
from tests.pipeline.tables import write

HEAD = "heads: {click: {type: binary, logits: logit, label: label, weight: weight}}"
SLICES = """
max_bad_rows: 1
slices: [{column: city, max_slices: 3}, {columns: [genres, {column: age, edges: [30]}]}]
confidence: {folds: 10, max_slices: 2}
heads:
  click:
    type: binary
    logits: logit
    label: label
    weight: weight
    baseline: {probability: older}
    metrics: [average_loss, roc_auc]
  topic: {type: multi_class, n_classes: 4, logits: class_logits, label: topic}
"""
GATES = """
gates:
  - {metric: accuracy, head: topic, at_least: 0.2, decide_by: best_end, slices: [city]}
  - {metric: average_loss, max_rise: 0.001, against: baseline, decide_by: worst_end}
  - {metric: roc_auc, max_drop: 0.01, against: run, slices: [genres, age], min_examples: 20}
  - {metric: average_loss, at_most: 0.001, slice: {city: city 8}}
"""
# The number of a run.
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")


@pytest.mark.parametrize(
    ("config", "more", "code"),
    [
        (SLICES + GATES, ("--against", "OLD"), 3),
        (HEAD, (), 4),
        (f"max_bad_rows: 1\n{HEAD}", ("--write_predictions", "PLACE"), 0),
        (f"max_bad_rows: 1\nmax_distinct: 1\nslices: [day]\n{HEAD}", (), 4),
    ],
)
def test_what_is_left_and_said_is_the_same(
    config: str,
    more: tuple[str, ...],
    code: int,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = make_rows(300)
    place = rows.schema.get_field_index("weight")
    weights = [-1.0, *rows["weight"].to_pylist()[1:]]
    wrong = rows.set_column(place, "weight", pa.array(weights, pa.float32()))
    for name, some in (("a", wrong.slice(0, 100)), ("b", rows.slice(100)), ("c", rows.slice(100))):
        write(tmp_path / "data" / f"{name}.parquet", some, row_group_size=70)
    config = f"allow_duplicate_files: true\n{config}"
    if "--against" in more:
        # Of other rows, so that none are paired.
        older = {name: rows[name] for name in rows.column_names}
        headcount.evaluate(older, yaml.safe_load(SLICES)).save(tmp_path / "older")
    found = []
    for name in ("beam", "none"):
        if name == "none":
            run_without_beam(monkeypatch)
        out = tmp_path / name / "out"
        places = {"PLACE": str(tmp_path / name / "rows"), "OLD": str(tmp_path / "older")}
        options = [places.get(option, option) for option in more]
        assert run(str(tmp_path / "data" / "*"), out, *options, config=config) == code
        said = ID.sub("ID", "".join(capsys.readouterr()).replace(str(out.parent), ""))
        files = {
            ID.sub("ID", str(path.relative_to(out.parent))): ID.sub("ID", text_of(path))
            for path in out.parent.rglob("*")
            if path.is_file() and path.name not in (MANIFEST, SUCCESS)
        }
        found.append((said, files))
    assert found[0] == found[1]
    assert ("out/gates.json" in found[0][1]) == ("--against" in more)
    assert len(found[0][1]) > 1


def text_of(path: Path) -> str:
    return path.read_bytes().decode("latin-1")
