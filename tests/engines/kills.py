"""Kills workers and sends signals to runs at random moments, and looks at what they leave.

    python -m tests.engines.kills --trials 40 --seed 1

prints a line for each trial, a table of all, and ends with 1 if a trial went wrong. A trial is a
run of the real command, in its process or with two worker processes, and one of these:

- a worker, or all of them, are killed: exit code 5 and a sentence within 30 s, no process, no run;
- the command, or its process group as a terminal does it, gets a signal, once or twice: its exit
  code and one line within 5 s, no process, no file but those of a whole run;
- the command is killed: its workers end within seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.engines import generated, processes
from tests.engines.runs import SAME, Inputs

CONFIG = """
slices: [country]
heads: {click: {type: binary, logits: logit, label: label, weight: weight}}
"""
TWO = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")

WORKER_SECONDS = 30.0
SIGNAL_SECONDS = 5.0
TIMEOUT = 120.0
"""Seconds after which a command hangs."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Trial:
    """What is done to a run.

    Attributes:
        kind: "a worker", "all workers", "the command" (killed), "signal" or "signal to the group".
        options: of the command.
        number: the signal.
        moment: when, as a part of the time that an undisturbed run takes.
        twice: whether the signal is sent twice.
    """

    kind: str
    options: Sequence[str]
    number: signal.Signals
    moment: float
    twice: bool = False

    def name(self) -> str:
        runner = "two processes" if self.options else "in process"
        return f"{self.kind}, {self.number.name}, {runner}"


@dataclass(frozen=True)
class Outcome:
    """What a trial left.

    Attributes:
        code: the exit code.
        seconds: between the signal and the end of the command.
        printed: what it printed to standard error.
        left: processes of its session that still run.
        whole: whether there is a whole run.
        files: the other files in the output.
        over: whether the command had ended before.
    """

    code: int
    seconds: float
    printed: str
    left: int
    whole: bool
    files: Sequence[str]
    over: bool = False

    def faults(self, trial: Trial) -> list[str]:
        """What is wrong with it."""
        if self.over:
            return []
        limit = SIGNAL_SECONDS if trial.kind.startswith("signal") else WORKER_SECONDS
        found = [f"{self.left} processes are left"] * (self.left > 0)
        found += [f"took {self.seconds:.1f} s"] * (self.seconds > limit)
        if trial.kind == "the command":
            return found
        lines = self.printed.count("\n")
        # The last work of the workers, or of the command, may have been done.
        expected = 128 + trial.number if trial.kind.startswith("signal") else 5
        if not (self.code == 0 and self.whole and not self.printed):
            found += [f"exit code {self.code}"] * (self.code != expected)
            found += [f"{lines} lines: {self.printed!r}"] * (lines != 1)
        found += [f"files are left: {', '.join(self.files)}"] * bool(self.files)
        return found


def draw(rng: random.Random) -> Trial:
    kill = rng.random() < 0.5
    kind = rng.choice(
        ["a worker", "a worker", "all workers", "the command"]
        if kill
        else ["signal", "signal", "signal to the group"]
    )
    number = signal.SIGKILL if kill else rng.choice(SIGNALS)
    options = TWO if kill or rng.random() < 0.6 else ()
    return Trial(kind, options, number, rng.uniform(0.03, 0.9), not kill and rng.random() < 0.3)


