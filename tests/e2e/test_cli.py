"""The command: what it prints, writes and exits with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import cli
from pipeline.beam import access
from pipeline.cli.demo import DEMO
from tests.e2e.conftest import Run, make_rows
from tests.pipeline.beam import memory_files

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
CONFIG = "heads: {click: {type: binary, logits: logit, label: label, weight: weight}}"


@pytest.fixture
def files(tmp_path: Path) -> str:
    (tmp_path / "data").mkdir()
    rows = make_rows(300)
    for number in range(3):
        pq.write_table(rows.slice(number * 100, 100), tmp_path / "data" / f"part-{number}.parquet")
    return str(tmp_path / "data" / "*.parquet")


def test_an_output_below_a_link_to_nothing_is_exit_2(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    # As a disk that is not mounted leaves it.
    (tmp_path / "disk").symlink_to(tmp_path / "gone")
    beside = f"{tmp_path}/disk/out"
    assert run(files, Path(beside), config=CONFIG) == 2
    assert run(files, tmp_path / "out", "--write_predictions", beside, config=CONFIG) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("it cannot be made; a link above it leads to nothing" in line for line in lines)


def test_run_prints_and_writes_the_report(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(files, tmp_path / "out", config=CONFIG) == 0
    printed = capsys.readouterr().out
    assert "300 rows evaluated of 300 read" in printed
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "report.json",
        "metrics.parquet",
        "data.json",
        "anomalies.pbtxt",
        "statistics.pb",
        "states.zip",
        "manifest.json",
        "_SUCCESS",
    }
    text = (tmp_path / "out" / "report.json").read_text()
    report = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    value = report["heads"]["click"]["slices"][0]["metrics"]["roc_auc"]["value"]
    assert f"{value:.4f}" in printed
    assert str(tmp_path) not in text
    data = json.loads((tmp_path / "out" / "data.json").read_text())
    assert [shard["rows"] for shard in data["shards"]] == [100, 100, 100]
    assert cli.main(["show", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out in printed


@pytest.mark.usefixtures("without_beam")
def test_weights_whose_sums_float64_cannot_hold(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make_rows(100)
    place = rows.schema.get_field_index("weight")
    pq.write_table(
        rows.set_column(place, "weight", pa.array([1e308] * 100)), tmp_path / "a.parquet"
    )
    for out in ("one", "two"):
        assert run(str(tmp_path / "a.parquet"), tmp_path / out, config=CONFIG) == 0
    text = (tmp_path / "one" / "report.json").read_text()
    report = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    metrics = report["heads"]["click"]["slices"][0]["metrics"]
    assert metrics["true_positives"]["reason"] == "the sum of the weights is too large for float64"
    assert metrics["accuracy"]["value"] == metrics["accuracy"]["unweighted"]["value"]
    assert cli.main(["show", str(tmp_path / "one")]) == 0
    assert cli.main(["diff", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("without_beam")
def test_a_second_run_needs_overwrite(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(files, out, config=CONFIG) == 0
    first = (out / "report.json").read_bytes()
    assert run(files, out, config=CONFIG) == 6
    assert "--overwrite" in capsys.readouterr().err
    fewer = files.replace("*", "part-1")
    assert run(fewer, out, "--overwrite", config=CONFIG) == 0
    assert (out / "report.json").read_bytes() != first


def test_bad_rows_publish_the_data_report_alone(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make_rows(50)
    place = rows.schema.get_field_index("logit")
    broken = rows["logit"].to_pylist()
    broken[7] = float("nan")
    rows = rows.set_column(place, "logit", pa.array(broken, pa.float32()))
    pq.write_table(rows, tmp_path / "data" / "part-9.parquet")
    assert run(files, tmp_path / "out", config=CONFIG) == 4
    told = "head 'click': 'logit' is NaN or infinite in 1 row: .*part-9\\.parquet: row 7"
    assert re.search(told, capsys.readouterr().err)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"data.json", "anomalies.pbtxt"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("slices: [day]\nmax_distinct: 2", "slices[0]: column 'day' has more than 2 distinct"),
        ("slices: [age]\nconfidence: {folds: 60}\nmax_state_mb: 1", "raise 'max_state_mb'"),
    ],
)
@pytest.mark.usefixtures("without_beam")
def test_slices_that_are_too_many_publish_the_data_report_alone(
    files: str,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    more: str,
    expected: str,
) -> None:
    assert run(files, tmp_path / "out", config=f"{more}\n{CONFIG}") == 4
    assert expected in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"data.json", "anomalies.pbtxt"}


@pytest.mark.usefixtures("without_beam")
def test_a_broken_file_is_named(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (tmp_path / "data" / "part-1.parquet").read_bytes()
    (tmp_path / "data" / "part-1.parquet").write_bytes(whole[: len(whole) // 2])
    assert run(files, tmp_path / "out", config=CONFIG) == 4
    assert "part-1.parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "more", "expected"),
    [
        (CONFIG.replace("logits: logit", "logits: logitt"), [], "did you mean 'logit'"),
        (CONFIG.replace("logits: logit", "logits: country"), [], "'country' is"),
        (CONFIG.replace("logits:", "logit:"), [], "did you mean 'logits'"),
        (CONFIG[:-2] + ", metrics: [rocauc]}}", [], "did you mean 'roc_auc'"),
        (CONFIG, ["--direct_num_worker=2"], "did you mean --direct_num_workers"),
        (CONFIG, ["--overwrit"], "--overwrite"),
        (CONFIG, ["extra"], "unknown argument extra"),
        (CONFIG, ["--direct_num_workers=many"], "invalid int value: 'many'"),
        (CONFIG, ["--direct_running_mode=multi_threading"], "multi_processing"),
        (CONFIG, ["--runner=Nope"], "--runner: there is no runner 'Nope'; there are"),
        (CONFIG, ["--direct_num_workers=-1"], "--direct_num_workers: must be from 0 to 1000"),
        ("allow_missing_shards: yes\n" + CONFIG, [], "not the text 'yes'; write true"),
        ("where: [{column: split, values: [1]}]\n" + CONFIG, [], "write the values as the column"),
    ],
)
def test_mistakes_are_exit_2_and_say_what_to_do(
    files: str,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    config: str,
    more: list[str],
    expected: str,
) -> None:
    assert run(files, tmp_path / "out", *more, config=config) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_file_matches(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "none-*.parquet"), tmp_path / "out", config=CONFIG) == 4
    assert "no file matches" in capsys.readouterr().err


@pytest.mark.usefixtures("without_beam")
def test_where_that_keeps_nothing(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    config = "where: [{column: split, values: [elsewhere]}]\n" + CONFIG
    assert run(files, tmp_path / "out", config=config) == 4
    assert "none of 300 rows matches 'where'" in capsys.readouterr().err


def test_validate(files: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    assert cli.main(["validate", "--config", str(path), "--input", files]) == 0
    assert "3 files, " in capsys.readouterr().out
    first = files.replace("*", "part-0")
    assert cli.main(["validate", "--config", str(path), "--input", first]) == 0
    assert "1 file, " in capsys.readouterr().out
    assert cli.main(["validate", "--config", str(path), "--inputs", files]) == 2
    assert "did you mean --input?" in capsys.readouterr().err
    path.write_text(CONFIG.replace("label: label", "label: lable"))
    assert cli.main(["validate", "--config", str(path), "--input", files]) == 2
    assert "did you mean 'label'" in capsys.readouterr().err


def test_validate_checks_the_gates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, gates = tmp_path / "config.yaml", tmp_path / "gates.yaml"
    path.write_text("gates: [{metric: roc_au, at_least: 0.5}]\n" + CONFIG)
    assert cli.main(["validate", "--config", str(path)]) == 2
    told = f"{path}: gates[0].metric: no head has the metric 'roc_au'; did you mean 'roc_auc'?"
    assert told in capsys.readouterr().err
    arguments = ["validate", "--config", str(path), "--gates", str(gates)]
    gates.write_text("- {metric: roc_auc, at_least: 0.5}\n- {metric: accuracy, at_least: 0.5}\n")
    assert cli.main(arguments) == 0
    assert "2 gates\n" in capsys.readouterr().out
    gates.write_text("- {metric: roc_auc, at_least: 5}\n")
    assert cli.main(arguments) == 2
    assert f"{gates}: gates[0].at_least: 'roc_auc' is from 0 to 1" in capsys.readouterr().err
    gates.write_text("- {metric: roc_auc, at_least: x}\n")
    assert cli.main(arguments) == 2
    assert f"{gates}:1:21: gates[0].at_least: expected a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    "gates", sorted((CONFIGS / "gates").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_file_of_gates_validates_as_it_is(
    gates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CONFIGS.parent)
    config = str(CONFIGS / "gates.yaml")
    assert cli.main(["validate", "--config", config, "--gates", str(gates)]) == 0


def test_show_refuses_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(tmp_path)]) == 2
    assert "_SUCCESS" in capsys.readouterr().err


DIFF = """
slices: [country]
confidence: {folds: 10}
heads:
  click: {type: binary, SCORE, label: label, weight: weight, metrics: [average_loss, roc_auc]}
