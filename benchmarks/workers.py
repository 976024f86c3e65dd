"""How much faster two workers are than one, on this machine.

    .venv/bin/python benchmarks/workers.py [--rounds 3] [--directory DIR]

Runs the job of `throughput.py` on 10 million and on 40 million rows with one and with two worker
processes (`--direct_running_mode=multi_processing`), in turn, and prints the ratio of the time that
the 30 million rows between them take, into which start-up does not enter: with a core for each
worker, as on a cluster, and with both cores for one worker as well, whose file is then decoded on
the second. The whole run of the larger is there too, start-up and the last step, which one worker
does, included.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from throughput import CONFIG, LARGE, run, write_rows

FEW, MANY = LARGE, 4 * LARGE
SETUPS = {
    "one worker, a core": (1, "0"),
    "one worker, two cores": (1, "0,1"),
    "two workers, two cores": (2, "0,1"),
}


def measure(directory: Path, rounds: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "config.yaml"
    config.write_text(CONFIG)
    for rows in (FEW, MANY):
        if not (directory / str(rows)).exists():
            write_rows(directory / str(rows), rows)

    def seconds(rows: int, workers: int, cores: str) -> float:
        program = Path(sys.executable).with_name("headcount")
        command = ["taskset", "-c", cores, str(program), "run", "--config", str(config)]
        command += ["--input", f"{directory}/{rows}/*.parquet", "--output", f"{directory}/out"]
        command += ["--overwrite", "--direct_running_mode=multi_processing"]
        return run([*command, f"--direct_num_workers={workers}"]).seconds

    between: dict[str, list[float]] = {name: [] for name in SETUPS}
    whole: dict[str, list[float]] = {name: [] for name in SETUPS}
    for _ in range(rounds):
        for name, (workers, cores) in SETUPS.items():
            few = seconds(FEW, workers, cores)
            whole[name].append(seconds(MANY, workers, cores))
            between[name].append(whole[name][-1] - few)
    *_, two = SETUPS
    for what, taken in (
        (f"the {MANY - FEW:,} rows between", between),
        (f"a run of {MANY:,} rows", whole),
    ):
        print(f"\n| seconds of {what} | median | of one, of two: ratio by round | rounds |")
        print("|---|---|---|---|")
        for name, setup_seconds in taken.items():
            ratios = [
                alone / together for alone, together in zip(setup_seconds, taken[two], strict=True)
            ]
            rounds_text = " ".join(f"{round_seconds:.1f}" for round_seconds in setup_seconds)
            median = statistics.median(setup_seconds)
            print(
                f"| {name} | {median:.1f} | {statistics.median(ratios):.2f}"
                f" ({min(ratios):.2f} to {max(ratios):.2f}) | {rounds_text} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where to keep the files for another time")
    known = parser.parse_args()
    if known.directory:
        measure(known.directory, known.rounds)
        return
    with tempfile.TemporaryDirectory() as directory:
        measure(Path(directory), known.rounds)


if __name__ == "__main__":
    main()
