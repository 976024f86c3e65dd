"""The built packages, installed into an empty environment away from the source tree."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.programs import ROOT, call, install

pytestmark = pytest.mark.packaging

PACKAGES = ("headcount.py", "heads", "pipeline", "configs")
# With pandas every import of Beam imports it, too: what is tested with it is tested here.
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "scikit-learn", "pandas", "polars", "ml-dtypes")
# What a build adds: `.gitignore` tells the builder what to leave out.
ADDED = {"PKG-INFO", "pyproject.toml", ".gitignore"}
SUITE = (
    "tests/golden",
    "tests/e2e/test_cli.py",
    "tests/e2e/test_real_data.py",
    "tests/heads/test_arrays.py",
)
"""What runs against the wheel: figures and whole runs. The rest takes minutes, and some of it is of
the tree itself (architecture, benchmarks, docs, packaging)."""


def tracked(*names: str) -> set[str]:
    return set(call("git", "ls-files", *names, cwd=ROOT).split("\n")) - {""}


def test_wheel_is_complete_and_has_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licence = archive.read(next(n for n in archive.namelist() if n.endswith("/LICENSE")))
    assert names == tracked(*PACKAGES)
    assert {f"{package}/py.typed" for package in ("heads", "pipeline")} <= names
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_sdist_is_complete_and_has_nothing_else(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names == tracked(*PACKAGES, "README.md", "CHANGELOG.md", "LICENSE") | ADDED


def test_demo_runs_from_the_installed_wheel(programs: Path, tmp_path: Path) -> None:
    printed = call(programs / "headcount", "demo", "--output", "here", cwd=tmp_path)
    assert "569 rows evaluated of 569 read" in printed
    call(sys.executable, "-m", "headcount", "demo", "--output", tmp_path / "source", cwd=ROOT)
    for report in sorted((tmp_path / "source").glob("*/report.json")):
        installed = tmp_path / "here" / report.parent.name / "report.json"
        assert installed.read_bytes() == report.read_bytes()


def test_dependencies_are_declared(programs: Path, tmp_path: Path) -> None:
    assert "No broken requirements" in call(programs / "pip", "check", cwd=tmp_path)
    code = "import headcount, heads, pipeline.beam.run; print(heads.__file__)"
    assert str(ROOT) not in call(programs / "python", "-c", code, cwd=tmp_path)


FRAMES = """
import sys, headcount
assert not {"pandas", "polars", "apache_beam"} & set(sys.modules)
import pandas, polars
columns = {"s": [0.9, 0.2, 0.6, 0.4], "y": [1, 0, 0, 1], "g": ["a", "b", "a", None]}
config = {"slices": ["g"], "heads": {"h": {"type": "binary", "probability": "s", "label": "y"}}}
expected = headcount.evaluate(columns, config)
odd = pandas.DataFrame({**columns, "odd": [object(), 1, "a", None]})
coded = polars.DataFrame(columns).with_columns(polars.col("g").cast(polars.Categorical))
for frame in (odd, odd.astype({"g": "category", "y": "Int8"}), coded):
    report = headcount.evaluate(frame, config)
    assert report.to_dict() == expected.to_dict(), type(frame)
frame = report.to_pandas()
assert list(frame.columns) == report.to_arrow().column_names
assert polars.from_arrow(report.to_arrow()).height == len(frame) > 100
print("done")
"""


def test_frames_of_pandas_and_polars_and_folders_of_the_user(
    programs: Path, tmp_path: Path
) -> None:
    frames = install(tmp_path / "frames", "pandas", "polars", upon=programs.parent)
    project = tmp_path / "project"
    for name in ("pipeline", "heads", "configs"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise ImportError('of the user')")
    assert call(frames / "python", "-c", FRAMES, cwd=project, PYTHONPATH=".") == "done\n"
    data = ROOT / "configs" / "data" / "breast_cancer" / "parquet" / "*.parquet"
    two = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    files = (f"--config={ROOT / 'configs' / 'binary.yaml'}", f"--input={data}", "--output=out")
    printed = call(programs / "headcount", "run", *files, *two, cwd=project, PYTHONPATH=".")
    assert "written to out/report.json" in printed


def test_laws_of_metrics_run_over_a_plugin(programs: Path, tmp_path: Path) -> None:
    tools = install(tmp_path / "tools", "pytest", upon=programs.parent)
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / "configs" / "call_costs.py", project)
    laws = ("-p", "heads.testing", "--pyargs", "heads.testing", "-p", "no:cacheprovider")
    printed = call(tools / "python", "-m", "pytest", *laws, "--plugins", "call_costs", cwd=project)
    assert " passed, " in printed
    assert "failed" not in printed


def test_suite_passes_against_the_installed_wheel(programs: Path, tmp_path: Path) -> None:
    """The tests run where there are no sources; those of the sources themselves are left out."""
    tools = install(tmp_path / "tools", *TOOLS, upon=programs.parent)
    away = tmp_path / "away"
    away.mkdir()
    for name in tracked("tests", "configs", "pyproject.toml"):
        (away / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, away / name)
    code = "import heads, pipeline; print(heads.__file__, pipeline.__file__)"
    for place in call(tools / "python", "-c", code, cwd=away).split():
        assert Path(place).is_relative_to(programs.parent)
    options = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib")
    printed = call(tools / "python", "-m", "pytest", *options, *SUITE, cwd=away)
    assert " passed" in printed
    assert "skipped" not in printed
