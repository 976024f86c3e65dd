"""Mutants of finished runs: commands must refuse what was changed, and never break.

    .venv/bin/python -m tests.faults.mutants [--mutants N] [--seed N] [--only NUMBER]

Real runs are made, and changed in one of the ways of `tests.faults.mutations`: with checksums as
they were, so that the change has to be seen; or sealed, with checksums that fit it, as if somebody
had written them anew. Then no more is asked than an exit code of 0 or 2, a reason, and little
memory. A command has a process of its own, which may open nothing outside of the runs. The program
prints a table, and ends with exit code 1 if the outcome of a mutant is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import cli
from tests.faults.mutations import (
    ALL,
    DATA,
    GATES,
    MANIFEST,
    MARK,
    MUTATIONS,
    REPORT,
    STATES,
    SUCCESS,
    Files,
    Scene,
)

SHOWN = (SUCCESS, MANIFEST, REPORT, GATES, MARK, DATA)
READ = {"show": SHOWN, "check": SHOWN, "diff": (SUCCESS, MANIFEST, REPORT, STATES)}
"""The files that a command reads."""
MOST_MB = 300
MOST_SECONDS = 20
IN_PLACE = ("missing", "directory", "pipe", "device", "link out", "link to itself", "socket")
"""What may stand in the place of a file."""


@dataclass(frozen=True)
class Mutant:
    """A changed run, and the command that is to read it.

    Attributes:
        kind: how it was changed.
        sealed: whether the checksums fit the change.
        changed: whether a file that the command reads is another one.
        arguments: the command.
        directory: the changed run.
    """

    kind: str
    sealed: bool
    changed: bool
    arguments: list[str]
    directory: Path


@dataclass(frozen=True)
class Outcome:
    """What a command made of a mutant.

    Attributes:
        code: its exit code, or how it broke.
        said: what it printed for people.
        seconds: how long it took.
        mb: how much memory it took at most; 0 if that was not measured.
        opened: what it opened outside of the runs.
    """

    code: int | str
    said: str
    seconds: float
    mb: float = 0.0
    opened: Sequence[str] = ()


def make_mutant(seed: int, number: int, runs: Sequence[Path], directory: Path) -> Mutant:
    """The mutant of a number, made below a directory."""
    rng = np.random.default_rng([seed, number])
    first, second = (runs[int(place)] for place in rng.permutation(len(runs))[:2])
    whole, other = ({name: (run / name).read_bytes() for name in ALL} for run in (first, second))
    scene = Scene(rng, dict(whole), other, str(directory / "elsewhere"))
    kinds = [*MUTATIONS, "in place"]
    kind = kinds[number % len(kinds)]
    sealed = bool(rng.integers(2))
    name = scene.pick(ALL) if kind == "in place" else MUTATIONS[kind](scene)
    sealed = sealed and kind != "in place" and name != SUCCESS
    if sealed:
        seal(scene.files, name)
    target = directory / f"mutant{number}"
    target.mkdir()
    for file, content in scene.files.items():
        (target / file).write_bytes(content)
    if kind == "in place":
        what = scene.pick(IN_PLACE)
        kind = f"in place: {what}"
        put_in_place(what, target / name, second / name)
    commands = [command for command, names in READ.items() if name in names]
    command = commands[int(rng.integers(len(commands)))]
    places = [str(target), *([str(second)] if command == "diff" else [])]
    if rng.integers(2):
        places.reverse()
    changed = kind not in MUTATIONS or any(scene.files[n] != whole[n] for n in READ[command])
    return Mutant(kind, sealed, changed, [command, *places], target)


def seal(files: Files, name: str) -> None:
    """Makes the manifest and `_SUCCESS` fit a changed file."""
    if name != MANIFEST:
        manifest = json.loads(files[MANIFEST])
        digest = hashlib.sha256(files[name]).hexdigest()
        manifest["files"][name] = {"bytes": len(files[name]), "sha256": digest}
        files[MANIFEST] = json.dumps(manifest).encode()
    success = json.loads(files[SUCCESS])
    success["manifest_sha256"] = hashlib.sha256(files[MANIFEST]).hexdigest()
    files[SUCCESS] = json.dumps(success).encode() + b"\n"


def put_in_place(what: str, path: Path, other: Path) -> None:
    """Puts something else in the place of a file."""
    path.unlink()
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    elif what == "link out":
        path.symlink_to(other)
    elif what == "link to itself":
        path.symlink_to(path.name)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            # The name of a socket may have about a hundred bytes.
            listening.bind(os.path.relpath(path))


def execute(mutant: Mutant) -> Outcome:
    """Runs the command in this process."""
    said, begin = io.StringIO(), time.monotonic()
    code: int | str
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(said):
            code = cli.main(mutant.arguments)
    except BaseException:
        code = traceback.format_exc()
    return Outcome(code, said.getvalue(), time.monotonic() - begin)


def execute_apart(mutant: Mutant, inside: Sequence[str]) -> Outcome:
    """Runs the command in a process, and measures its memory.

    Args:
        mutant: the mutant.
        inside: the beginnings of the paths that it may open.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(2 * MOST_SECONDS)
        opened: list[str] = []
        sys.addaudithook(
            lambda event, given: opened.append(str(given[0])) if event == "open" else None
        )
        outcome = execute(mutant)
        outside = [path for path in opened if not path.startswith(tuple(inside))]
        with os.fdopen(writing, "w") as stream:
            json.dump([outcome.code, outcome.said, outcome.seconds, outside], stream)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    _, status, usage = os.wait4(child, 0)
    mb = usage.ru_maxrss / 1024
    if not text:
        return Outcome(f"it ended with status {status}", "", 0.0, mb)
    code, said, seconds, outside = json.loads(text)
    return Outcome(code, said, seconds, mb, outside)


