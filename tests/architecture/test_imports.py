"""The shape of the tree: imports point one way, and start-up stays light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.imports import circles, imported, module_graph, modules, room_graph

ROOT = Path(__file__).resolve().parents[2]
MODULES = modules(ROOT)

LAYERS = (
    "heads.statistics",
    "heads.metrics.core",
    "heads.metrics",
    "heads.curves",
    "heads",
    "heads.testing",
    "pipeline.errors",
    "pipeline.confidence",
    "pipeline.readers",
    "pipeline.config",
    "pipeline.extract",
    "pipeline.slicing",
    "pipeline.validation",
    "pipeline.evaluation",
    "pipeline.results",
    "pipeline.gates",
    "pipeline.report",
    "pipeline.runs",
    "pipeline.evaluate",
    "pipeline.beam",
    "pipeline.api",
    "pipeline.cli",
    "headcount",
)
"""The rooms from the ground up: a room imports only those that stand above it here."""

FOREIGN = {
    "heads": {"numpy", "scipy"},
    "heads.testing": {"numpy", "pytest"},
    "pipeline.errors": set(),
    "pipeline.confidence": {"numpy", "scipy"},
    "pipeline.readers": {"numpy", "pyarrow", "google"},
    "pipeline.config": {"pydantic", "pydantic_core", "yaml", "google", "tensorflow_metadata"},
    "pipeline.extract": {"numpy", "pyarrow"},
    "pipeline.slicing": {"numpy", "pyarrow"},
    "pipeline.validation": {"numpy", "pyarrow", "google", "tensorflow_metadata"},
    "pipeline.evaluation": {"numpy", "pyarrow", "tensorflow_metadata"},
    "pipeline.results": {"numpy"},
    "pipeline.report": {
        "numpy",
        "pyarrow",
        "pydantic",
        "pydantic_core",
        "google",
        "tensorflow_metadata",
    },
    "pipeline.gates": {"numpy"},
    "pipeline.report.text": {"rich"},
    "pipeline.runs": {"numpy"},
    "pipeline.evaluate": {"numpy", "pyarrow"},
    "pipeline.beam": {"numpy", "pyarrow", "apache_beam", "google", "grpc"},
    "pipeline.api": {"numpy", "pyarrow"},
    "pipeline.cli": set(),
    "headcount": set(),
    "pipeline": set(),
}
"""What else each of them may import; what is not named here is of the standard library."""

each_module = pytest.mark.parametrize(("module", "path"), MODULES.items(), ids=MODULES)


def layer_of(module: str, layers: object = LAYERS) -> str:
    assert isinstance(layers, tuple | dict)
    return max((name for name in layers if f"{module}.".startswith(f"{name}.")), key=len)


@each_module
def test_imports_point_one_way(module: str, path: Path) -> None:
    if module == "pipeline":
        assert not imported(path, MODULES)
        return
    place = LAYERS.index(layer_of(module))
    for other in imported(path, MODULES) & MODULES.keys():
        above = LAYERS.index(layer_of(other))
        assert above <= place, f"{module} may not import {other}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(module_graph(ROOT)) == []
    assert circles(room_graph(ROOT)) == []


def test_every_layer_is_there_and_in_the_guide() -> None:
    assert {layer_of(module) for module in MODULES if module != "pipeline"} == set(LAYERS)
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `((?:headcount|heads|pipeline)[a-z/.]*)` \|", guide, re.MULTILINE)
    assert [row.removesuffix(".py").strip("/").replace("/", ".") for row in rows] == list(LAYERS)


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"f", "a"}, "f": {"e"}}
    assert circles(graph) == [["b", "c"], ["e", "f"]]
    assert circles({"a": {"b"}, "b": set()}) == []


@each_module
def test_each_layer_imports_only_its_libraries(module: str, path: Path) -> None:
    allowed = FOREIGN[layer_of(module, FOREIGN)] | {"heads", "pipeline"}
    allowed = allowed | set(sys.stdlib_module_names)
    foreign = {name.split(".")[0] for name in imported(path)} - allowed
    assert not foreign, f"{module} may not import {sorted(foreign)}"


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in done.stdout.decode().split()}


def test_heads_load_numpy_alone() -> None:
    assert not loaded_by("import heads") & {"apache_beam", "pyarrow", "pydantic", "yaml", "pandas"}


@pytest.mark.parametrize("command", ["--help", "schema", "check nowhere"])
def test_light_commands_do_not_load_what_is_heavy(command: str) -> None:
    run = f"sys.argv = ['headcount', *{command.split()}]; import headcount"
    call = "\ntry: headcount.main()\nexcept SystemExit: pass\nprint()"
    assert not loaded_by(run + call) & {"apache_beam", "pyarrow", "rich"}


def test_no_source_file_is_too_long() -> None:
    long = [name for name, path in MODULES.items() if len(path.read_text().splitlines()) > 400]
    assert not long, f"split these: {long}"
