"""Attacks on the last step of real runs: kills, rivals, full disks; none may lose or mix a result.

    python -m tests.engines.attacks --kills 200 --pairs 50 --sizes 10 --seed 1

prints a table. Each attack begins with an output that holds a finished run, and starts another with
`--overwrite`.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.runs.manifest import is_intact, read_manifest
from pipeline.runs.publish import recover
from pipeline.runs.stage import ROOT as STAGES
from pipeline.runs.store import LocalStore
from tests.e2e.conftest import make_rows
from tests.engines.installing import ROOT

CONFIG = "slices: [country]\nheads: {click: {type: binary, logits: SCORE, label: label}}\n"
SCORES = {"old": "older", "new": "logit", "rival": "age"}
WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
TIMEOUT = 300.0
STORE = LocalStore()


@dataclass(frozen=True)
class Job:
    """A job, and what it leaves when nothing disturbs it.

    Attributes:
        config: the configuration.
        files: the glob of its files.
        report: the bytes of its report.
        shown: the line of the area under its curve that it prints.
    """

    config: Path
    files: str
    report: bytes
    shown: str

    def command(self, output: Path, *options: str) -> list[str]:
        places = [f"--config={self.config}", f"--input={self.files}", f"--output={output}"]
        return [sys.executable, "-P", "-m", "pipeline.cli", "run", *places, *options]


class Attacks:
    """Attacks below a directory.

    Args:
        directory: the directory.
        seed: the seed of all moments.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory = directory
        self._random = random.Random(seed)
        self._number = 0
        self.counts: Counter[str] = Counter()
        rows = make_rows(4000)
        (directory / "data").mkdir()
        for number in range(4):
            part = rows.slice(number * 1000, 1000)
            pq.write_table(part, directory / "data" / f"part-{number}.parquet")
        self.jobs = {name: self._job(name, score) for name, score in SCORES.items()}

    def _job(self, name: str, score: str) -> Job:
        config = self._directory / f"{name}.yaml"
        config.write_text(CONFIG.replace("SCORE", score))
        output = self._directory / f"{name}-alone"
        job = Job(config, str(self._directory / "data" / "*.parquet"), b"", "")
        begin = time.monotonic()
        with start(job.command(output)) as run:
            told, _ = run.communicate(timeout=TIMEOUT)
        self.seconds = time.monotonic() - begin
        assert run.returncode == 0, told
        return Job(config, job.files, (output / "report.json").read_bytes(), shown(told))

    def finished(self, output: Path | None = None) -> Path:
        """An output that holds a finished run, of the job `old`."""
        self._number += 1
        output = output or self._directory / f"out-{self._number}"
        shutil.copytree(self._directory / "old-alone", output)
        return output

    def holds(self, output: Path) -> str | None:
        """Whose finished run an output holds; None if it holds none that is whole."""
        if not is_intact(STORE, str(output)):
            return None
        report = (output / "report.json").read_bytes()
        (name,) = [name for name, job in self.jobs.items() if job.report == report]
        return name

    def check(self, output: Path, *, ended: bool, allowed: Sequence[str] = ("old", "new")) -> str:
        """Checks an output after an attack, and returns whose run it holds.

        Args:
            output: the output.
            ended: whether the run ended by itself, and so should have left no stage.
            allowed: whose runs it may hold.
        """
        held = self.holds(output)
        committed = list((output / STAGES).glob("*/COMMIT"))
        assert held in allowed or committed, f"{output}: the result is lost"
        if ended and committed:
            self.counts["left to be rolled forward"] += 1
        recover(STORE, str(output), is_alone=True)
        held = self.holds(output)
        assert held in allowed, f"{output}: what is rolled forward is not whole"
        manifest = read_manifest(STORE, str(output))
        assert manifest is not None
        known = {*manifest.files, "manifest.json", "_SUCCESS", "failed"}
        assert set(os.listdir(output)) <= known, f"{output}: something is left behind"
        return held

    def kill(self, *options: str, driver_alone: bool, swapping: bool) -> str:
        """Kills a run at a random moment, and returns whose run is there.

        Args:
            options: more options of the run.
            driver_alone: whether its workers go on.
            swapping: whether the moment is one at which results are written.
        """
        output = self.finished()
        moment = self._random.uniform(0.2, 1.1) * self.seconds * (2 if options else 1)
        with start(self.jobs["new"].command(output, "--overwrite", *options)) as run:
            if swapping:
                wait_for(lambda: any(output.glob(f"{STAGES}/*/data.json")), run)
                time.sleep(self._random.uniform(0, 0.06))
            else:
                with suppress(subprocess.TimeoutExpired):
                    run.wait(moment)
            ended = run.poll() is not None
            if not ended:
                (os.kill if driver_alone else os.killpg)(run.pid, signal.SIGKILL)
            run.communicate(timeout=TIMEOUT)
        # Workers end when the driver is gone; what they still do must harm nothing.
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        self.counts["committed, not published"] += any(output.glob(f"{STAGES}/*/COMMIT"))
        return self.check(output, ended=ended)

    def retry(self) -> str:
        """Kills a run while it is published, runs it again, and returns how that ends."""
        output = self.finished()
        with start(self.jobs["new"].command(output, "--overwrite")) as run:
            wait_for(lambda: any(output.glob(f"{STAGES}/*/COMMIT")), run)
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.communicate(timeout=TIMEOUT)
        committed = any(output.glob(f"{STAGES}/*/COMMIT"))
        with start(self.jobs["new"].command(output)) as again:
            told, _ = again.communicate(timeout=TIMEOUT)
        assert again.returncode == (0 if committed else 6), told
        assert self.check(output, ended=True) == "new"
        return "published by the next run" if committed else "published before"

    def pair(self) -> str:
        """Lets two runs write to one output at once, and returns how they end."""
        output = self.finished()
        delay = self._random.choice([0, self._random.uniform(0, self.seconds)])
        runs = {}
        for name in ("new", "rival"):
            runs[name] = start(self.jobs[name].command(output, "--overwrite"))
            time.sleep(delay)
        codes = {}
        for name, run in runs.items():
            with run:
                told, _ = run.communicate(timeout=TIMEOUT)
            codes[name] = run.returncode
            if run.returncode == 0:
                assert shown(told) == self.jobs[name].shown, f"{name} printed another run's figures"
            else:
                assert run.returncode == 6, told
        winners = [name for name, code in codes.items() if code == 0]
        held = self.check(output, ended=True, allowed=winners)
        assert not (output / STAGES).exists()
        return "both, one after the other" if len(winners) == 2 else f"one ({held}), one refused"

    def limit(self, size: int) -> str:
        """Runs with a limit on the size of a file, and returns whose run is there."""
        output = self.finished()

        def set_limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        with start(self.jobs["new"].command(output, "--overwrite"), set_limit) as run:
            told, _ = run.communicate(timeout=TIMEOUT)
        assert run.returncode in (0, 2, 5), told
        held = self.check(output, ended=True)
        assert (held == "new") == (run.returncode == 0) or run.returncode == 5
        return held

    def full_disk(self, free: int) -> str:
        """Runs on a disk with so many bytes left, and returns whose run is there."""
        mount = self._directory / f"disk-{self._number}"
        mount.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", mount], check=True)
        try:
            output = self.finished(mount / "out")
            found = os.statvfs(mount)
            used = (found.f_blocks - found.f_bfree) * found.f_bsize
            size = f"remount,size={used + free}"
            subprocess.run(["mount", "-o", size, mount], check=True)
            with start(self.jobs["new"].command(output, "--overwrite")) as run:
                told, _ = run.communicate(timeout=TIMEOUT)
            assert run.returncode in (0, 2, 5), told
            subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
            held = self.check(output, ended=True)
            assert (held == "new") == (run.returncode == 0)
            return held
        finally:
            subprocess.run(["umount", mount], check=True)


