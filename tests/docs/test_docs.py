"""What the pages say can be run: every Python and YAML example, and every command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from heads.metrics import registry
from pipeline import cli
from pipeline.config import load_config, parse_config
from pipeline.evaluate import evaluate
from pipeline.plan import make_plan
from pipeline.report.metrics_page import metrics_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[object]:
    return [
        pytest.param(block, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, block in enumerate(
            re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        )
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
    parse_config(text, "page")


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text().replace("\\\n", "")
    return re.findall(r"^    headcount (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_commands_of_the_readme_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ROOT / "configs" / "data" / "breast_cancer" / "parquet"
    (tmp_path / "predictions").symlink_to(data)
    yaml = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert yaml is not None
    (tmp_path / "click.yaml").write_text(yaml[1].replace("country", "size"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(command)) == 0
    assert (tmp_path / "out" / "click" / "_SUCCESS").exists()


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
    config = load_config(f"configs/{name}.yaml")
    assert config.input is not None
    report = evaluate(config.input, make_plan(config)).report
    line = re.search(rf"^\| {row} \|.*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert line is not None
    told = [cell.strip() for cell in line[0].strip("|").split("|")][2:]
    overall = report["heads"][head]["slices"][0]
    assert told[0] == f"{overall['examples']:,}"
    for metric, value in zip(("average_loss", "accuracy", "roc_auc"), told[1:], strict=True):
        if value:
            assert value == f"{overall['metrics'][metric]['value']:.5f}"
