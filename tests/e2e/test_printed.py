"""Names of any letters are printed as text alone, and a report is there although nobody is told."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import cli
from tests.e2e.conftest import Run, make_rows

CONFIG = "heads: {click: {type: binary, logits: logit, label: label, metrics: [average_loss, auc]}}"
HOSTILE = "a\x1b[31m\nERROR \u202egnp\u2066\u200b\u2028\x9b"


def hostile_rows(rows: int) -> pa.Table:
    """Rows whose columns and values have names that a terminal would obey."""
    plain = make_rows(rows)
    return pa.table(
        {
            f"score{HOSTILE}": plain["logit"],
            f"label{HOSTILE}": plain["outcome"],
            HOSTILE: [f"{value}{HOSTILE}" for value in plain["split"].to_pylist()],
        }
    )


def hostile_config(tmp_path: Path) -> Path:
    """A configuration of such rows, in a file of such a name."""
    head = {
        "type": "binary",
        "logits": f"score{HOSTILE}",
        "label": {"column": f"label{HOSTILE}", "vocabulary": ["no", "yes"]},
        "metrics": ["average_loss"],
    }
    path = tmp_path / f"config{HOSTILE}.yaml"
    path.write_text(json.dumps({"slices": [HOSTILE], "heads": {"click": head}}))
    return path


def only_text(captured: pytest.CaptureFixture[str]) -> str:
    """What was printed, which has no letter but those that can be seen, and no forged line."""
    texts = captured.readouterr()
    for line in (texts.out + texts.err).split("\n"):
        assert line.isprintable()
        assert not line.startswith("ERROR")
    return texts.out + texts.err


def test_names_of_any_letters_are_printed_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = str(hostile_config(tmp_path)), str(tmp_path / f"out{HOSTILE}")
    good, wrong = (str(tmp_path / f"{name}{HOSTILE}.parquet") for name in ("good", "wrong"))
    pq.write_table(hostile_rows(60), good)
    pq.write_table(make_rows(9), wrong)
    job = ["--config", config, "--input", good]
    assert cli.main(["validate", *job]) == 0
    assert "config" + r"a\x1b[31m\nERROR \u202egnp\u2066\u200b\u2028\x9b" in only_text(capsys)
    assert cli.main(["run", *job, "--output", out]) == 0
    assert "written to " in only_text(capsys)
    assert cli.main(["show", out]) == 0
    assert r"\x1b[31m\nERROR" in only_text(capsys)
    assert cli.main(["diff", out, out, "--output", str(tmp_path / f"diff{HOSTILE}")]) == 0
    only_text(capsys)
    # The files of the run have the names as they are.
    report = json.loads((Path(out) / "report.json").read_text())
    values = [entry["slice"][0]["value"] for entry in report["heads"]["click"]["slices"][1:]]
    assert values == [f"{value}{HOSTILE}" for value in ("test", "train")]
    for command in (["validate"], ["run", "--output", f"{out}2"]):
        assert cli.main([*command, "--config", config, "--input", wrong]) == 2
        assert "no column" in only_text(capsys)
        assert cli.main([*command, "--config", config, "--input", f"{tmp_path}/w{HOSTILE}"]) == 4
        only_text(capsys)


@pytest.fixture
def files(tmp_path: Path) -> str:
    pq.write_table(make_rows(60), tmp_path / "part.parquet")
    return str(tmp_path / "part.parquet")


class Full(io.StringIO):
    """A stream on a device that is full."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stdout", ["full", "closed", "ascii"])
@pytest.mark.usefixtures("without_beam")
def test_a_report_that_is_there_is_exit_0_whatever_stdout_is(
    files: str,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stdout: str,
) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream = {"full": Full(), "closed": None, "ascii": ascii_only}[stdout]
    monkeypatch.setattr(sys, "stdout", stream)
    out = tmp_path / "größe"
    assert run(files, out, config=CONFIG) == 0
    monkeypatch.undo()
    assert (out / "_SUCCESS").exists()
    told = capsys.readouterr().err.splitlines()
    if stdout == "ascii":
        assert told == []
        ascii_only.seek(0)
        assert ascii_only.read().endswith("gr\\xf6\\xdfe/report.json\n")
    else:
        assert told[0].startswith("stdout cannot be written: ")
        assert told[1:] == [f"written to {out}/report.json"]


def test_a_path_that_cannot_be_sent_is_exit_2(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "a\udcffb"
    assert run(files, tmp_path / wrong, config=CONFIG) == 2
    more = ["--write_predictions", wrong]
    assert run(files, tmp_path / "out", *more, config=CONFIG) == 2
    for line in capsys.readouterr().err.splitlines():
        assert line.endswith(": the path is not UTF-8; choose another")
        assert line.isprintable()
    assert not (tmp_path / "out").exists()
