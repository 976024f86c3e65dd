"""The built package, installed into an empty environment away from the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}

pytestmark = pytest.mark.packaging


def call(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist as `build` does."""
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with nothing but the wheel and what it asks for."""
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory, with_pip=True)
    call(directory / "bin" / "pip", "install", "--quiet", wheel, cwd=directory)
    return directory / "bin"


def test_wheel_is_complete_and_has_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = call("git", "ls-files", "heads", "pipeline", "configs", cwd=ROOT).split("\n")
    assert names == {name for name in tracked if name}


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
