"""The shape of the tree: imports point one way, and start-up stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the inside out; a layer may import itself and those before it.
LAYERS = (
    "heads.statistics",
    "heads.metrics",
    "heads",
    "pipeline",
    "pipeline.beam",
    "pipeline.cli",
)
FOREIGN = {
    "heads": {"numpy", "scipy"},
    "pipeline": {
        "numpy",
        "pyarrow",
        "pydantic",
        "pydantic_core",
        "yaml",
        "google",
        "scipy",
        "tensorflow_metadata",
    },
    "pipeline.beam": {"numpy", "pyarrow", "apache_beam"},
}


def modules() -> list[tuple[str, Path]]:
    found = []
    for package in ("heads", "pipeline"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(p for p in parts if p != "__init__"), path))
    return found


def imported(path: Path, *, at_import_only: bool = False) -> set[str]:
    """The modules a file imports; without those named for type checkers alone."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_import_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names.add(node.module or "")
    return names


def layer(module: str) -> str:
    return max((name for name in LAYERS if (module + ".").startswith(name + ".")), key=len)


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_point_one_way(module: str, path: Path) -> None:
    own = LAYERS.index(layer(module))
    # The command imports Beam late; everything else imports at the top or for type checkers.
    for name in imported(path, at_import_only=module.startswith("heads.statistics")):
        if name.split(".")[0] in ("heads", "pipeline"):
            assert LAYERS.index(layer(name)) <= own, f"{module} may not import {name}"


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_each_layer_imports_only_its_libraries(module: str, path: Path) -> None:
    package = max((name for name in FOREIGN if (module + ".").startswith(name + ".")), key=len)
    allowed = FOREIGN[package] | {"heads", "pipeline"} | set(sys.stdlib_module_names)
    foreign = {name.split(".")[0] for name in imported(path)} - allowed
    assert not foreign, f"{module} may not import {sorted(foreign)}"


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in done.stdout.decode().split()}


def test_heads_load_numpy_alone() -> None:
    assert not loaded_by("import heads") & {"apache_beam", "pyarrow", "pydantic", "yaml", "pandas"}


@pytest.mark.parametrize("command", ["--help", "schema"])
def test_light_commands_do_not_load_beam_or_arrow(command: str) -> None:
    run = f"sys.argv = ['headcount', {command!r}]; import pipeline.cli"
    call = "\ntry: pipeline.cli.main()\nexcept SystemExit: pass\nprint()"
    assert not loaded_by(run + call) & {"apache_beam", "pyarrow"}


def test_no_source_file_is_too_long() -> None:
    long = [name for name, path in modules() if len(path.read_text().splitlines()) > 400]
    assert not long, f"split these: {long}"
