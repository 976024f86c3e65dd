"""Metrics of a user's module, from a configuration to what is compared, and whose code is run."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import headcount
from heads.metrics.core import plugins, registry
from heads.metrics.core.contract import MetricError
from heads.metrics.core.plugins import PluginError
from pipeline import cli
from pipeline.beam.run import _reason
from pipeline.config.load import load_config
from pipeline.evaluation.plan import make_plan
from tests.heads.metrics.plugin_sources import GOOD
from tests.pipeline.beam.without_beam import run_without_beam
from tests.pipeline.tables import write
from tests.pipeline.whole_runs import table

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
plugins: [my_metrics]
slices: [g]
heads:
  h: {type: binary, logits: s, label: y, weight: w, metrics: [auc, brier_score, root_brier]}
"""
ALONE = CONFIG.replace("plugins: [my_metrics]", "").replace(", root_brier", "")
# It tells whoever imports it.
TELLING = GOOD + "import os, pathlib\npathlib.Path(os.environ['TOLD']).touch()\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a configuration, a module beside it, data, and two finished runs."""
    directory = tmp_path_factory.mktemp("project")
    write(directory / "data" / "part-0.parquet", table())
    (directory / "conf").mkdir()
    (directory / "conf" / "c.yaml").write_text(CONFIG)
    (directory / "conf" / "alone.yaml").write_text(ALONE)
    (directory / "conf" / "my_metrics.py").write_text(TELLING)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("TOLD", str(directory / "told"))
        run_without_beam(patch)
        for name, config in (("out", "c"), ("out2", "c"), ("plain", "alone")):
            assert run(f"conf/{config}.yaml", name) == 0
        yield directory


@pytest.fixture(autouse=True)
def working_directory(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests begin as a process that has loaded no plugin."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("TOLD", str(project / "told"))
    registry._report_metrics.cache_clear()
    monkeypatch.setattr(plugins, "_LOADED", {})
    (project / "told").unlink(missing_ok=True)


def run(config: str, output: str, *more: str) -> int:
    return cli.main(["run", "--config", config, "--input=data/*", "--output", output, *more])


def overall(output: Path) -> dict[str, Any]:
    report = json.loads((output / "report.json").read_text())
    metrics: dict[str, Any] = report["heads"]["h"]["slices"][0]["metrics"]
    return metrics


def test_the_report_has_the_metric_and_the_manifest_the_module(project: Path) -> None:
    metrics = overall(project / "out")
    root, brier = metrics["root_brier"], metrics["brier_score"]
    assert root["value"] == pytest.approx(brier["value"] ** 0.5, rel=1e-12)
    assert 0 < root["lower"] < root["value"] < root["upper"] < 1
    assert root["unweighted"]["value"] != root["value"]
    manifest = json.loads((project / "out" / "manifest.json").read_text())
    digest = hashlib.sha256((project / "conf" / "my_metrics.py").read_bytes()).hexdigest()
    assert manifest["plugins"] == {"my_metrics": digest}
    assert json.loads((project / "plain" / "manifest.json").read_text())["plugins"] == {}
    assert "root_brier" not in overall(project / "plain")


def test_another_configuration_does_not_know_it(capsys: pytest.CaptureFixture[str]) -> None:
    plain = CONFIG.replace("plugins: [my_metrics]", "")
    Path("conf/unknown.yaml").write_text(plain)

    def known(name: str) -> bool:
        try:
            make_plan(load_config(f"conf/{name}.yaml"))
        except headcount.ConfigError as error:
            return "has no metric 'root_brier'" not in str(error)
        return True

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(known, ["c", "unknown"] * 6)) == [True, False] * 6


def test_to_look_at_a_report_runs_no_code(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["show", "out"]) == 0
    assert "root_brier" in capsys.readouterr().out
    assert cli.main(["diff", "out", "out2"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("out: needs the code of its plugin my_metrics")
    assert "give --plugins my_metrics if you trust it" in told
    report = headcount.load("out")
    assert report.metric("root_brier").value == overall(project / "out")["root_brier"]["value"]
    assert not (project / "told").exists()


def test_code_that_the_user_names(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("conf")
    for command in (["diff", "../out", "../out2"], ["show", "../out"]):
        assert cli.main([*command, "--plugins", "my_metrics"]) == 0
        assert "root_brier" in capsys.readouterr().out
    assert (project / "told").exists()
    assert headcount.load("../out", plugins="my_metrics").metric("root_brier").value
    assert cli.main(["diff", "../out", "../plain", "--plugins", "my_metrics"]) == 0
    assert "root_brier" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["show", "out"], "--plugins: my_metrics: there is no "),
        (["show", "plain"], "--plugins: plain: no run has a plugin my_metrics"),
        (["diff", "out", "out2"], "/my_metrics.py, and no module of this name is installed"),
    ],
)
def test_code_that_is_not_there(
    command: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, "--plugins", "my_metrics"]) == 2
    assert told in capsys.readouterr().err


