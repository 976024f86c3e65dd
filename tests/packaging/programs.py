"""Environments of their own, and the programs in them."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
"""The settings of this process, without those that lead Python to other packages."""


def call(*command: str | Path, cwd: Path, status: int = 0, **settings: str) -> str:
    """What a program prints, of both streams; it must end with the status."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=CLEAN | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def install(directory: Path, *packages: str | Path, upon: Path | None = None) -> Path:
    """An environment with nothing but packages and what they ask for; the place of its programs.

    What the environment `upon` has need not be installed again, and is not changed.
    """
    venv.create(directory, with_pip=True)
    if upon is not None:
        (site,), (below,) = (place.glob("lib/*/site-packages") for place in (directory, upon))
        (site / "upon.pth").write_text(f"{below}\n")
    if packages:
        call(directory / "bin" / "pip", "install", "--quiet", *packages, cwd=directory)
    return directory / "bin"
