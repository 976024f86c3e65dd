"""Gates on the command line: what is written, what is said, and the exit codes that schedulers ask.

The runs do their steps in this process; that Beam leaves the same is held in `test_without_beam.py`
and `test_equality.py`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import headcount
from pipeline import cli
from pipeline.beam import run as beam_run
from pipeline.config.load import load_gates
from pipeline.runs import outputs
from pipeline.runs.file_names import GATES_FILES
from pipeline.runs.gates import gates_files
from pipeline.runs.manifest import is_intact
from pipeline.runs.stage import new_stage
from pipeline.runs.store import LocalStore
from tests.e2e.conftest import Run, make_rows
from tests.pipeline.beam import memory_files
from tests.pipeline.beam.without_beam import Steps

pytestmark = pytest.mark.usefixtures("without_beam")

CONFIG = """
slices: [country]
confidence: {key: user, folds: 10}
heads:
  click:
    type: binary
    logits: logit
    label: label
    baseline: {probability: older}
    metrics: [average_loss, accuracy, roc_auc]
"""
PASS = "- {metric: roc_auc, at_least: 0.5}"
FAIL = "- {metric: roc_auc, at_least: 0.999}"
WARN = "- {metric: roc_auc, at_least: 0.999, severity: warn}"
SLICES = "- {metric: accuracy, at_least: 0.1, decide_by: best_end, slices: [country]}"
BASELINE = "- {metric: average_loss, max_rise: 10, against: baseline, decide_by: worst_end}"
OTHER = "- {metric: roc_auc, max_drop: 0.5, against: run}"
ALL = [PASS, WARN, SLICES, BASELINE, OTHER]
STORE = LocalStore()

Gates = Callable[..., str]


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    """Writes a file of gates."""

    def write(*lines: str) -> str:
        path = tmp_path / "gates.yaml"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    return write


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with rows of two nights, and rows that are bad."""
    directory = tmp_path_factory.mktemp("data")
    for number in (1, 2):
        pq.write_table(make_rows(300, number), directory / f"night{number}.parquet")
    rows = make_rows(20)
    place = rows.schema.get_field_index("label")
    bad = rows.set_column(place, "label", pa.array([7] * 20, pa.int8()))
    pq.write_table(bad, directory / "bad.parquet")
    return directory


def night(data: Path, number: int | str = 1) -> str:
    return str(data / (f"night{number}.parquet" if number != "bad" else "bad.parquet"))


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def gates_in(directory: Path) -> set[str]:
    return set(files_of(directory)) & set(GATES_FILES)


def only_object(text: str) -> dict[str, Any]:
    """The one JSON object that stdout holds."""
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    assert {"verdict", "exit_code", "output", "rows", "heads", "gates", "problems"} <= found.keys()
    return found


# --- run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "code", "mark", "verdict"),
    [
        ([], 0, None, None),
        ([PASS], 0, "BLESSED", "PASS"),
        ([PASS, WARN], 0, "BLESSED", "PASS"),
        ([PASS, FAIL], 3, "NOT_BLESSED", "FAIL"),
    ],
)
def test_a_run_is_published_with_its_verdict(
    data: Path,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    lines: list[str],
    code: int,
    mark: str | None,
    verdict: str | None,
) -> None:
    out = tmp_path / "out"
    config = CONFIG + ("gates:\n" + "\n".join(lines) if lines else "")
    assert run(night(data), out, "--json", config=config) == code
    found = only_object(capsys.readouterr().out)
    assert (found["verdict"], found["exit_code"]) == (verdict, code)
    assert (found["rows"]["evaluated"], found["heads"]) == (300, ["click"])
    assert gates_in(out) == ({"gates.json", mark} if mark else set())
    assert is_intact(STORE, str(out))
    if mark:
        assert (out / mark).read_bytes() == b"\n"
        stored = json.loads((out / "gates.json").read_bytes())
        assert {key: found[key] for key in stored} == stored
    assert cli.main(["check", str(out), "--json"]) == code
    assert only_object(capsys.readouterr().out) == found
    assert headcount.check(out) == headcount.load(out).gates
    assert headcount.load(out).passed is (None if mark is None else code == 0)