def attempt(trial: Trial, inputs: Inputs, output: Path, expected: Path, seconds: float) -> Outcome:
    """Runs the command and disturbs it.

    Args:
        trial: how.
        inputs: what is evaluated.
        output: where to.
        expected: the output of an undisturbed run.
        seconds: how long the run takes when nothing disturbs it.
    """
    errors = output.with_suffix(".errors")
    with errors.open("wb") as stream:
        child = subprocess.Popen(
            inputs.command(output, trial.options),
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
    with child:
        try:
            at = time.monotonic() + trial.moment * seconds
            if "worker" in trial.kind:
                # From the start of the first worker.
                while child.poll() is None and not _workers(child.pid):
                    time.sleep(0.01)
                at = time.monotonic() + trial.moment * seconds * 0.7
            while child.poll() is None and time.monotonic() < at:
                time.sleep(0.01)
            over = child.poll() is not None
            if not over:
                _disturb(trial, child.pid, random.Random(trial.moment))
            start = time.monotonic()
            code = child.wait(TIMEOUT)
            ended = time.monotonic() - start
            left = _members(child.pid)
            while trial.kind == "the command" and left and time.monotonic() < start + 10:
                time.sleep(0.05)
                left = _members(child.pid)
                ended = time.monotonic() - start
        finally:
            for pid in _members(child.pid):
                os.kill(pid, signal.SIGKILL)
    found = sorted(path for path in output.rglob("*") if path.is_file())
    names = {str(path.relative_to(output)) for path in found}
    whole = "_SUCCESS" in names
    if whole:
        for name in SAME:
            assert (output / name).read_bytes() == (expected / name).read_bytes(), name
        names -= {path.name for path in expected.iterdir()}
    printed = errors.read_text(errors="replace")
    return Outcome(code, ended, printed, len(left), whole, sorted(names), over)


def _disturb(trial: Trial, pid: int, rng: random.Random) -> None:
    workers = _workers(pid)
    if trial.kind == "a worker":
        workers = rng.sample(workers, min(1, len(workers)))
    for victim in workers if "worker" in trial.kind else [pid]:
        for _ in range(1 + trial.twice):
            try:
                if trial.kind == "signal to the group":
                    os.killpg(victim, trial.number)
                else:
                    os.kill(victim, trial.number)
            except ProcessLookupError:
                break
            time.sleep(0.05 * trial.twice)


def _members(session: int) -> list[int]:
    """The processes of a session that run."""
    found = ((pid, processes._look(pid)) for pid in processes._all())
    return [pid for pid, look in found if look and look.runs and look.session == session]


def _workers(session: int) -> list[int]:
    found = []
    for pid in _members(session):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"pipeline.beam.worker" in command.split(b"\0"):
            found.append(pid)
    return found


def run_trials(trials: int, seed: int, directory: Path) -> list[tuple[Trial, Outcome]]:
    """Draws trials from a seed, and makes them one after the other."""
    rng = random.Random(seed)
    config = directory / "config.yaml"
    config.write_text(CONFIG)
    inputs = Inputs(config, generated.write_shards(directory / "data", 4, 40_000))
    seconds = {}
    for options in ((), TWO):
        start = time.monotonic()
        inputs.run(directory / f"expected-{len(options)}", options)
        seconds[options] = time.monotonic() - start
    made = []
    for number in range(trials):
        trial = draw(rng)
        output = directory / f"output-{number}"
        expected = directory / "expected-0"
        outcome = attempt(trial, inputs, output, expected, seconds[tuple(trial.options)])
        faults = "; ".join(outcome.faults(trial)) or ("over" if outcome.over else "good")
        run = "a whole run" if outcome.whole else "no run"
        print(
            f"{number:3} {trial.name():45} at {trial.moment:4.0%}: exit code {outcome.code:3}"
            f" after {outcome.seconds:4.1f} s, {run}: {faults}",
            flush=True,
        )
        made.append((trial, outcome))
    return made


def table(made: Sequence[tuple[Trial, Outcome]]) -> str:
    """How often each kind of trial ended how, and how long that took at most."""
    rows: dict[str, list[tuple[Trial, Outcome]]] = defaultdict(list)
    for trial, outcome in made:
        if not outcome.over:
            kind = replace(trial, moment=0, twice=False)
            rows[kind.name()].append((trial, outcome))
    lines = [
        "| disturbed | trials | exit codes | at most, s | whole runs | faults |",
        "|---" * 6 + "|",
    ]
    for name, found in sorted(rows.items()):
        codes = sorted({outcome.code for _, outcome in found})
        longest = max(outcome.seconds for _, outcome in found)
        whole = sum(outcome.whole for _, outcome in found)
        faults = sum(bool(outcome.faults(trial)) for trial, outcome in found)
        cells = [name, len(found), ", ".join(map(str, codes)), f"{longest:.1f}", whole, faults]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="kills", description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=40, help="%(default)s")
    parser.add_argument("--seed", type=int, default=1, help="%(default)s")
    known = parser.parse_args()
    processes.raise_on_signals()
    with processes.guarded(), tempfile.TemporaryDirectory() as directory:
        made = run_trials(known.trials, known.seed, Path(directory))
    print(table(made))
    return int(any(outcome.faults(trial) for trial, outcome in made))


if __name__ == "__main__":
    sys.exit(main())
