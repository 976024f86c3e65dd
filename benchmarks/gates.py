"""How often gates fail models that are as good as those they are compared with, in simulation.

    .venv/bin/python benchmarks/gates.py [--pairs N] [--rows N ...] [--slices N] [--seed N]
        [--scenario NAME ...] [--output FILE]

Draws pairs of models again and again, measures their rows as a run does, and has the gates of a
scenario judge them. `benchmarks/gates.json` is what it wrote, of which the tables in
`docs/gates.md` are made. It is written after every pair of some, and a program that was stopped
goes on where it was: what it draws depends on the number of the pair alone.

The scores of both models are binormal: in every slice, those of the labels 0 and 1 are normal with
a variance of 1, and means that are d apart, so that roc_auc is Phi(d / sqrt(2)). They are the
logits of calibrated probabilities. Within a label the scores of the two models are correlated.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.special import logit, ndtri

from pipeline.config.gates import Gate
from pipeline.config.load import parse_config
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.evaluation.slice_counting import known_slices
from pipeline.gates.judge import judge_gates
from pipeline.readers.rows import Rows
from pipeline.readers.storage import open_local
from pipeline.results.partition import overall_shift, shift_to_align
from pipeline.results.run_states import RunStates

SEED = 20_261_201
SLICES = 50
ROWS = (500, 5_000)
ROC_AUC = 0.8
POSITIVES = 0.2
CORRELATION = 0.8
"""The correlation of the scores of the two models within a label."""

THRESHOLD = 0.25
_BATCH = 131_072
_WRITTEN_AFTER = 10
_AT = f"positive_threshold_{THRESHOLD:g}"


def gate(metric: str, decide_by: str, limit: str = "max_drop", **keys: Any) -> Gate:
    """A gate on every slice, against the second model."""
    keys = {"slices": ["slice"], "against": "baseline", limit: 0, **keys}
    return Gate(metric=metric, decide_by=decide_by, **keys)


FIND = {"best_end": gate("roc_auc", "best_end")}
"""The gate whose power is measured."""

OVERALL = {"slices": None}
WAYS = {
    "overall: value": gate("roc_auc", "value", **OVERALL),
    "overall: value, max_drop 0.01": gate("roc_auc", "value", **OVERALL | {"max_drop": 0.01}),
    "overall: best_end": gate("roc_auc", "best_end", **OVERALL),
    "overall: worst_end, max_drop 0.01": gate(
        "roc_auc", "worst_end", **OVERALL | {"max_drop": 0.01}
    ),
    "value": gate("roc_auc", "value"),
    "value, max_drop 0.02": gate("roc_auc", "value", max_drop=0.02),
    "worst_end, max_drop 0.02": gate("roc_auc", "worst_end", max_drop=0.02),
    "best_end": gate("roc_auc", "best_end"),
    "best_end, relative": gate("roc_auc", "best_end", relative=True),
    "best_end, against a run of other rows": gate("roc_auc", "best_end", against="run"),
    "best_end, average_loss": gate("average_loss", "best_end", "max_rise"),
    "best_end, accuracy": gate(f"accuracy/{_AT}", "best_end"),
    "best_end, precision": gate(f"precision/{_AT}", "best_end"),
    "best_end, recall": gate(f"recall/{_AT}", "best_end"),
}
"""Gates on models that are equally good: what other ways to decide do."""


@dataclass(frozen=True)
class Scenario:
    """Pairs of models, and the gates that judge them.

    Attributes:
        name: what the scenario is called.
        pairs: how many pairs are drawn.
        gates: the gates by their names.
        lost: by how much roc_auc of the candidate is lower in the last slice.
        twice: whether a pair is judged a second time, by other rows.
    """

    name: str
    pairs: int
    gates: Mapping[str, Gate]
    lost: float = 0.0
    twice: bool = False

    @cached_property
    def metrics(self) -> list[str]:
        return sorted({gate.metric for gate in self.gates.values()})


SCENARIOS = (
    Scenario("equally good", 1_000, FIND),
    *(Scenario(f"one slice lost {lost:g}", 200, FIND, lost) for lost in (0.02, 0.05, 0.1)),
    Scenario("ways to decide", 200, WAYS, twice=True),
)


@dataclass
class Tally:
    """What a gate said.

    Attributes:
        verdicts: how often it judged.
        failed: how often it did not let the model through.
        found: how often it failed the slice that is worse.
        others: how often it failed another slice.
        undecided: how many slices were undecided, of all verdicts.
        flipped: of how many pairs the two verdicts differ; None if there is only one.
    """

    verdicts: int = 0
    failed: int = 0
    found: int = 0
    others: int = 0
    undecided: int = 0
    flipped: int | None = None

    def add(self, judged: Mapping[str, Any], worse: int | None) -> None:
        """Adds a verdict.

        Args:
            judged: the gate, as in `gates.json`.
            worse: the number of the slice that is worse; None if there is none.
        """
        outcomes = [judgement["outcome"] for judgement in judged["judgements"]]
        failed = [place for place, outcome in enumerate(outcomes) if outcome == "fail"]
        self.verdicts += 1
        self.failed += not judged["passed"]
        self.found += worse in failed
        self.others += any(place != worse for place in failed)
        self.undecided += outcomes.count("undecided")


@dataclass(frozen=True)
class Simulation:
    """A scenario with slices of one size.

    Attributes:
        scenario: the scenario.
        rows: the rows of a slice.
        slices: how many slices there are.
        seed: the seed of the whole simulation.
    """

    scenario: Scenario
    rows: int
    slices: int = SLICES
    seed: int = SEED

    @cached_property
    def plan(self) -> Plan:
        text = {
            "slices": [{"column": "slice", "values": list(range(self.slices))}],
            "heads": {
                "click": {
                    "type": "binary",
                    "logits": "candidate",
                    "label": "label",
                    "thresholds": [THRESHOLD],
                    "metrics": self.scenario.metrics,
                    "baseline": {"logits": "baseline"},
                }
            },
        }
        return make_plan(parse_config(json.dumps(text), "benchmarks/gates.py"))

    def table(self, pair: int, again: int = 0) -> pa.RecordBatch:
        """The rows of a pair of models.

        Args:
            pair: the number of the pair.
            again: 1 for other rows of the same models.
        """
        lost = round(1_000 * self.scenario.lost)
        rng = np.random.default_rng([self.seed, self.rows, self.slices, lost, pair, again])
        size = self.slices * self.rows
        slices = np.repeat(np.arange(self.slices, dtype=np.int32), self.rows)
        label = (rng.random(size, np.float32) < POSITIVES).astype(np.float32)
        shared = rng.standard_normal(size, np.float32) * np.float32(np.sqrt(CORRELATION))
        logits = []
        for lowered in (self.scenario.lost, 0.0):
            roc_auc = np.full(self.slices, ROC_AUC)
            roc_auc[-1] -= lowered
            distance = (np.sqrt(2) * ndtri(roc_auc)).astype(np.float32)[slices]
            score = rng.standard_normal(size, np.float32)
            score *= np.float32(np.sqrt(1 - CORRELATION))
            score += shared + distance * (label - np.float32(0.5))
            logits.append(distance * score + np.float32(logit(POSITIVES)))
        columns = {
            "slice": slices,
            "label": label,
            "candidate": logits[0],
            "baseline": logits[1],
        }
        return pa.record_batch(columns)

    def run(self, pair: int, again: int = 0) -> RunStates:
        """The states of a run of the rows of a pair: all of a run but its report."""
        plan = self.plan
        table = known_slices(plan)
        assert table is not None
        evaluator = Evaluator(plan, table, open_local)
        rows = self.table(pair, again)
        for first in range(0, len(rows), _BATCH):
            part = rows.slice(first, _BATCH)
            evaluator.add(Rows(part, np.arange(first, first + len(part)), "table", {}))
        merged = evaluator.states()
        shifts = dict(
            shift for key, state in merged.items() for shift in overall_shift(key, state.shift)
        )
        states = {
            key: state.coarsened(shift_to_align(key, shifts)) for key, state in merged.items()
        }
        return RunStates.of("simulated", plan, table, states)

    def judge(self, pair: int, tallies: Mapping[str, Tally]) -> None:
        """Judges a pair."""
        scenario = self.scenario
        worse = self.slices - 1 if scenario.lost else None
        runs = [self.run(pair, again) for again in range(1 + scenario.twice)]
        for name, judged_by in scenario.gates.items():
            # Of two runs that are compared with each other there is one verdict.
            judged = runs[:1] if judged_by.against == "run" else runs
            verdicts = [judge_gates([judged_by], run, runs[-1])["gates"][0] for run in judged]
            tally = tallies[name]
            for verdict in verdicts:
                tally.add(verdict, worse)
            if len(verdicts) > 1:
                flipped = verdicts[0]["passed"] != verdicts[1]["passed"]
                tally.flipped = (tally.flipped or 0) + flipped

    def simulate(self, pairs: int, known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yields what is known of the scenario, now and then, and at last.

        Args:
            pairs: how many pairs to draw in all.
            known: what an earlier program knew; empty for nothing.
        """
        names = self.scenario.gates
        tallies = {name: Tally(**known["gates"][name]) if known else Tally() for name in names}
        done = known["pairs"] if known else 0
        for pair in range(done, pairs):
            self.judge(pair, tallies)
            if (pair + 1) % _WRITTEN_AFTER == 0 or pair + 1 == pairs:
                yield {
                    "pairs": pair + 1,
                    "gates": {name: vars(tally) for name, tally in tallies.items()},
                }


