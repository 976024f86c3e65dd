"""What the pages say can be run: every Python and YAML example, and every command."""

from __future__ import annotations

import json
import math
import re
import shlex
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import headcount
from docs.coverage_page import coverage_page
from docs.metrics_page import metrics_page
from heads.metrics.core import registry
from heads.metrics.core.methods import (
    AT_AN_END,
    BIASED,
    FEW_ALLOWED,
    FEW_ERRORS,
    FEW_MISSED,
    FEW_OF_A_CLASS,
    FEW_OF_A_CLASS_FOR_BINS,
    FEW_OF_A_CLASS_FOR_MEANS,
    FEW_OF_A_DECILE,
    FEW_OF_A_SIDE,
)
from heads.metrics.spiegelhalter import A_TEST
from heads.statistics import Scored
from pipeline import cli
from pipeline.cli.demo import DEMO
from pipeline.confidence.halves import HALVES_AGREE, UNDEFINED_IN_HALVES
from pipeline.confidence.intervals import AT_BOUND
from pipeline.confidence.jackknife import AGREE, FEW_FOLDS, UNDEFINED
from pipeline.config.load import as_gates, load_config, parse_config
from pipeline.evaluate import evaluate
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.plan import make_plan
from pipeline.evaluation.predictions import predictions_table
from pipeline.readers.rows import Rows
from pipeline.report.main_metrics import HIGHER_IS_BETTER
from pipeline.report.metrics_parquet import SCHEMA
from pipeline.report.text.chosen import SORT_KEYS
from pipeline.results.against_overall import NEARLY_OVERALL, SMALL, UNHELD
from pipeline.results.differences import TOO_FEW
from pipeline.results.stack import IN_ONE_FOLD, NO_FOLDS, NOT_LARGEST
from tests.pipeline.beam.without_beam import run_without_beam
from tests.pipeline.tables import evaluator_of, plan_of, rows_of

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "configs" / "data" / "breast_cancer" / "parquet"
DAYS = ("monday", "tuesday", "wednesday")
REPORT = ROOT / "docs" / "report.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str, holding: str = "") -> list[object]:
    return [
        pytest.param(block, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, block in enumerate(
            re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        )
        if holding in block
    ]


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # What an example registers is for it alone.
    registry._load()
    monkeypatch.setattr(registry, "_OFFERS", list(registry._OFFERS))
    exec(compile(code, "page", "exec"), {"__name__": "page"})


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_is_a_configuration(text: str) -> None:
    if text.startswith("gates:"):
        as_gates(yaml.safe_load(text))
    else:
        parse_config(text, "page")


@pytest.mark.parametrize("text", blocks("yaml", "input:"))
def test_yaml_of_shipped_data_runs(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = parse_config(text, "page")
    assert config.input is not None
    assert evaluate(config.input, make_plan(config)).report["rows"]["evaluated"]


def commands(page: Path) -> list[list[str]]:
    text = page.read_text().replace("\\\n", "")
    return [shlex.split(line) for line in re.findall(r"^    headcount (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize(("page", "on_beam"), [(ROOT / "README.md", True), (REPORT, False)])
def test_commands_run(
    page: Path, on_beam: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not on_beam:
        run_without_beam(monkeypatch)
    (config,) = re.findall(r"^```yaml\n([^`]*^  click:$[^`]*)", page.read_text(), re.MULTILINE)
    (tmp_path / "click.yaml").write_text(config.replace("country", "size"))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for name in ("predictions", "new"):
        (tmp_path / name).symlink_to(DATA)
    # The rows of the others, as an older model scored them.
    (tmp_path / "old").mkdir()
    for path in DATA.iterdir():
        rows = pq.read_table(path)
        place = rows.column_names.index("logit")
        older = rows.set_column(place, "logit", rows["baseline_logit"])
        pq.write_table(older, tmp_path / "old" / path.name)
    monkeypatch.chdir(tmp_path)
    # A run of last week that the README compares with.
    week = "run --config click.yaml --input old/*.parquet --output out/last_week"
    assert cli.main(week.split()) == 0
    for command in commands(page):
        if command[0] == "run":
            # A page may show several ways to make one run.
            shutil.rmtree(command[command.index("--output") + 1], ignore_errors=True)
        assert cli.main(command) == 0, command
    assert {"run", "diff"} <= {command[0] for command in commands(page)}


def test_the_nights_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_without_beam(monkeypatch)
    text = PAGES[0].read_text()
    (config,) = re.findall(r"^```yaml\n([^`]*^  click:$[^`]*)", text, re.MULTILINE)
    (gates,) = re.findall(r"^```yaml\n(gates:[^`]*)", text, re.MULTILINE)
    script = re.findall(r"^```sh\nheadcount (.*?)^```", text, re.DOTALL | re.MULTILINE)
    line, _, link = script[0].partition(" && ")
    assert link == 'ln -sfn "$DAY" out/good\n'
    (tmp_path / "click.yaml").write_text(config.replace("country", "size"))
    (tmp_path / "nightly.yaml").write_text(gates)
    monkeypatch.chdir(tmp_path)
    Path("predictions").mkdir()
    for day in DAYS:
        Path("predictions", day).symlink_to(DATA)
        command = shlex.split(line.replace("\\\n", "").replace("$DAY", day))
        first = [part if part != "out/good" else "none" for part in command]
        assert cli.main(first if day == "monday" else command) == 0
        Path("out/good").unlink(missing_ok=True)
        Path("out/good").symlink_to(day)
    # It was compared with the night before.
    with_id = [json.loads(Path("out", day, "manifest.json").read_text())["id"] for day in DAYS]
    against = [json.loads(Path("out", day, "gates.json").read_text())["against"] for day in DAYS]
    assert against[0] is None
    assert [run["id"] for run in against[1:]] == with_id[:2]


@cache
def evaluation_of(name: str) -> headcount.Report:
    """The evaluation of a configuration that ships; the working directory is its root."""
    config = load_config(f"configs/{name}.yaml")
    return headcount.evaluate(list(config.input or ()), config)


def report_of(name: str) -> dict[str, Any]:
    return evaluation_of(name).to_dict()


def test_excerpts_are_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    report = report_of("binary")
    (excerpt,) = re.findall(r"^```json\n(.*?)^```", REPORT.read_text(), re.DOTALL | re.MULTILINE)
    assert holds(report, json.loads(excerpt))


def test_figures_of_causes_are_those_of_their_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = REPORT.read_text()
    (text,) = re.findall(r"^```yaml\n([^`]*baseline: {logits: logit}\n)", page, re.MULTILINE)
    config = parse_config(text, "page")
    assert config.input is not None
    head = evaluate(config.input, make_plan(config)).report["heads"]["cancer"]
    first, second, *others = head["causes"]
    assert f"`worse` has {len(head['worse'])} entries, and `causes` five" in page
    assert len(others) == 3
    assert (
        f"everywhere, by {len(first['metrics'])} metrics\nand in {first['slices']} slices" in page
    )
    assert first["slice"] == []
    (excerpt,) = re.findall(
        r"^    ({\n     \"slice\"[^\n]*\n     \"metrics\": \[.*?^    })",
        page,
        re.DOTALL | re.MULTILINE,
    )
    shown = json.loads(excerpt.replace(", ...", ""))
    assert holds(second, shown)
    assert second["metrics"][:4] == shown["metrics"]
    assert len(second["metrics"]) == 9


def holds(whole: object, part: object) -> bool:
    """Whether an excerpt is of a whole: of mappings and lists, what it has is there."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and holds(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(
            any(holds(item, shown) for item in whole) for shown in part
        )
    if isinstance(part, float):
        return isinstance(whole, float) and math.isclose(part, whole, rel_tol=1e-5)
    return type(whole) is type(part) and whole == part


def test_columns_of_the_metrics_table_are_told() -> None:
    text = REPORT.read_text().partition("## `metrics.parquet`")[2]
    told = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    names = [name for line in told for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(names) == sorted(SCHEMA.names)


def test_columns_of_predictions_are_told() -> None:
    text = REPORT.read_text().partition("## Predictions of every row")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    plan = plan_of("heads: {h: {type: binary, logits: logit, label: label, weight: weight}}")
    found: list[str] = []

    def sink(head: HeadPlan, rows: Rows, scored: Scored) -> None:
        found.extend(predictions_table(head, rows, scored).column_names)

    (batch,) = pq.read_table(DATA).to_batches()[:1]
    evaluator_of(plan).add(rows_of(batch), sink)
    # What they hold, then their types. A binary head has the columns of all others but numbers.
    found.insert(found.index("logits") + 1, "predictions")
    assert told == found * 2


def test_reasons_for_no_interval_are_told() -> None:
    text = REPORT.read_text()
    reasons = (FEW_FOLDS, UNDEFINED, AGREE, AT_BOUND, NOT_LARGEST, NO_FOLDS)
    reasons += (
        FEW_OF_A_CLASS_FOR_BINS,
        FEW_OF_A_CLASS_FOR_MEANS,
        FEW_MISSED,
        BIASED,
        A_TEST,
        FEW_OF_A_CLASS,
        FEW_ALLOWED,
        FEW_ERRORS,
        FEW_OF_A_SIDE,
        FEW_OF_A_DECILE,
        AT_AN_END,
        IN_ONE_FOLD,
        TOO_FEW,
        SMALL,
        UNHELD,
        NEARLY_OVERALL,
    )
    for reason in (*reasons, HALVES_AGREE, UNDEFINED_IN_HALVES):
        assert f"| `{reason}` |" in text


def test_targets_of_the_pages_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"^    make (\S+)", page.read_text(), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: {target}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_page_of_metrics_is_current() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert text == metrics_page(), "run make docs"


@pytest.mark.parametrize(
    ("row", "name", "head"),
    [
        ("breast cancer", "binary", "cancer"),
        ("digits", "multi_class", "digits"),
        ("diabetes", "multi_label", "attributes"),
    ],
)
def test_results_of_the_readme_are_current(
    row: str, name: str, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    report = report_of(name)
    line = re.search(rf"^\| {row} \|.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert line is not None
    told = [cell.strip() for cell in line[0].strip("|").split("|")][2:]
    overall = report["heads"][head]["slices"][0]
    assert told[0] == f"{overall['examples']:,}"
    for metric, value in zip(("average_loss", "accuracy", "roc_auc"), told[1:], strict=True):
        if value:
            assert value == f"{overall['metrics'][metric]['value']:.5f}"


def test_the_output_in_the_readme_is_what_the_demo_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (told,) = re.findall(r"^```text\n(.*?)^```", PAGES[0].read_text(), re.DOTALL | re.MULTILINE)
    assert told.splitlines() == str(evaluation_of(DEMO[0])).splitlines()


def test_the_options_and_keys_of_show_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = REPORT.read_text().partition("## In the terminal")[2].partition("\n## ")[0]
    with pytest.raises(SystemExit):
        cli.main(["show", "--help"])
    options = set(re.findall(r"--\w+", capsys.readouterr().out)) - {"--help", "--plugins"}
    assert set(re.findall(r"`(--\w+)[ `]", text)) == options
    (keys,) = re.findall(r"^\| `--sort KEY` \|(.*)\|$", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", keys)) == set(SORT_KEYS)
    first = [name for name in HIGHER_IS_BETTER if f"`{name}`" in text]
    assert first == sorted(first, key=lambda name: text.index(f"`{name}`"))
    assert set(first) == set(HIGHER_IS_BETTER) - {"rmse", "mae", "r2", "poisson_deviance"}


def test_the_page_of_coverage_is_current() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text()
    assert text == coverage_page(), "run make docs"
