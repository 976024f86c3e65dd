"""Engines are brought once, and whole."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.engines import installing
from tests.engines.installing import InstallError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(installing, "INSTALLED", tmp_path / "gradle" / "wrapper")
    return tmp_path


def test_one_that_is_there_is_not_brought_again() -> None:
    brought = []
    for _ in range(2):
        place = installing._once("engine-1", brought.append)
    assert len(brought) == 1
    assert place.is_dir()


def test_one_that_failed_leaves_nothing_and_is_tried_again() -> None:
    def half(directory: Path) -> None:
        (directory / "half").touch()
        raise InstallError("no network")

    with pytest.raises(InstallError):
        installing._once("engine-1", half)
    assert [path.name for path in installing.INSTALLED.iterdir()] == ["engine-1.lock"]
    assert installing._once("engine-1", lambda directory: None).is_dir()


def test_a_command_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InstallError, match="ended with 3:\nbecause"):
        installing._call(["sh", "-c", "echo because; exit 3"])
    with pytest.raises(InstallError, match="no_such_program is not installed"):
        installing._call(["no_such_program"])


def test_the_job_server_names_all_jars(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("flink", "flink_runner"):
        directory = elsewhere / name
        (directory / "lib").mkdir(parents=True)
        jars = directory / "lib" if name == "flink" else directory
        (jars / f"{name}-{'long' * 30}.jar").touch()
        monkeypatch.setattr(installing, name, lambda directory=directory: directory)
    with zipfile.ZipFile(installing.job_server()) as archive:
        manifest = archive.read("META-INF/MANIFEST.MF")
    assert max(map(len, manifest.split(b"\r\n"))) <= 72
    whole = manifest.replace(b"\r\n ", b"").decode()
    assert whole.endswith("\r\n")
    assert whole.count("file://") == whole.count(".jar") == 2