def test_other_code_than_that_of_the_run(
    tmp_path: Path,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "my_metrics.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    expected = hashlib.sha256(TELLING.encode()).hexdigest()
    found = hashlib.sha256(GOOD.encode()).hexdigest()
    for command in (["show"], ["diff", str(project / "plain")]):
        assert cli.main([*command, str(project / "out"), "--plugins", "my_metrics"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(
            f"{project}/out: was made with another plugin my_metrics: its SHA-256"
        )
        assert f"was {expected}, and that of {tmp_path}/my_metrics.py is {found}; run again" in line
    with pytest.raises(headcount.ConfigError, match="was made with another plugin"):
        headcount.load(project / "out", plugins=["my_metrics"])


@pytest.mark.parametrize(
    ("names", "source", "told"),
    [
        ("[nowhere]", GOOD, "c.yaml: plugins[0]: nowhere: there is no "),
        ("[my_metrics]", "x = (\n", "plugins[0]: my_metrics: it cannot be imported: "),
        (
            "[my_metrics]",
            GOOD.replace("root_brier", "auc"),
            "plugins[0]: my_metrics: head",
        ),
        ("[my_metrics, my_metrics]", GOOD, "c.yaml:1:23: plugins[1]: "),
        ("[conf/my_metrics.py]", GOOD, "c.yaml:1:11: plugins[0]: 'conf/my_metrics.py' is no name"),
        ("[3]", GOOD, "c.yaml:1:11: plugins[0]: expected text, not the number 3"),
    ],
)
def test_validate_refuses(
    names: str, source: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(f"plugins: {names}\n{ALONE}")
    (tmp_path / "my_metrics.py").write_text(source)
    assert cli.main(["validate", "--config", str(tmp_path / "c.yaml")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_an_installed_module_of_the_same_name_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "my_metrics.py").write_text(GOOD)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert cli.main(["validate", "--config", "conf/c.yaml"]) == 0
    assert "plugin my_metrics: " in capsys.readouterr().out
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.endswith(f"/conf/my_metrics.py, and not the installed {tmp_path}/my_metrics.py")


def test_from_python(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = headcount.evaluate("data/*", "conf/c.yaml")
    assert report.to_dict() == json.loads((project / "out" / "report.json").read_text())
    config = headcount.load_config("conf/c.yaml")
    monkeypatch.chdir(tmp_path)
    assert headcount.evaluate(table(), config).metric("root_brier").value
    report.save(tmp_path / "saved")
    headcount.load(tmp_path / "saved").save(tmp_path / "again")
    for name in ("saved", "again"):
        manifest = json.loads((tmp_path / name / "manifest.json").read_text())
        assert list(manifest["plugins"]) == ["my_metrics"]
    # A dict is in no directory: its modules are those that the program itself would import.
    given = {"plugins": ["my_metrics"], "heads": report.to_dict()["config"]["heads"]}
    with pytest.raises(headcount.ConfigError, match="my_metrics: no module of this name is instal"):
        headcount.evaluate(table(), given)


def test_a_worker_that_has_another_module_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    path = tmp_path / "my_metrics.py"
    path.write_text(GOOD)
    plan = make_plan(load_config(tmp_path / "c.yaml"))
    sent = pickle.dumps({"partition": 0, "plan": plan})
    assert pickle.loads(sent)["plan"] == plan
    path.write_text(GOOD + "# changed\n")
    monkeypatch.setattr(plugins, "_LOADED", {})
    monkeypatch.delitem(sys.modules, plan.plugins[0].module)
    with pytest.raises(PluginError) as error:
        pickle.loads(sent)
    assert plan.plugins[0].sha256 in str(error.value)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in str(error.value)


def test_what_is_told_of_a_plugin_that_failed_in_a_worker() -> None:
    error = PluginError("plugin a: the run began with")
    assert _reason(error) == str(error)
    assert _reason(MetricError("plugin a: metric 'b'")) == "plugin a: metric 'b'"
    name = f"{type(error).__module__}.PluginError"
    text = f"Traceback:\n  raise PluginError(_differs)\n{name}: {error}\n"
    assert _reason(RuntimeError(text)) == str(error)
    assert _reason(RuntimeError("out of order")) == "the runner failed: out of order"


def test_the_job_of_another_module_is_another(project: Path) -> None:
    first = json.loads((project / "out" / "manifest.json").read_text())["job"]
    assert json.loads((project / "out2" / "manifest.json").read_text())["job"] == first
    Path("conf2").mkdir()
    Path("conf2/c.yaml").write_text(CONFIG)
    Path("conf2/my_metrics.py").write_text(GOOD)
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        assert run("conf2/c.yaml", "out3") == 0
    found = json.loads((project / "out3" / "manifest.json").read_text())
    assert found["job"] != first
    report = (project / "out3" / "report.json").read_bytes()
    assert report == (project / "out" / "report.json").read_bytes()


def test_a_metric_that_fails_ends_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    wrong = GOOD.replace("squares =", "assert len(state.keys) < 2\n        squares =")
    (tmp_path / "my_metrics.py").write_text(wrong)
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        assert run(str(tmp_path / "c.yaml"), str(tmp_path / "out")) == 5
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("plugin my_metrics: metric 'root_brier': ")
    assert line.endswith("/my_metrics.py, line 17: AssertionError:")


WRONG = """

class Share(RootBrier):
    \"\"\"The share of the weight that a segment has of all, which no metric may be.\"\"\"

    def compute(self, state):
        weight = total_mass(state)
        return Values(weight / max(1e-300, weight.sum()), {"no weight": weight == 0})


@offers("binary", kind="report")
def share(context):
    yield Share("share", context.threshold_counts)
"""


@pytest.mark.slow
def test_one_call_runs_the_laws(tmp_path: Path) -> None:
    (tmp_path / "my_metrics.py").write_text(GOOD)
    (tmp_path / "wrong.py").write_text(GOOD.replace("root_brier", "root") + WRONG)
    call = ["-m", "pytest", "-q", "-p", "heads.testing", "--pyargs", "heads.testing"]
    options = [
        "--plugins=my_metrics",
        "--plugins=wrong",
        "-p",
        "no:cacheprovider",
        "-ksegment or equal_states",
    ]
    done = subprocess.run(
        [sys.executable, *call, *options, "-W", "error", "--strict-markers"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FAILED"))
    assert "test_a_segment_does_not_depend_on_the_others[binary]" in line
    assert "AssertionError: share" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