"""


@pytest.mark.usefixtures("without_beam")
def test_diff_prints_and_writes_a_comparison(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for output, score in ((old, "logits: logit"), (new, "probability: older")):
        assert run(files, output, config=DIFF.replace("SCORE", score)) == 0
    reports = [json.loads((path / "report.json").read_text()) for path in (new, old)]
    values = [
        report["heads"]["click"]["slices"][0]["metrics"]["roc_auc"]["value"] for report in reports
    ]
    capsys.readouterr()
    written = tmp_path / "diff.json"
    assert cli.main(["diff", str(old), str(new), "--output", str(written)]) == 0
    printed = capsys.readouterr().out
    assert f"written to {written}" in printed
    text = written.read_text()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    head = found["heads"]["click"]
    assert head["paired"] is True
    metric = head["slices"][0]["difference"]["roc_auc"]
    assert metric["value"] == values[0] - values[1]
    assert metric["lower"] < metric["value"] < metric["upper"]
    assert f"{metric['value']:.4f}" in printed
    assert len(head["slices"]) == 5
    assert str(tmp_path) not in text
    # Without a file it is printed alone.
    assert cli.main(["diff", str(old), str(new)]) == 0
    assert printed.startswith(capsys.readouterr().out)


@pytest.mark.usefixtures("without_beam")
def test_diff_of_other_rows_says_so(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    config = DIFF.replace("SCORE", "logits: logit")
    assert run(files, tmp_path / "all", config=config) == 0
    assert run(files.replace("*", "part-[01]"), tmp_path / "some", config=config) == 0
    capsys.readouterr()
    assert cli.main(["diff", str(tmp_path / "all"), str(tmp_path / "some")]) == 0
    assert "the runs saw different rows" in capsys.readouterr().out


@pytest.mark.usefixtures("without_beam")
def test_diff_refuses_what_cannot_be_compared(
    files: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(files, out, config=DIFF.replace("SCORE", "logits: logit")) == 0
    capsys.readouterr()
    assert cli.main(["diff", str(out), str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert "_SUCCESS" in error
    assert str(tmp_path / "none") in error
    assert cli.main(["diff", str(out), str(out), "--outptu", "x"]) == 2
    assert "did you mean --output?" in capsys.readouterr().err
    (out / "states.zip").write_bytes((out / "states.zip").read_bytes()[:-100])
    assert cli.main(["diff", str(out), str(out)]) == 2
    assert "cannot be read, run it again" in capsys.readouterr().err


def test_schema_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    assert "heads" in json.loads(capsys.readouterr().out)["properties"]


@pytest.mark.usefixtures("without_beam")
def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--output", str(tmp_path)]) == 0
    for name in DEMO:
        assert (tmp_path / name / "_SUCCESS").exists()
    printed = capsys.readouterr().out
    assert f"written to {tmp_path}/binary/report.json" in printed


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_validates_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(CONFIGS.parent)
    assert cli.main(["validate", "--config", str(path)]) == 0


@pytest.mark.usefixtures("without_beam")
def test_a_run_that_finds_no_data_leaves_the_data_report_and_may_be_run_again(
    files: str, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "out"
    assert run(str(tmp_path / "none" / "*"), out, config=CONFIG) == 4
    assert {path.name for path in out.iterdir()} == {"data.json", "anomalies.pbtxt"}
    (problem,) = json.loads((out / "data.json").read_text())["problems"]
    assert problem.startswith("no file matches")
    assert run(files, out, config=CONFIG) == 0
    assert run(files, out, config=CONFIG) == 6


@pytest.fixture
def elsewhere(files: str, tmp_path: Path) -> Iterator[dict[str, bytes]]:
    """Files of another filesystem by path: those of `files`, and a configuration."""
    memory_files.FILES.clear()
    for path in (tmp_path / "data").iterdir():
        memory_files.FILES[f"mem://b/data/{path.name}"] = path.read_bytes()
    memory_files.FILES["mem://b/config.yaml"] = DIFF.replace("SCORE", "logits: logit").encode()
    yield memory_files.FILES
    memory_files.FILES.clear()


def test_everything_may_be_elsewhere(
    files: str,
    tmp_path: Path,
    run: Run,
    elsewhere: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert run(files, out, config=elsewhere["mem://b/config.yaml"].decode()) == 0
    printed = capsys.readouterr().out
    places = ["--config", "mem://b/config.yaml", "--input", "mem://b/data/*.parquet"]
    assert cli.main(["validate", *places]) == 0
    assert "3 files" in capsys.readouterr().out
    command = ["run", *places, "--output", "mem://b/out"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == printed.replace(str(out), "mem://b/out")
    written = {path for path in elsewhere if path.startswith("mem://b/out/")}
    assert written == {f"mem://b/out/{path.name}" for path in out.iterdir()}
    for name in ("report.json", "metrics.parquet", "states.zip", "statistics.pb"):
        assert elsewhere[f"mem://b/out/{name}"] == (out / name).read_bytes()
    assert cli.main(["show", "mem://b/out/"]) == 0
    assert capsys.readouterr().out in printed
    assert cli.main(["diff", "mem://b/out", str(out), "--output", "mem://b/diff.json"]) == 0
    assert "written to mem://b/diff.json" in capsys.readouterr().out
    assert json.loads(elsewhere["mem://b/diff.json"])["headcount_diff"] == 1
    assert cli.main(command) == 6
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("show mem://b/none", 2, "there is no _SUCCESS"),
        ("show mem://closed/out", 2, "is not yours; check the address"),
        ("show mem://b/none --derect_num_workers=1", 2, "did you mean --direct_num_workers"),
        ("validate --config mem://b/none.yaml", 2, "cannot be read: No such file"),
        ("run --config mem://b/config.yaml --input mem://b/none* --output OUT", 4, "no file match"),
        (
            "run --config mem://b/config.yaml --input FILES --output mem://closed/out",
            2,
            "not yours",
        ),
    ],
)
def test_what_is_not_to_be_had_elsewhere(
    command: str,
    code: int,
    expected: str,
    files: str,
    tmp_path: Path,
    elsewhere: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = command.replace("FILES", files).replace("OUT", str(tmp_path / "out"))
    assert cli.main(command.split()) == code
    assert expected in capsys.readouterr().err


def test_a_filesystem_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(access, "find_spec", lambda name: None)
    assert cli.main(["show", "s3://bucket/out"]) == 2
    assert "pip install 'headcount[aws]'" in capsys.readouterr().err
