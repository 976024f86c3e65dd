"""Tests of the modules that the package imports, and of the names that it exports."""

from __future__ import annotations

import subprocess
import sys

import heads


def test_import_loads_numpy_only() -> None:
    script = (
        # Modules that other packages load when Python starts do not count.
        "at_start = {*sys.modules}; import heads; heads.BinaryClassHead().metrics();"
        "loaded = {name.partition('.')[0] for name in sys.modules.keys() - at_start};"
        "print(*loaded - sys.stdlib_module_names)"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name for name in run.stdout.split() if not name.startswith("_")}
    assert loaded - {"cython_runtime", "sitecustomize"} == {"heads", "numpy"}


def test_exports() -> None:
    assert sorted(heads.__all__) == heads.__all__
    for name in heads.__all__:
        assert getattr(heads, name).__doc__
