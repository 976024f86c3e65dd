"""The simulation of merging runs, and no row is lost in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_merges_the_states_of_all_shards() -> None:
    sizes = ["--shards", "5", "--slices", "20", "--bundles", "4", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "merging.py"), *sizes],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].startswith("| 5 | 1 | 4 |")
