"""What a run writes is never what it reads, and never what another has put there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Run, make_rows

CONFIG = "heads: {click: {type: binary, logits: logit, label: label}}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with a file of rows, and what an output could be taken for."""
    (tmp_path / "data").mkdir()
    pq.write_table(make_rows(100), tmp_path / "data" / "part-0.parquet")
    return tmp_path / "data"


def contents(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("pattern", "output", "predictions", "named"),
    [
        ("data/*.parquet", "data", None, "data/metrics.parquet"),
        ("data", "data/out", None, "data/out/report.json"),
        ("data/**", "data/deep/out", None, "data/deep/out/report.json"),
        ("data/**/*.parquet", "data/out", None, "data/out/metrics.parquet"),
        ("./data/*", "link", None, "link/report.json"),
        ("data/../*/*.parquet", "out", None, "out/metrics.parquet"),
        ("data/**/part-*", "out", "data", r"data/[^/]*/click/part-0000000000000000\.parquet"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_that_would_be_read_is_refused(
    files: Path,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pattern: str,
    output: str,
    predictions: str | None,
    named: str,
    overwrite: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("data")
    before = contents(tmp_path)
    options = ["--overwrite"] if overwrite else []
    options += ["--write_predictions", predictions] if predictions else []
    assert run(pattern, Path(output), *options, config=CONFIG) == 2
    errors = capsys.readouterr().err
    assert "would be read as input; choose another directory" in errors
    assert re.search(named, errors)
    assert contents(tmp_path) == before | {"config.yaml": CONFIG.encode()}


@pytest.mark.parametrize("name", ["metrics.parquet", "data.json"])
@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.usefixtures("without_beam")
def test_an_input_that_would_be_replaced_is_refused(
    files: Path,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    name: str,
    link: object,
) -> None:
    out = tmp_path / "out"
    assert run(str(files / "*"), out, config=CONFIG) == 0
    pq.write_table(make_rows(50), out / name)
    assert callable(link)
    link(out / name, tmp_path / "linked.parquet")
    before = contents(out)
    code = run(str(tmp_path / "linked.parquet"), out, "--overwrite", config=CONFIG)
    if link is os.symlink:
        assert code == 2
        assert f"{out / name} would be read as input" in capsys.readouterr().err
        assert contents(out) == before
    else:
        # Another name of the same bytes keeps them.
        assert code == 0
        assert pq.read_metadata(tmp_path / "linked.parquet").num_rows == 50


@pytest.mark.usefixtures("without_beam")
def test_files_of_others_survive_every_run(
    files: Path, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {
        "out/notes.txt": "mine",
        "out/sub/part-0.parquet": "mine",
        "out/.headcount-notes": "mine",
        "out/failed/notes.txt": "mine",
        "predictions/part-0.parquet": "mine",
        "predictions/click/part-0123456789abcdef.parquet": "mine",
        "out1/report.json": "mine",
        "out2/data.json": "mine",
    }
    for name, text in places.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    options = ["--overwrite", "--write_predictions", str(tmp_path / "predictions")]
    for output in ("out", "out[12]"):
        for pattern in ("part-*", "none*", "part-*"):
            run(str(files / pattern), tmp_path / output, *options, config=CONFIG)
    assert {name: (tmp_path / name).read_text() for name in places} == places
    capsys.readouterr()
    assert run(str(files / "*"), tmp_path / "out2", *options, config=CONFIG) == 6
    assert "out2/data.json is there, and no run of headcount left it" in capsys.readouterr().err
    assert contents(tmp_path / "out2") == {"data.json": b"mine"}
