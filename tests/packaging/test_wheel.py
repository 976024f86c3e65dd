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

PACKAGES = ("heads", "pipeline", "configs")
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "scikit-learn")
# What a build adds: `.gitignore` tells the builder what to leave out.
ADDED = {"PKG-INFO", "pyproject.toml", ".gitignore"}
SUITE = ("tests/golden", "tests/e2e/test_cli.py", "tests/e2e/test_real_data.py")
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
    call(sys.executable, "-m", "pipeline.cli", "demo", "--output", tmp_path / "source", cwd=ROOT)
    for report in sorted((tmp_path / "source").glob("*/report.json")):
        installed = tmp_path / "here" / report.parent.name / "report.json"
        assert installed.read_bytes() == report.read_bytes()


def test_dependencies_are_declared(programs: Path, tmp_path: Path) -> None:
    assert "No broken requirements" in call(programs / "pip", "check", cwd=tmp_path)
    code = "import heads, pipeline.beam.run; print(heads.__file__)"
    assert str(ROOT) not in call(programs / "python", "-c", code, cwd=tmp_path)


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
