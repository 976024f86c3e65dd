"""`headcount show`: what of a run is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.api.report import Report
from pipeline.evaluate import evaluate
from pipeline.runs.manifest import MANIFEST, SUCCESS, sha256, success_bytes
from tests.pipeline.report.text.samples import conditions, gate, judgement, verdict
from tests.pipeline.tables import plan_of
from tests.pipeline.whole_runs import config, table


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two models in three slices."""
    models = "binary, logits: s, label: y, baseline: {{logits: t}}, metrics: [roc_auc, accuracy]"
    directory = tmp_path_factory.mktemp("show") / "run"
    Report.of(evaluate(table(), plan_of(config(head=models)))).save(directory)
    return directory


def with_files(run: Path, copy: Path, **files: Any) -> Path:
    """A copy of a run with other JSON files, which its manifest lists."""
    copy.mkdir()
    for path in run.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((copy / MANIFEST).read_text())
    contents = {f"{name}.json": json.dumps(data).encode() for name, data in files.items()}
    if "gates" in files:
        contents["BLESSED" if files["gates"].get("passed") else "NOT_BLESSED"] = b"\n"
    for name, content in contents.items():
        (copy / name).write_bytes(content)
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256(content)}
    content = json.dumps(manifest).encode()
    (copy / MANIFEST).write_bytes(content)
    (copy / SUCCESS).write_bytes(success_bytes(manifest["id"], content))
    return copy


def shown(capsys: pytest.CaptureFixture[str], run: Path, *options: str) -> list[str]:
    assert cli.main(["show", str(run), *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def test_the_verdict_and_the_hints_of_a_run_are_shown(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = shown(capsys, run)[0]
    assert first == "no gates asked; 500 rows evaluated of 500 read, 1 head"
    missed = judgement("fail", "fail", conditions(g="a"), value=0.5, margin=-0.25, kind="at_least")
    gates = verdict(gate({"metric": "accuracy", "at_least": 0.75, "slices": ["g"]}, missed))
    data = json.loads((run / "data.json").read_text()) | {"notes": ["hear this"]}
    copy = with_files(run, tmp_path / "run", gates=gates, data=data)
    lines = shown(capsys, copy)
    assert lines[0] == "FAIL: 1 of 1 gate failed; 500 rows evaluated of 500 read, 1 head, 1 hint"
    assert lines[2:4] == [
        "FAIL  accuracy at_least 0.75, slices g",
        "      g=a  0.5000  missed by 0.25  512 rows",
    ]
    assert shown(capsys, copy, "--verbose")[-1] == "hint: hear this"
    for options in (["--markdown"], ["--sort", "value"], ["--metric", "accuracy"]):
        assert "1 of 1 gate failed" in shown(capsys, copy, *options)[0]


def test_a_verdict_that_is_none_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in (("gates", {"headcount_gates": 1}), ("data", {"notes": [1]})):
        copy = with_files(run, tmp_path / name, **{name: data})
        assert cli.main(["show", str(copy)]) == 2
        assert f"{name}.json: " in capsys.readouterr().err


def test_what_is_asked_for_is_shown(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, run, "--metric", "roc_auc", "--sort", "examples", "--head", "h")
    assert lines[2] == "h  (binary, unweighted)  roc_auc"
    rows = [line.split() for line in lines[4:8]]
    assert sorted(row[0] for row in rows) == ["g=(missing)", "g=a", "g=b", "overall"]
    counts = [int(row[1]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts[1:]) == counts[0] == 500
    lines = shown(capsys, run, "--metric", "roc_auc", "--metric", "accuracy", "--slice", "g=b")
    assert lines[3].split() == ["rows", "roc_auc", "accuracy"]
    assert [line.split()[0] for line in lines[4:] if "=" in line] == ["g=b"]
    lines = shown(capsys, run, "--markdown", "--head", "h")
    assert lines[0].startswith("**no gates asked**; ")
    assert len(lines) <= 60
    assert "difference" not in "\n".join(shown(capsys, run))
    assert "difference" in "\n".join(shown(capsys, run, "--verbose"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metric", "auc_roc"], "--metric 'auc_roc': the report has none; "),
        (["--slice", "g=aa"], "--slice 'g=aa': the report has none; did you mean 'g=a'?"),
        (["--head", "zz"], "--head 'zz': the report has none; choose from h"),
        (["--sort", "rows"], "--sort 'rows': slices cannot be sorted by it; choose from worst, "),
        (["--markdown", "--sort", "value"], "--markdown goes with --head alone"),
        (["--markdown", "--verbose"], "--markdown goes with --head alone"),
    ],
)
def test_what_the_report_lacks_is_exit_2(
    run: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["show", str(run), *options]) == 2
    captured = capsys.readouterr()
    assert f"command line: {said}" in captured.err
    assert captured.out == ""