def test_gates_change_no_byte_of_the_other_files(
    data: Path, tmp_path: Path, run: Run, gates: Gates
) -> None:
    without, by_file, by_config = (tmp_path / name for name in ("without", "file", "config"))
    assert run(night(data), without, config=CONFIG) == 0
    assert run(night(data), by_file, "--gates", gates(FAIL), config=CONFIG) == 3
    config = CONFIG + f"gates: [{FAIL[2:]}]"
    assert run(night(data), by_config, config=config) == 3
    # A file of gates replaces those of the configuration.
    assert run(night(data), by_config, "--overwrite", "--gates", gates(PASS), config=config) == 0
    plain = files_of(without)
    for name in plain.keys() - {"manifest.json", "_SUCCESS"}:
        assert plain[name] == files_of(by_file)[name] == files_of(by_config)[name], name


@pytest.mark.parametrize(
    ("lines", "options", "said"),
    [
        ([OTHER], [], "gates[0]: compares with another run: give --against DIR, or --against=none"),
        ([PASS], ["--against", "THERE"], "no gate compares with THERE: give one 'against: run'"),
        (["- {metric: roc_auk, at_least: 0.5}"], [], "gates[0].metric: "),
        (["- {metric: roc_auc}"], [], "gates[0]"),
        ([OTHER], ["--against", "THERE"], "THERE: holds no finished run"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_a_row_is_read(
    data: Path,
    tmp_path: Path,
    run: Run,
    gates: Gates,
    capsys: pytest.CaptureFixture[str],
    lines: list[str],
    options: list[str],
    said: str,
) -> None:
    out, there = tmp_path / "out", str(tmp_path / "there")
    given = [option.replace("THERE", there) for option in options]
    for more in ([], ["--json"]):
        code = run("nowhere/*", out, "--gates", gates(*lines), *given, *more, config=CONFIG)
        assert code == 2
        printed = capsys.readouterr()
        assert said.replace("THERE", there) in printed.err
        assert not out.exists()
    found = only_object(printed.out)
    assert (found["exit_code"], found["verdict"], found["output"]) == (2, None, str(out))
    assert found["problems"][0] in printed.err


def test_nights_compare_with_the_run_that_they_replace(
    data: Path, tmp_path: Path, run: Run, gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    rise = gates("- {metric: average_loss, max_rise: 0.0, against: run}", PASS)

    def attempt(number: int | str, *options: str) -> tuple[int, dict[str, Any]]:
        given = ("--gates", rise, "--overwrite", *options, "--json")
        code = run(night(data, number), out, *given, config=CONFIG)
        return code, only_object(capsys.readouterr().out)

    code, first = attempt(1, "--against=none")
    assert (code, first["against"], first["gates"][0]["outcome"]) == (0, None, "skipped")
    first_id = json.loads((out / "_SUCCESS").read_bytes())["id"]
    loss = loss_of(out)
    # The second night replaces what it is compared with; a failure leaves it.
    assert attempt("bad", "--against", str(out))[0] == 4
    code, second = attempt(2, "--against", str(out))
    assert second["against"] == {"id": first_id, "directory": str(out)}
    judgement = second["gates"][0]["judgements"][0]
    assert (judgement["candidate"], judgement["baseline"]) == (loss_of(out), loss)
    assert code == (3 if loss_of(out) > loss else 0) == second["exit_code"]
    # The third is of the same rows as the second: it is not worse.
    code, third = attempt(2, "--against", str(out))
    assert (code, third["gates"][0]["judgements"][0]["value"]) == (0, 0.0)
    assert third["against"]["id"] != first_id
    capsys.readouterr()


def test_nights_may_be_elsewhere(
    data: Path, tmp_path: Path, run: Run, gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    memory_files.FILES.clear()
    (tmp_path / "config.yaml").write_text(CONFIG)
    memory_files.FILES["mem://b/gates.yaml"] = OTHER.encode()
    config = ["run", "--config", str(tmp_path / "config.yaml"), "--output", "mem://b/out"]
    given = [*config, "--gates", "mem://b/gates.yaml", "--overwrite", "--json", "--input"]
    ids = []
    for number, against in ((1, "none"), (2, "mem://b/out")):
        assert cli.main([*given, night(data, number), "--against", against]) == 0
        ids.append(json.loads(memory_files.FILES["mem://b/out/_SUCCESS"])["id"])
        found = only_object(capsys.readouterr().out)
    assert found["against"] == {"id": ids[0], "directory": "mem://b/out"}
    stored = memory_files.FILES["mem://b/out/gates.json"]
    assert cli.main(["check", "mem://b/out", "--json"]) == 0
    assert bytes_of(only_object(capsys.readouterr().out)) == stored
    before = dict(memory_files.FILES)
    other = ["--gates", "mem://b/gates.yaml", "--against", "mem://b/out"]
    assert cli.main(["check", "mem://b/out", *other]) == 0
    assert cli.main(["check", "mem://b/nothing"]) == 7
    assert before == memory_files.FILES
    memory_files.FILES.clear()


def loss_of(out: Path) -> float:
    return headcount.load(out).metric("average_loss").value or 0.0


def test_a_run_that_is_not_blessed_is_named_when_it_is_compared_with(
    data: Path, tmp_path: Path, run: Run, gates: Gates, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(night(data), tmp_path / "bad", "--gates", gates(FAIL), config=CONFIG) == 3
    given = ("--gates", gates(OTHER), "--against", str(tmp_path / "bad"))
    assert run(night(data), tmp_path / "out", *given, config=CONFIG) == 0
    assert "which its own gates did not let through" in caplog.text


def test_the_run_compared_with_may_go_during_the_run(
    data: Path, tmp_path: Path, run: Run, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    assert run(night(data, 2), other, config=CONFIG) == 0
    given = ("--gates", gates(OTHER), "--against", str(other), "--overwrite")
    assert run(night(data), tmp_path / "out", *given, config=CONFIG) == 0
    expected = files_of(tmp_path / "out")

    class Late(Steps):
        def run(self) -> Any:
            shutil.rmtree(other)
            return super().run()

    monkeypatch.setattr(beam_run, "build", Late)
    assert run(night(data), tmp_path / "out", *given, config=CONFIG) == 0
    assert files_of(tmp_path / "out")["gates.json"] == expected["gates.json"]


@pytest.mark.parametrize("lines", [[PASS], [FAIL]])
def test_a_run_that_is_rolled_forward_ends_as_its_gates_say(
    data: Path,
    tmp_path: Path,
    run: Run,
    gates: Gates,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
) -> None:
    out = tmp_path / "out"
    given = ("--gates", gates(*lines))
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.runs.publish._swap", interrupt)
        assert run(night(data), out, *given, config=CONFIG) == 5
    code = 0 if lines == [PASS] else 3
    assert cli.main(["check", str(out)]) == 7
    # Other gates are another job.
    copied = tmp_path / "copied"
    shutil.copytree(out, copied)
    assert run(night(data), copied, "--gates", gates(PASS, FAIL), config=CONFIG) == 6
    monkeypatch.setattr(outputs, "judge_run", None)
    assert run(night(data), out, "--gates", gates(*lines), config=CONFIG) == code
    assert cli.main(["check", str(out)]) == code


def test_a_run_that_was_compared_with_another_run_is_another_job(
    data: Path, tmp_path: Path, run: Run, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("one", 1), ("two", 2)):
        assert run(night(data, number), tmp_path / name, config=CONFIG) == 0
    out, file = tmp_path / "out", gates(OTHER)

    def attempt(output: Path, against: str) -> int:
        given = ("--gates", file, "--against", str(tmp_path / against))
        return run(night(data), output, *given, config=CONFIG)

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.runs.publish._swap", interrupt)
        assert attempt(out, "one") == 5
    shutil.copytree(out, tmp_path / "copied")
    assert attempt(tmp_path / "copied", "two") == 6
    assert attempt(out, "one") == 0
    assert json.loads((out / "gates.json").read_bytes())["against"]["directory"].endswith("one")


def interrupt(*_: Any) -> None:
    raise RuntimeError("the disk is gone")


# --- check --------------------------------------------------------------------------------------


def test_check_says_how_the_newest_run_stands(
    data: Path, tmp_path: Path, run: Run, gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def check() -> tuple[int, str]:
        capsys.readouterr()
        before = files_of(out) if out.exists() else None
        code = cli.main(["check", str(out), "--json"])
        found = only_object(capsys.readouterr().out)
        assert found["exit_code"] == code
        assert (files_of(out) if out.exists() else None) == before
        return code, " ".join(found["problems"])

    assert check() == (7, f"{out}: there is no run yet")
    assert run(night(data, "bad"), out, config=CONFIG) == 4
    code, problems = check()
    assert (code, "20 of 20 rows are bad" in problems) == (4, True)
    with pytest.raises(headcount.BadData, match="20 of 20 rows") as raised:
        headcount.check(out)
    assert raised.value.data_report == f"{out}/data.json"
    assert run(night(data), out, "--gates", gates(FAIL), config=CONFIG) == 3
    assert check() == (3, "")
    assert run(night(data, "bad"), out, "--overwrite", config=CONFIG) == 4
    assert (out / "failed" / "data.json").exists()
    assert check()[0] == 4
    assert run(night(data), out, "--overwrite", config=CONFIG) == 0
    assert check() == (0, "")
    assert gates_in(out) == set()
    # A run that has begun elsewhere, and one that ended long before.
    older = new_stage(str(out), overwrite=True, predictions=None, local=False)
    object.__setattr__(older, "id", "20000101T000000Z-0123456789ab")
    older.open(STORE)
    assert check() == (0, "")
    newer = new_stage(str(out), overwrite=True, predictions=None, local=False)
    object.__setattr__(newer, "id", "29990101T000000Z-0123456789ab")
    newer.open(STORE)
    code, problems = check()
    assert (code, f"run {newer.id} began at" in problems) == (7, True)
    with pytest.raises(headcount.NotFinished, match="has not ended"):
        headcount.check(out)
    # Its worker found that the data are bad, and nobody waited for it.
    STORE.write(newer.path("FAILED"), b"there\n")
    assert check() == (0, "")
    newer.close(STORE)
    older.close(STORE)


def test_a_run_without_gates_says_so(
    data: Path, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(night(data), tmp_path / "out", config=CONFIG) == 0
    capsys.readouterr()
    assert cli.main(["check", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.startswith("no gates asked; 300 rows evaluated")


@pytest.mark.parametrize("name", ["gates.json", "BLESSED", "report.json", "_SUCCESS"])
def test_a_damaged_run_has_no_verdict(
    data: Path,
    tmp_path: Path,
    run: Run,
    gates: Gates,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    out = tmp_path / "out"
    assert run(night(data), out, "--gates", gates(PASS), config=CONFIG) == 0
    (out / name).write_bytes((out / name).read_bytes() + b"\n")
    capsys.readouterr()
    for command in (["check", str(out), "--json"], ["check", str(out)]):
        assert cli.main(command) == 2
        printed = capsys.readouterr()
        assert name in printed.err
        if "--json" in command:
            assert only_object(printed.out)["exit_code"] == 2


def test_run_check_diff_and_python_agree_on_gates(
    data: Path, tmp_path: Path, run: Run, gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    other, out, plain = (tmp_path / name for name in ("other", "out", "plain"))
    path = gates(*ALL)
    given = ("--gates", path, "--against", str(other))
    assert run(night(data, 2), other, config=CONFIG) == 0
    assert run(night(data), out, *given, config=CONFIG) == 0
    assert run(night(data), plain, config=CONFIG) == 0
    stored = (out / "gates.json").read_bytes()
    assert b'"id"' in stored
    capsys.readouterr()
    before = files_of(plain)
    assert cli.main(["check", str(plain), *given, "--json"]) == 0
    assert bytes_of(only_object(capsys.readouterr().out)) == stored
    assert files_of(plain) == before
    assert cli.main(["diff", str(other), str(plain), "--gates", path, "--json"]) == 0
    assert bytes_of(only_object(capsys.readouterr().out)) == stored
    listed = [gate.to_dict() for gate in load_gates(path)]
    checked = headcount.check(plain, gates=listed, against=other)
    assert checked is not None
    assert gates_files(checked)["gates.json"] == stored
    # In this process, and saved.
    (tmp_path / "config.yaml").write_text(CONFIG)
    report = headcount.evaluate(
        night(data), tmp_path / "config.yaml", gates=listed, against=str(other)
    )
    assert (report.gates, report.passed) == (json.loads(stored), True)
    report.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "gates.json").read_bytes() == stored
    assert (tmp_path / "saved" / "BLESSED").exists()
    ran = headcount.run(
        tmp_path / "config.yaml", night(data), tmp_path / "ran", gates=path, against=other
    )
    assert ran is not None
    assert ran.gates == report.gates


def bytes_of(found: dict[str, Any]) -> bytes:
    keys = ("headcount_gates", "passed", "against", "level", "gates")
    return gates_files({key: found[key] for key in keys})["gates.json"]


@pytest.mark.parametrize("command", ["check", "diff"])
def test_other_gates_may_fail(
    data: Path,
    tmp_path: Path,
    run: Run,
    gates: Gates,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    out = tmp_path / "out"
    assert run(night(data), out, "--gates", gates(PASS), config=CONFIG) == 0
    capsys.readouterr()
    places = [str(out)] * (2 if command == "diff" else 1)
    assert cli.main([command, *places, "--gates", gates(FAIL)]) == 3
    assert capsys.readouterr().out.startswith("FAIL: 1 of 1 gate failed")
    assert cli.main([command, *places, "--gates", gates("- {metric: recal, at_least: 1}")]) == 2
    if command == "check":
        assert cli.main(["check", str(out), "--gates", gates(OTHER)]) == 2
        assert cli.main(["check", str(out), "--gates", gates(OTHER), "--against=none"]) == 0
        assert cli.main(["check", str(out), "--against=none"]) == 2


# --- stdout of --json ---------------------------------------------------------------------------


def test_stdout_holds_one_object_whatever_happens(
    data: Path, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def end(code: int) -> dict[str, Any]:
        printed = capsys.readouterr()
        found = only_object(printed.out)
        assert found["exit_code"] == code
        assert "{" not in printed.err
        return found

    assert run(night(data, "bad"), out, "--json", config=CONFIG) == 4
    assert "20 of 20 rows are bad" in end(4)["problems"][0]
    assert run(night(data), out, "--json", "--unknown", config=CONFIG) == 2
    end(2)
    with pytest.raises(SystemExit) as raised:
        cli.main(["run", "--json"])
    assert raised.value.code == 2
    assert "--config" in end(2)["problems"][0]
    assert run(night(data), out, "--json", config=CONFIG) == 0
    end(0)
    assert run(night(data), out, "--json", config=CONFIG) == 6
    assert "holds a run" in end(6)["problems"][0]
    assert cli.main(["show", str(out), "--json"]) == 0
    assert end(0)["rows"] == {"read": 300, "evaluated": 300}
    assert cli.main(["diff", str(out), str(out), "--json"]) == 0
    assert end(0)["verdict"] is None


def test_a_runner_that_fails_and_a_crash_are_told_in_the_object(
    data: Path,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beam_run, "_evaluate", interrupt)
    assert run(night(data), tmp_path / "out", "--json", config=CONFIG) == 1
    assert "the disk is gone" in only_object(capsys.readouterr().out)["problems"][0]
    monkeypatch.undo()
    monkeypatch.setattr(beam_run, "build", Broken)
    assert run(night(data), tmp_path / "out", "--json", config=CONFIG) == 5
    assert "the disk is gone" in only_object(capsys.readouterr().out)["problems"][0]


class Broken(Steps):
    def run(self) -> Any:
        interrupt()