def start(command: Sequence[str], limit: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """Starts a command in a session of its own."""
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=limit,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def shown(told: str) -> str:
    """The line of all rows in what a run prints."""
    found = re.search(r"^ *overall .*$", told, re.MULTILINE)
    assert found is not None, told
    return found[0]


def wait_for(look: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    """Waits until something is seen, or the run has ended."""
    while run.poll() is None and not look():
        time.sleep(0.001)


def main() -> None:
    """Runs attacks and prints how often each outcome was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--sizes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    known = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        attacks = Attacks(Path(directory), known.seed)
        outcomes: dict[str, Counter[str]] = {}
        for number in range(known.kills):
            options = WORKERS if number % 2 else ()
            alone, swapping = bool(number // 2 % 2), bool(number // 4 % 2)
            name = "SIGKILL, two processes" if options else "SIGKILL, in process"
            held = attacks.kill(*options, driver_alone=alone, swapping=swapping)
            outcomes.setdefault(name, Counter())[held] += 1
        for _ in range(known.sizes):
            outcomes.setdefault("killed while published, run again", Counter())[
                attacks.retry()
            ] += 1
        for _ in range(known.pairs):
            outcomes.setdefault("two runs at once", Counter())[attacks.pair()] += 1
        for number in range(known.sizes):
            held = attacks.limit(number * 6000)
            outcomes.setdefault("RLIMIT_FSIZE", Counter())[held] += 1
        for number in range(known.sizes):
            held = attacks.full_disk(4096 + number * 24_000)
            outcomes.setdefault("full tmpfs", Counter())[held] += 1
        for name, found in outcomes.items():
            told = ", ".join(f"{count} {held}" for held, count in sorted(found.items()))
            print(f"{name}: {sum(found.values())} attacks, {told}; 0 lost, 0 mixed")
        print(dict(attacks.counts))


if __name__ == "__main__":
    main()
