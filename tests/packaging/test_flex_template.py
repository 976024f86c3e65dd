"""The Flex Template: its parameters are the command's options, and its program is the command."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.beam.options import beam_options
from pipeline.cli.command import make_parser
from tests.pipeline.beam.without_beam import run_without_beam

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "configs" / "dataflow"
METADATA: dict[str, Any] = json.loads((TEMPLATE / "metadata.json").read_text())
PARAMETERS: list[dict[str, Any]] = METADATA["parameters"]
# Options of Beam's that a form for the template must show. All others can be given without.
OF_BEAM = {"sdk_container_image"}
# Google's `ParameterMetadata`; `test_dataflow.py` holds the file against it.
FIELDS = {"name", "label", "helpText", "isOptional", "regexes", "paramType"}


def options() -> dict[str, argparse.Action]:
    """The options of `headcount run` by name."""
    commands = make_parser()._subparsers
    assert commands is not None
    (choices,) = [action.choices for action in commands._group_actions]
    assert isinstance(choices, dict)
    return {
        text.removeprefix("--"): action
        for action in choices["run"]._actions
        for text in action.option_strings
        if action.dest != "help"
    }


def test_parameters_are_the_options_of_the_command() -> None:
    assert {parameter["name"] for parameter in PARAMETERS} == options().keys() | OF_BEAM


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter["name"])
def test_parameter_is_as_its_option(parameter: dict[str, Any]) -> None:
    assert parameter.keys() <= FIELDS
    assert {"name", "label", "helpText", "paramType"} <= parameter.keys()
    if parameter["name"] in OF_BEAM:
        beam_options([f"--{parameter['name']}=value"])
        return
    option = options()[parameter["name"]]
    assert parameter.get("isOptional", False) != option.required
    assert option.help is not None
    assert parameter["helpText"].lower().startswith(option.help.partition(";")[0].lower())
    flag = option.nargs == 0
    assert (parameter["paramType"] == "BOOLEAN") == flag
    allowed = [
        value
        for value in ("true", "false", "yes", "gs://bucket/a")
        if all(re.search(pattern, value) for pattern in parameter.get("regexes", ()))
    ]
    assert allowed == (["true", "false"] if flag else ["true", "false", "yes", "gs://bucket/a"])


def launch(directory: Path, *parameters: str) -> subprocess.CompletedProcess[str]:
    """The template's program, as the launcher calls it."""
    return subprocess.run(
        [sys.executable, str(TEMPLATE / "main.py"), *parameters],
        cwd=directory,
        capture_output=True,
        text=True,
    )


def launch_again(monkeypatch: pytest.MonkeyPatch, *parameters: str) -> int | str | None:
    """What the template's program exits with, in this process, which has all modules."""
    monkeypatch.setattr(sys, "argv", ["main.py", *parameters])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TEMPLATE / "main.py"), run_name="__main__")
    return ended.value.code


def test_program_runs_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ROOT / "configs" / "data" / "breast_cancer" / "parquet" / "*.parquet"
    given = [f"--config={ROOT / 'configs' / 'binary.yaml'}", f"--input={files}"]
    given += ["--runner=FnApiRunner", "--sdk_container_image=image"]
    done = launch(tmp_path, *given, "--output=there", "--overwrite=false", "--debug_samples=true")
    assert done.returncode == 0, done.stderr
    # The launched program ran on Beam; what it leaves does not depend on it.
    run_without_beam(monkeypatch)
    assert cli.main(["run", *given, "--output", str(tmp_path / "here")]) == 0
    report = (tmp_path / "there" / "report.json").read_bytes()
    assert report == (tmp_path / "here" / "report.json").read_bytes()
    monkeypatch.chdir(tmp_path)
    assert launch_again(monkeypatch, *given, "--output=there", "--overwrite=false") == 6
    assert "give --overwrite to replace it" in capsys.readouterr().err
    assert launch_again(monkeypatch, *given, "--output=there", "--overwrite=true") == 0


def test_program_refuses_what_is_no_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    code = launch_again(monkeypatch, "--config=c.yaml", "--overwrite=yes")
    assert code == "--overwrite must be true or false, not 'yes'"


def instructions() -> list[list[str]]:
    """The instructions of the Dockerfile, a list of words each."""
    text = (TEMPLATE / "Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [line.split() for line in lines if line.strip()]


def test_image_is_built_of_what_there_is() -> None:
    known = {"ARG", "FROM", "COPY", "RUN", "ENV"}
    assert {words[0] for words in instructions()} <= known
    copied = {}
    for words in instructions():
        if words[0] == "COPY" and not words[1].startswith("--from"):
            for name in words[1:-1]:
                copied[f"{words[-1]}{Path(name).name}"] = name
    for name in copied.values():
        # The wheel is built, to where `make dist` leaves it.
        assert (ROOT / name).is_file() or name == "dist/headcount-*.whl"
    (program,) = [words[1] for words in instructions() if words[0] == "ENV"]
    assert copied[program.removeprefix("FLEX_TEMPLATE_PYTHON_PY_FILE=")].endswith("main.py")
    assert sum(words[0] == "RUN" for words in instructions()) == 1


def test_no_image_is_named() -> None:
    """The two images it is built from are arguments, and have no default."""
    arguments = [words[1] for words in instructions() if words[0] == "ARG"]
    sources = [words[1] for words in instructions() if words[0] == "FROM"]
    assert sorted(arguments) == ["LAUNCHER", "SDK"]
    assert sources == ["${LAUNCHER}", "${SDK}"]


def test_flags_are_those_of_the_command() -> None:
    spec = importlib.util.spec_from_file_location("flex_template", TEMPLATE / "main.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    flags = {f"--{name}" for name, action in options().items() if action.nargs == 0}
    assert flags == program.FLAGS