def fault_of(mutant: Mutant, outcome: Outcome) -> str | None:
    """Says what is wrong with an outcome; None if nothing is."""
    if outcome.code == 7 and mutant.arguments[0] == "check" and mutant.kind == "in place: missing":
        # Without `_SUCCESS` there is no run.
        return None if "there is no run yet" in outcome.said else f"said {outcome.said}"
    if outcome.code not in (0, 2):
        return f"broke: {outcome.code}"
    if outcome.code == 0 and mutant.changed and not mutant.sealed:
        return "was accepted"
    named = str(mutant.directory) in outcome.said and any(name in outcome.said for name in ALL)
    if outcome.code == 2 and not named:
        return f"named no file: {outcome.said}"
    if outcome.mb > MOST_MB:
        return f"took {outcome.mb:.0f} MB"
    if outcome.seconds > MOST_SECONDS:
        return f"took {outcome.seconds:.0f} s"
    return f"opened {outcome.opened}" if outcome.opened else None


def make_runs(directory: Path) -> None:
    """Makes runs of two models on the same rows, and one on others, below a directory."""
    import pyarrow.parquet as pq

    from tests.e2e.conftest import CONFIG, make_rows

    for number, (seed, logits) in enumerate(((3, "logit"), (3, "older"), (4, "logit"))):
        rows = directory / f"rows{number}.parquet"
        pq.write_table(make_rows(300, seed), rows)
        config = directory / f"config{number}.yaml"
        gates = "gates: [{metric: roc_auc, at_least: 0.1, slices: [country]}]"
        config.write_text(CONFIG.replace("logits: logit", f"logits: {logits}", 1) + gates)
        arguments = ["--config", config, "--input", rows, "--output", directory / f"run{number}"]
        with redirect_stdout(io.StringIO()):
            assert cli.main(["run", *map(str, arguments)]) == 0


def survey(numbers: Sequence[int], seed: int, directory: Path) -> int:
    """Makes mutants of runs, prints what became of them, and returns how many are wrong."""
    child = os.fork()
    if not child:
        # Beam stays out of the process whose children are measured.
        make_runs(directory)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    runs = sorted(directory.glob("run?"))
    # What commands import is there before they are watched.
    one = str(runs[0])
    for arguments in (["show", one], ["check", one], ["diff", *map(str, runs[:2])]):
        assert execute(Mutant("none", False, False, arguments, runs[0])).code == 0
    counts: dict[str, Counter[str]] = {}
    faults, most_mb, most_seconds = 0, 0.0, 0.0
    for number in numbers:
        mutant = make_mutant(seed, number, runs, directory)
        inside = [str(mutant.directory), *map(str, runs), sys.prefix, sys.base_prefix]
        outcome = execute_apart(mutant, inside)
        most_mb, most_seconds = max(most_mb, outcome.mb), max(most_seconds, outcome.seconds)
        fault = fault_of(mutant, outcome)
        result = "wrong" if fault else "refused" if outcome.code == 2 else "shown"
        if result == "shown" and not mutant.changed:
            result = "equal"
        row = counts.setdefault(mutant.kind, Counter())
        row[f"sealed, {result}" if mutant.sealed else result] += 1
        if fault or len(numbers) == 1:
            faults += fault is not None
            what = f"mutant {number}: {mutant.kind}: {mutant.arguments[0]}:"
            print(what, fault or outcome.said, flush=True)
        remove(mutant.directory)
    print_counts(counts)
    print(f"{len(numbers):,} mutants of seed {seed}, {faults} wrong;", end=" ")
    print(f"at most {most_mb:.0f} MB and {most_seconds:.1f} s")
    return faults


def remove(directory: Path) -> None:
    for path in directory.iterdir():
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    directory.rmdir()


def print_counts(counts: dict[str, Counter[str]]) -> None:
    columns = ("refused", "equal", "shown", "wrong")
    columns += tuple(f"sealed, {column}" for column in columns)
    print(f"{'':28}" + "".join(f"{column:>16}" for column in columns))
    total = Counter[str]()
    for row in counts.values():
        total.update(row)
    for kind, row in [*sorted(counts.items()), ("all", total)]:
        print(f"{kind:28}" + "".join(f"{row[column] or '.':>16}" for column in columns))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    given = parser.parse_args()
    numbers = range(given.mutants) if given.only is None else [given.only]
    with tempfile.TemporaryDirectory() as directory:
        return 1 if survey(numbers, given.seed, Path(directory)) else 0


if __name__ == "__main__":
    sys.exit(main())
