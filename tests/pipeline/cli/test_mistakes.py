"""Mistaken command lines: what is told is what to write."""

from __future__ import annotations

import shlex
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.cli.command import make_parser
from pipeline.cli.mistakes import mistake

OPTIONS = make_parser().options


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("rum --config c.yaml", "there is no command 'rum'; did you mean 'run'?"),
        ("vaildate", "there is no command 'vaildate'; did you mean 'validate'?"),
        ("help", "there is no command 'help'; commands are run, check, validate, "),
        ("--verison", "unknown argument '--verison'; did you mean '--version'?"),
        ("--config c.yaml run", "'--config'; options come after the command; commands are run, "),
        ("run -config c.yaml", "unknown argument -config; write --config"),
        ("run -config=c.yaml", "unknown argument -config=c.yaml; write --config=c.yaml"),
        ("run --config c.yaml --overwrite=true", "--overwrite takes no value: write --overwrite"),
        ("run --config c.yaml --output=", "--output is empty; is it a variable that is not set?"),
        ("run --config c.yaml --output ''", "--output is empty; is it a variable that is not set?"),
        ("validate --config c.yaml --input=", "--input is empty"),
        ("diff a b --output=", "--output is empty"),
        ("run c.yaml", "unknown argument c.yaml; write --config c.yaml"),
        ("validate config=c.yml", "unknown argument config=c.yml; write --config c.yml"),
        ("validate --config c.yaml --overwrite", "--overwrite is an option of headcount run, not"),
        (
            "run --config c.yaml --plugins m",
            "--plugins is an option of headcount check, show and diff,",
        ),
    ],
)
def test_what_to_write_is_told(line: str, told: str) -> None:
    assert told in str(mistake(shlex.split(line), OPTIONS))


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize("given", ["--input {}", "--input={}"])
def test_a_glob_that_the_shell_has_expanded(tmp_path: Path, command: str, given: str) -> None:
    for name in ("a 1", "b", "c"):
        (tmp_path / f"{name}.parquet").touch()
    files = shlex.join(sorted(map(str, tmp_path.glob("*.parquet"))))
    line = f"{command} {given.format(files)} --config c.yaml"
    told = str(mistake(shlex.split(line), OPTIONS))
    assert "--input takes one value, and here are 3; quote the glob" in told
    quoted = told.partition(": --input ")[2].partition(", or write")[0]
    assert shlex.split(quoted) == [str(tmp_path / "*.parquet")]
    # A glob that one file alone matches is that file.
    assert mistake([command, "--config", "c.yaml", "--input", "a.parquet"], OPTIONS) is None


@pytest.mark.parametrize(
    "line",
    [
        "run --config c.yaml --input 'a/*' --input b --output out --overwrite",
        "run --config=c.yaml --runner FlinkRunner --flink_version 1.19",
        "run --output out --config c.yaml",
        "diff one two --output d.json",
        "show c.yaml",
        "--version",
        "-h",
        "",
    ],
)
def test_other_command_lines_are_left_to_the_parser(line: str) -> None:
    assert mistake(shlex.split(line), OPTIONS) is None


def test_a_mistake_ends_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rum"]) == 2
    assert capsys.readouterr().err == (
        "command line: there is no command 'rum'; did you mean 'run'?\n"
    )


def test_a_value_of_an_unknown_option_is_no_second_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("heads: {h: {type: binary, logits: s, label: y}}")
    line = ["run", "--config", str(config), "--input", "a", "--output", "b", "--outptu", "c"]
    assert cli.main(line) == 2
    assert capsys.readouterr().err == (
        "command line: unknown argument --outptu; did you mean --output?\n"
    )


def test_files_and_directories_that_are_mixed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.parquet"
    data.write_bytes(b"PAR1 and more")
    for config, told in (
        (tmp_path, "is a directory; the configuration is a YAML file"),
        (data, "a Parquet file; the configuration is a YAML file, and data are its input"),
    ):
        assert cli.main(["validate", "--config", str(config)]) == 2
        assert capsys.readouterr().err == f"{config}: {told}\n"
    assert cli.main(["show", str(data)]) == 2
    told = f"{data}: is a file; name the directory of a run, as {tmp_path}\n"
    assert capsys.readouterr().err == told


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert not ended.value.code
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"headcount {version('headcount')}"
    assert second.startswith("Python 3.")
    assert f"numpy {version('numpy')}" in second
