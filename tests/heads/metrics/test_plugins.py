"""Modules of users that offer metrics: where they are found, and what else sees them."""

from __future__ import annotations

import hashlib
import importlib
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from heads.metrics.core import plugins, registry
from heads.metrics.core.plugins import PluginError, load_plugin, plugin_of, source_sha256
from heads.metrics.core.registry import report_metrics
from heads.testing.contexts import make_context
from tests.heads.metrics.plugin_sources import GOOD


@pytest.fixture(autouse=True)
def other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test loads is for it alone."""
    registry._load()
    registry._report_metrics.cache_clear()
    monkeypatch.setattr(registry, "_OFFERS", list(registry._OFFERS))
    monkeypatch.setattr(plugins, "_LOADED", {})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the path."""
    directory = tmp_path / "site"
    directory.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(directory)])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    importlib.invalidate_caches()
    return directory


def write(directory: Path, name: str, text: str = GOOD) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    importlib.invalidate_caches()
    return path


def refused(name: str, directory: Path | None) -> str:
    with pytest.raises(PluginError) as error:
        load_plugin(name, None if directory is None else str(directory))
    message = str(error.value)
    assert "\n" not in message
    return message


def names(*loaded: plugins.Plugin) -> set[str]:
    """The metrics that a context with plugins has, and one without has not."""
    context = replace(make_context(), plugins=tuple(plugin.module for plugin in loaded))
    return set(report_metrics(context)) - set(report_metrics(make_context()))


def test_a_module_beside_is_seen_by_whom_it_is_given_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "my_metrics.py")
    before = list(sys.path)
    plugin = load_plugin("my_metrics", str(tmp_path))
    assert sys.path == before
    assert "my_metrics" not in sys.modules
    assert plugin.file == str(path)
    assert plugin.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert names(plugin) == {"root_brier"}
    assert names() == set()
    assert plugin_of(type(report_metrics(make_context())["roc_auc"])) is None
    assert [path.name for path in tmp_path.iterdir()] == ["my_metrics.py"]


def test_two_of_one_name_do_not_meet(tmp_path: Path) -> None:
    write(tmp_path / "a", "my_metrics.py")
    write(tmp_path / "b", "my_metrics.py", GOOD.replace('"root_brier"', '"other"'))

    def load(place: str) -> set[str]:
        return names(load_plugin("my_metrics", str(tmp_path / place)))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(load, "abababab"))
    assert found == [{"root_brier"}, {"other"}] * 4


def test_what_is_changed_is_loaded_anew(tmp_path: Path) -> None:
    path = write(tmp_path, "my_metrics.py")
    first = load_plugin("my_metrics", str(tmp_path))
    # As many bytes in the same second: bytecode that was kept would be taken for it.
    path.write_text(GOOD.replace('"root_brier"', '"boot_rrier"'))
    second = load_plugin("my_metrics", str(tmp_path))
    assert (names(first), names(second)) == ({"root_brier"}, {"boot_rrier"})
    assert first != second


def test_a_package_beside(tmp_path: Path) -> None:
    write(tmp_path, "mine/__init__.py", "from .deep import rates\n")
    write(tmp_path, "mine/deep/__init__.py", "")
    inner = write(tmp_path, "mine/deep/rates.py")
    write(tmp_path, "mine/notes.txt", "no code")
    plugin = load_plugin("mine", str(tmp_path))
    assert names(plugin) == {"root_brier"}
    lines = "".join(
        f"{hashlib.sha256((tmp_path / 'mine' / path).read_bytes()).hexdigest()} {path}\n"
        for path in ("__init__.py", "deep/__init__.py", "deep/rates.py")
    )
    assert plugin.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    inner.write_text(GOOD + "# changed\n")
    assert source_sha256(plugin.file) != plugin.sha256


def test_an_installed_module(installed: Path, tmp_path: Path) -> None:
    write(installed, "acme/__init__.py", "")
    path = write(installed, "acme/metrics.py", f"from acme import other\n{GOOD}")
    write(installed, "acme/other.py", GOOD.replace('"root_brier"', '"of_other"'))
    plugin = load_plugin("acme.metrics", str(tmp_path))
    assert (plugin.module, plugin.file) == ("acme.metrics", str(path))
    # What else it imports is of no plugin.
    assert names(plugin) == {"root_brier"}
    assert sys.modules["acme.metrics"].RootBrier
    path.write_text(GOOD + "# changed\n")
    assert "was changed after it was imported" in refused("acme.metrics", tmp_path)


def test_one_that_a_program_imported_before(installed: Path) -> None:
    write(installed, "imported_before.py")
    importlib.import_module("imported_before")
    assert names() == set()
    assert names(load_plugin("imported_before", None)) == {"root_brier"}


def test_that_beside_hides_the_installed_and_says_so(installed: Path, tmp_path: Path) -> None:
    hidden = write(installed, "my_metrics.py", GOOD + "# older\n")
    beside = write(tmp_path, "my_metrics.py")
    plugin = load_plugin("my_metrics", str(tmp_path))
    assert (plugin.file, plugin.hidden) == (str(beside), str(hidden))
    assert load_plugin("my_metrics", str(installed)).hidden is None


