"""How much faster two workers are than one, on this machine.

    .venv/bin/python benchmarks/workers.py [--rounds 3] [--directory DIR]

Runs the job of `throughput.py` on 2.5 million and on 10 million rows with one and with two worker
processes (`--direct_running_mode=multi_processing`), in turn, and prints the ratio of the time that
the 7.5 million rows between them take, into which start-up does not enter: with a core for each
worker, as on a cluster, and with both cores for one worker as well, whose file is then decoded on
the second.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from throughput import CONFIG, LARGE, MEDIUM, run, write_rows


def measure(directory: Path, rounds: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "config.yaml"
    config.write_text(CONFIG)
    for rows in (MEDIUM, LARGE):
        if not (directory / str(rows)).exists():
            write_rows(directory / str(rows), rows)

    def seconds(rows: int, workers: int, cores: str) -> float:
        program = Path(sys.executable).with_name("headcount")
        command = ["taskset", "-c", cores, str(program), "run", "--config", str(config)]
        command += ["--input", f"{directory}/{rows}/*.parquet", "--output", f"{directory}/out"]
        command += ["--overwrite", "--direct_running_mode=multi_processing"]
        return run([*command, f"--direct_num_workers={workers}"])[0]

    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, workers, cores in (
            ("one worker, a core", 1, "0"),
            ("one worker, two cores", 1, "0,1"),
            ("two workers, two cores", 2, "0,1"),
        ):
            own = seconds(LARGE, workers, cores) - seconds(MEDIUM, workers, cores)
            taken.setdefault(name, []).append(own)
    two = statistics.median(taken["two workers, two cores"])
    print(
        "| | seconds of 7,500,000 rows | times as long as two workers | rounds |\n|---|---|---|---|"
    )
    for name, own in taken.items():
        median = statistics.median(own)
        each = " ".join(f"{one:.1f}" for one in own)
        print(f"| {name} | {median:.1f} | {median / two:.2f} | {each} |")


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
