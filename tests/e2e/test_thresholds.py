"""Thresholds that one run of the command reports, configured for the next run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline import cli
from tests.e2e.conftest import Run

AT = (
    "at: {recall: [0.9, 1], precision: [], specificity: [], false_positive_rate: [0],"
    " sensitivity: []}"
)
HEAD = "heads: {{h: {{type: binary, probability: p, label: y, {keys}}}}}"


def overall(output: Path) -> dict[str, Any]:
    report = json.loads((output / "report.json").read_text())
    metrics: dict[str, Any] = report["heads"]["h"]["slices"][0]["metrics"]
    return metrics


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("without_beam")
def test_reported_thresholds_can_be_configured(
    dtype: type, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two decimals, so that there are rows at every threshold.
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    p = np.clip(0.4 + 0.2 * y + 0.15 * rng.normal(size=400), 0.01, 1).round(2)
    pq.write_table(pa.table({"p": p.astype(dtype), "y": y}), tmp_path / "rows.parquet")
    files, first, second = str(tmp_path / "rows.parquet"), tmp_path / "first", tmp_path / "second"
    assert run(files, first, config=HEAD.format(keys=AT)) == 0
    found = overall(first)
    names = [name for name in found if name.startswith(("threshold_at_", "logit_threshold_at_"))]
    assert len(names) == 8
    thresholds = {name: found[name]["value"] for name in names}
    keys = ", ".join(
        f"{key}: {sorted({value for name, value in thresholds.items() if name.startswith(start)})}"
        for key, start in (("thresholds", "threshold"), ("logit_thresholds", "logit"))
    )
    assert run(files, second, config=HEAD.format(keys=f"{keys}, {AT}")) == 0
    capsys.readouterr()
    assert cli.main(["show", str(second), "--verbose"]) == 0
    shown = capsys.readouterr().out
    assert "at a threshold, positive is: probability > threshold, logit >" in shown
    again = overall(second)
    table = pq.read_table(second / "metrics.parquet")
    assert set(names) <= set(table["metric"].to_pylist())
    for name, threshold in thresholds.items():
        ending = "positive_logit_threshold" if name.startswith("logit") else "positive_threshold"
        point = name.partition("_at_")[2]
        rates = {
            "best_f1": {"f1": "best_f1"},
            "recall_0.9": {"precision": "precision_at_recall_0.9"},
            "recall_1": {"precision": "precision_at_recall_1"},
            "false_positive_rate_0": {"recall": "recall_at_false_positive_rate_0"},
        }
        for rate, promised in rates[point].items():
            at = f"{rate}/{ending}_{threshold:g}"
            assert again[at]["value"] == pytest.approx(found[promised]["value"], rel=1e-12), at
            rows = table.filter(pc.equal(table["metric"], at))
            assert rows["value"][0].as_py() == again[at]["value"]
    # The differences of two runs have both scales as well.
    assert cli.main(["diff", str(first), str(second), "--output", str(tmp_path / "diff.json")]) == 0
    diff = json.loads((tmp_path / "diff.json").read_text())
    assert set(names) <= set(diff["heads"]["h"]["slices"][0]["difference"])
