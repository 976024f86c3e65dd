"""The door: what it offers, and that no other folder `heads` or `pipeline` comes between."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import headcount
import heads

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("headcount"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of a user, with folders that have the names of our packages."""
    directory = tmp_path_factory.mktemp("project")
    for name in ("pipeline", "heads"):
        (directory / name).mkdir()
        (directory / name / "__init__.py").write_text("")
    return directory


def call(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": "."}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "command", [(COMMAND,), (sys.executable, "-P", "-m", "headcount")], ids=["script", "module"]
)
def test_the_command_finds_its_packages(command: tuple[str, ...], project: Path) -> None:
    done = call(*command, "--help", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: headcount ")


def test_a_program_finds_them_and_its_path_stays(project: Path) -> None:
    code = (
        "import sys; before = list(sys.path); import headcount, pipeline, heads;"
        " assert sys.path == before; print(pipeline.__file__, heads.__file__, *sys.modules)"
    )
    done = call(sys.executable, "-c", code, cwd=project)
    assert done.returncode == 0, done.stderr
    places, modules = done.stdout.split()[:2], set(done.stdout.split()[2:])
    assert places == [str(ROOT / "pipeline/__init__.py"), str(ROOT / "heads/__init__.py")]
    assert not modules & {"apache_beam", "pyarrow", "pydantic", "pandas", "polars"}


def test_another_package_that_is_imported_already_is_named(project: Path) -> None:
    done = call(sys.executable, "-c", "import pipeline, headcount", cwd=project)
    assert done.returncode == 1
    *_, message = done.stderr.splitlines()
    there = project / "pipeline" / "__init__.py"
    assert message.startswith(
        "ImportError: headcount has a package 'pipeline', and another of that"
    )
    assert f"is imported already: {there}. " in message


@pytest.mark.parametrize("has_file", [True, False])
def test_what_is_imported_already(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_file: bool
) -> None:
    headcount._refuse_others()
    other = ModuleType("heads")
    other.__path__ = [str(tmp_path / "heads")]
    place = tmp_path / "heads" / "__init__.py" if has_file else tmp_path / "heads"
    if has_file:
        other.__file__ = str(place)
    monkeypatch.setitem(sys.modules, "heads", other)
    with pytest.raises(ImportError) as error:
        headcount._refuse_others()
    assert f"{place}. " in str(error.value)
    assert (error.value.name, error.value.path) == ("heads", str(place))


def test_a_link_to_our_packages_is_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "heads").symlink_to(ROOT / "heads")
    linked = ModuleType("heads")
    linked.__path__ = [str(tmp_path / "heads")]
    monkeypatch.setitem(sys.modules, "heads", linked)
    headcount._refuse_others()


def test_the_finder_knows_two_names_and_is_there_once() -> None:
    finders = [finder for finder in sys.meta_path if getattr(finder, "home", None) == str(ROOT)]
    assert len(finders) == 1
    import_module("importlib").reload(headcount)
    assert [f for f in sys.meta_path if getattr(f, "home", None) == str(ROOT)] == finders
    for name in ("heads", "pipeline"):
        spec = headcount._Finder.find_spec(name)
        assert spec is not None
        assert spec.origin == str(ROOT / name / "__init__.py")
    for name in ("pipeline.beam", "numpy", "configs", "headcount"):
        assert headcount._Finder.find_spec(name) is None


def test_it_offers_what_it_says() -> None:
    names = {"evaluate", "run", "load", "load_config", "Report", "Evaluate", "Config", "Metric"}
    assert names | set(heads.__all__) <= set(headcount.__all__) <= set(dir(headcount))
    for name in headcount.__all__:
        assert getattr(headcount, name).__doc__, name
    assert headcount.MultiClassHead is heads.MultiClassHead
    space: dict[str, object] = {}
    exec("from headcount import *", space)
    assert set(headcount.__all__) <= space.keys()
    assert headcount.__version__[0].isdigit()


def test_what_it_does_not_offer() -> None:
    with pytest.raises(AttributeError, match=r"has no 'load_confg'; did you mean 'load_config'\?"):
        headcount.load_confg  # noqa: B018
    assert not hasattr(headcount, "__path__")
    with pytest.raises(ImportError, match="is not a package"):
        import_module("headcount.beam")
