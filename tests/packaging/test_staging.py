"""What a job takes along for its workers, by Beam's own stager: the whole package, installable."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest
from apache_beam.runners.portability.stager import Stager

from pipeline.beam.options import beam_options
from tests.packaging.programs import ROOT, call, install

pytestmark = pytest.mark.packaging


class Copier(Stager):
    """Stages to a directory of this machine."""

    def stage_artifact(self, local_path_to_artifact: str, artifact_name: str, sha256: str) -> None:
        shutil.copy(local_path_to_artifact, artifact_name)

    def commit_manifest(self) -> str:
        return "staged"


def stage(directory: Path, *options: str) -> set[str]:
    """The names of what is staged, without the list of packages here, which is for messages."""
    directory.mkdir()
    built = directory.with_name("built")
    built.mkdir()
    resources = Stager.create_job_resources(
        beam_options(options), str(built), log_submission_env_dependencies=False
    )
    tuples = list(Stager.extract_staging_tuple_iter(resources))
    return set(Copier().stage_job_resources(tuples, staging_location=str(directory)))


def runs(staged: Path, directory: Path, programs: Path) -> None:
    """A worker that has what headcount needs, but not headcount, installs and imports it."""
    worker = install(directory / "worker", upon=programs.parent)
    pip = (worker / "pip", "install", "--quiet", "--no-index", "--no-deps", "--ignore-installed")
    call(*pip, staged, cwd=directory)
    code = "import heads, pipeline.beam.run; print(heads.__file__, pipeline.__file__)"
    # Beam has warnings to print before.
    for place in call(worker / "python", "-c", code, cwd=directory).splitlines()[-1].split():
        assert Path(place).is_relative_to(directory)
    printed = call(worker / "headcount", "demo", "--output", "here", cwd=directory)
    assert "569 rows evaluated of 569 read" in printed


def test_wheel_is_staged(wheel: Path, programs: Path, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    assert stage(staged, f"--extra_package={wheel}") == {wheel.name, "extra_packages.txt"}
    # In the order of this list, and by these names, Beam's boot program installs packages.
    assert (staged / "extra_packages.txt").read_text() == f"{wheel.name}\n"
    assert (staged / wheel.name).read_bytes() == wheel.read_bytes()
    runs(staged / wheel.name, tmp_path, programs)


def test_sdist_is_staged(sdist: Path, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    assert stage(staged, f"--extra_package={sdist}") == {sdist.name, "extra_packages.txt"}
    assert (staged / sdist.name).read_bytes() == sdist.read_bytes()


def test_tree_is_staged_by_its_project_file(sdist: Path, tmp_path: Path) -> None:
    """Beam builds the tree of a `--setup_file`, which may be a pyproject.toml."""
    staged = tmp_path / "staged"
    assert stage(staged, f"--setup_file={ROOT / 'pyproject.toml'}") == {"workflow.tar.gz"}
    with tarfile.open(staged / "workflow.tar.gz") as found, tarfile.open(sdist) as expected:
        assert sorted(found.getnames()) == sorted(expected.getnames())


def test_session_is_not_staged(tmp_path: Path) -> None:
    assert stage(tmp_path / "staged") == set()
