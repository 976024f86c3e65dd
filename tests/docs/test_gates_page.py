"""What `docs/gates.md` says of gates: its examples, its tables, and its commands."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest

import headcount
from docs.gates_page import gates_page
from pipeline import cli
from pipeline.config.gates import Gate
from pipeline.gates.judgements import Judgement, Outcome, gate_data
from pipeline.gates.limits import Limit
from tests.docs.test_docs import ROOT, commands, holds
from tests.pipeline.beam.without_beam import run_without_beam

PAGE = ROOT / "docs" / "gates.md"
TEXT = PAGE.read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    return str(found)


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows_of_tables(text: str) -> list[list[str]]:
    """The cells of the rows of tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def examples(text: str) -> list[str]:
    return re.findall(r"`(\{metric: [^`]*\})`", text)


OUTCOMES = {cells[0].strip("`"): cells[2:] for cells in rows_of_tables(section("Outcomes"))}
GOOD = sorted({*examples(TEXT)} - {*examples(section("Outcomes"))})
SIMULATED = [text for text in GOOD if "slices: [slice]" in text]
LIMIT = Limit("at_least", 0.5)


@pytest.fixture(scope="module", autouse=True)
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory: the configuration of the page, and a run of it."""
    path = tmp_path_factory.mktemp("gates")
    (path / "model.yaml").write_text(block("yaml"))
    (path / "configs").symlink_to(ROOT / "configs")
    shutil.copy(ROOT / "configs" / "gates" / "nightly.yaml", path)
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        patch.chdir(path)
        assert cli.main(["run", "--config", "model.yaml", "--output", "out/model"]) == 0
        yield path


def judged(text: str, against: str = "out/model") -> dict[str, Any]:
    """What a gate says of the run, compared with itself."""
    path = Path("gates.yaml")
    path.write_text(f"- {text}\n")
    of_run = "against: run" in text
    verdict = headcount.check("out/model", gates=path, against=against if of_run else None)
    assert verdict is not None
    (gate,) = verdict["gates"]
    return dict(gate)


@pytest.mark.parametrize("text", [text for text in GOOD if text not in SIMULATED])
def test_the_examples_let_the_model_through(text: str) -> None:
    gate = judged(text)
    failed = [found for found in gate["judgements"] if found["effect"] == "fail"]
    # A gate that shows what `undecided: fail` does.
    assert bool(failed) == ("undecided: fail" in text), failed
    assert gate["judgements"]


def test_every_key_has_an_example() -> None:
    rows = rows_of_tables(section("Keys"))
    assert {name.strip("`") for name, *_ in rows} == set(Gate.model_fields)
    assert all(f"{name.strip('`')}: " in example for name, example, _ in rows)


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_outcome_has_an_example_and_its_effects(outcome: Outcome) -> None:
    *effects, example = OUTCOMES[outcome]
    gate = Gate(metric="recall", at_least=0.5)
    keys: list[Any] = [(), (("size", "string", "small"),)]
    assert [Judgement(outcome, LIMIT, "h", key).effect(gate) for key in keys] == effects
    (text,) = examples(example)
    assert judged(text, "none" if outcome == "skipped" else "out/model")["outcome"] == outcome


def test_outcomes_are_in_order() -> None:
    gate = Gate(metric="recall", at_least=0.5)
    assert len(OUTCOMES) == len(get_args(Outcome))
    for pair in pairwise(OUTCOMES):
        worse, better = (Judgement(outcome, LIMIT, "h", ()) for outcome in pair)  # type: ignore[arg-type]
        assert gate_data(gate, [better, worse])["outcome"] == worse.outcome


def test_the_keys_of_gates_json_are_told() -> None:
    (told,) = re.findall(r"\n## `gates.json`\n(.*?)\n## ", TEXT, re.DOTALL)
    tables = [
        [name for cells in rows_of_tables(part) for name in re.findall(r"`(\w+)`", cells[0])]
        for part in told.split("\n| key ")[1:]
    ]
    verdict = json.loads(Path("out/model/gates.json").read_text())
    judgements = [found for gate in verdict["gates"] for found in gate["judgements"]]
    found = [verdict, verdict["gates"][0], {key: None for found in judgements for key in found}]
    assert [sorted(names) for names in tables] == [sorted(keys) for keys in found]
    # The excerpt is of one of the gates.
    assert any(holds(gate, json.loads(block("json"))) for gate in verdict["gates"])


def test_the_verdict_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "out/model"]) == 0
    assert block("text") in capsys.readouterr().out


def test_the_commands_run() -> None:
    assert len(commands(PAGE)) == 3
    for command in commands(PAGE):
        assert cli.main(command) == 0, command


def test_the_tables_are_current() -> None:
    assert gates_page(TEXT) == TEXT, "run make docs"