def read(output: Path) -> dict[str, Any]:
    """What was found so far, by scenario and rows of a slice."""
    found: dict[str, Any] = json.loads(output.read_text()) if output.exists() else {}
    return found


def write(output: Path, simulation: Simulation, found: Mapping[str, Any]) -> None:
    """Puts what was found of a scenario beside what is known of others."""
    content = read(output) or {
        "seed": simulation.seed,
        "slices": simulation.slices,
        "level": simulation.plan.config.confidence.level,
        "roc_auc": ROC_AUC,
        "positives": POSITIVES,
        "correlation": CORRELATION,
        "scenarios": {},
    }
    of_scenario = content["scenarios"].setdefault(simulation.scenario.name, {})
    of_scenario[str(simulation.rows)] = found
    # A line for each gate.
    text = json.dumps(content, separators=(",", ":")).replace("},", "},\n")
    beside = output.with_suffix(f".{os.getpid()}")
    beside.write_text(text + "\n")
    beside.replace(output)


def main(arguments: Sequence[str] | None = None) -> None:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, help="in place of 1,000 and 200")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--slices", type=int, default=SLICES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scenario", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--output", default="out/gates.json", metavar="FILE")
    options = parser.parse_args(arguments)
    output = Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    for scenario in SCENARIOS:
        if scenario.name not in options.scenario:
            continue
        for rows in options.rows:
            start = time.process_time()
            simulation = Simulation(scenario, rows, options.slices, options.seed)
            known = read(output).get("scenarios", {}).get(scenario.name, {}).get(str(rows), {})
            for found in simulation.simulate(options.pairs or scenario.pairs, known):
                write(output, simulation, found)
            seconds = time.process_time() - start
            print(f"{scenario.name}, {rows} rows: {seconds:.0f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