GROWS = f"{GOOD}import pathlib\npathlib.Path(__file__).write_text('')\n"
NO_OFFERS = "import heads.metrics.core.registry\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("../my_metrics", GOOD, "'../my_metrics' is no name of a module; paths are not accepted"),
        ("my_metrics.py", GOOD, "no module of this name is installed"),
        ("json", GOOD, "json: a module of Python has this name; rename yours"),
        ("heads.mine", GOOD, "heads.mine: a module of headcount has this name; rename yours"),
        ("not_there", GOOD, "/not_there.py, and no module of this name is installed"),
        ("my_metrics", GOOD + "x = 1 +\n", "my_metrics.py, line 24: SyntaxError: invalid syntax"),
        ("my_metrics", "\nimport nowhere\n", "line 2: ModuleNotFoundError: No module named 'now"),
        ("my_metrics", "def f():\n    1 / 0\nf()\n", "my_metrics.py, line 2: ZeroDivisionError"),
        ("my_metrics", "import sys\nsys.exit(3)\n", "my_metrics.py, line 2: SystemExit: 3"),
        ("my_metrics", "import beside\n", "put both into a package, with relative imports"),
        ("my_metrics", GROWS, "my_metrics.py was changed while it was imported"),
        ("my_metrics", NO_OFFERS, "offers no metrics: none of its functions has the decorator"),
        ("my_metrics", GOOD.replace('"binary"', '"binry"'), "root_brier: 'binry' is no type of"),
        ("my_metrics", GOOD.replace('"binary", ', ""), "root_brier: '' is no type of head"),
        ("my_metrics", GOOD.replace(', kind="report"', ""), 'root_brier: say kind="report"'),
        ("empty", GOOD, "no module of this name is installed as Python source"),
    ],
)
def test_what_is_no_plugin(name: str, text: str, told: str, tmp_path: Path) -> None:
    write(tmp_path, "my_metrics.py", text)
    write(tmp_path, "beside.py", "")
    (tmp_path / "empty").mkdir()
    assert told in refused(name, tmp_path)


def test_a_failed_import_leaves_nothing(tmp_path: Path) -> None:
    known = set(sys.modules)
    path = write(tmp_path, "mine/__init__.py", f"{GOOD}\nfrom . import deep\nraise OSError('x')")
    write(tmp_path, "mine/deep.py", GOOD)
    for _ in range(2):
        assert f"{path}, line 26: OSError: x" in refused("mine", tmp_path)
        assert set(sys.modules) == known


def test_a_failed_import_of_an_installed_module(installed: Path) -> None:
    write(installed, "acme/__init__.py", "import nowhere")
    write(installed, "acme/metrics.py")
    assert "No module named 'nowhere'" in refused("acme.metrics", None)
    assert "no module of this name is installed" in refused("acme2.metrics", None)


def test_another_process_loads_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "my_metrics.py")
    plugin = load_plugin("my_metrics", str(tmp_path))
    metric = report_metrics(replace(make_context(), plugins=(plugin.module,)))["root_brier"]
    sent = pickle.dumps((plugin, metric))
    assert pickle.loads(sent) == (plugin, metric)
    leave(plugin, monkeypatch)
    arrived, found = pickle.loads(sent)
    assert arrived == plugin
    assert type(found) is not type(metric)
    assert plugin_of(type(found)) == plugin
    leave(plugin, monkeypatch)
    path.write_text(GOOD + "# changed\n")
    with pytest.raises(PluginError) as error:
        pickle.loads(sent)
    changed = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"began with {path}, SHA-256 {plugin.sha256}, and a worker has" in str(error.value)
    assert f"has {path}, SHA-256 {changed}. Install" in str(error.value)


def test_another_machine_has_it_installed(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "my_metrics.py")
    plugin = load_plugin("my_metrics", str(tmp_path))
    sent = pickle.dumps(plugin)
    leave(plugin, monkeypatch)
    path.unlink()
    with pytest.raises(PluginError, match="neither this file nor an installed module"):
        pickle.loads(sent)
    write(installed, "my_metrics.py", GOOD + "# older\n")
    with pytest.raises(PluginError, match=f"has {installed}/my_metrics.py, SHA-256"):
        pickle.loads(sent)
    write(installed, "my_metrics.py")
    assert pickle.loads(sent).file == str(installed / "my_metrics.py")


def test_another_process_has_not_the_path_of_the_first(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a module beside a program: workers have not its directory on their path."""
    write(installed, "my_metrics.py")
    plugin = load_plugin("my_metrics", None)
    sent = pickle.dumps(plugin)
    leave(plugin, monkeypatch)
    monkeypatch.setattr(sys, "path", sys.path[:-1])
    assert pickle.loads(sent) == plugin
    assert names(plugin) == {"root_brier"}


def leave(plugin: plugins.Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is as another process, which has not loaded a plugin."""
    monkeypatch.setattr(plugins, "_LOADED", {})
    monkeypatch.delitem(sys.modules, plugin.module)
