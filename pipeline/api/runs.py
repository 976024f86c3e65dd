"""Runs as the command makes them, and reports of finished runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.api.gates import Given, plan_with
from pipeline.api.places import open_anywhere, store_of
from pipeline.api.report import Report
from pipeline.config.load import as_config, as_gates
from pipeline.config.model import Config
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.plan import make_plan
from pipeline.runs.gates import verdict_on
from pipeline.runs.newest import check_newest
from pipeline.runs.pending import pending_note
from pipeline.runs.plugins import named_plugins
from pipeline.runs.verify import open_run

_LOGGER = logging.getLogger(__name__)

_Path = str | os.PathLike[str]


def run(
    config: _Path | Mapping[str, Any] | Config,
    input: _Path | Sequence[_Path] | None = None,  # noqa: A002 - the option of the command
    output: _Path | None = None,
    *,
    overwrite: bool = False,
    write_predictions: _Path | None = None,
    debug_samples: bool = False,
    gates: Given = None,
    against: _Path | None = None,
    options: Sequence[str] = (),
) -> Report | None:
    """Evaluates files on Apache Beam and leaves a run, as `headcount run` does.

    Args:
        config: the path of a YAML file, the same as a dict, or a `Config`.
        input: one or more globs of files, in place of the configuration's.
        output: the directory to write, in place of the configuration's.
        overwrite: whether to replace an older run in `output`.
        write_predictions: a directory for the predictions of every row, or None.
        debug_samples: whether messages may show what bad rows hold, which may be personal data.
        gates: the gates in place of those of the configuration: the path of a YAML file, or a list
            of dicts.
        against: the directory of the finished run that gates with `against: run` compare with; or
            `"none"` to skip those gates.
        options: options of Beam, as on the command line, such as `--direct_num_workers=2`.

    Returns:
        The report; None if the options ask not to wait for the end of the run, or for no run. Also
        of a model that the gates do not let through: `report.passed` says so.

    Raises:
        BadData: if rows or files are bad, or there are none; `data_report` says where the data
            report is.
        ConfigError: if the configuration, the gates or the options do not fit the files or each
            other.
        OutputTaken: if the output holds a run, other files, or another run at work.
        RunnerError: if the runner failed.
        StorageError: if files elsewhere cannot be reached.
    """
    from pipeline.beam.access import connect
    from pipeline.beam.job import Job, Submitted
    from pipeline.beam.options import beam_options, check_runner
    from pipeline.beam.run import run as run_job

    checked, source = as_config(config, open_anywhere)
    inputs = _globs(input) or list(checked.input or ())
    place = os.fspath(output) if output is not None else checked.output
    predictions = None if write_predictions is None else os.fspath(write_predictions)
    if not inputs or not place:
        missing = "output" if inputs else "input"
        message = f"give {missing}=, or '{missing}' in the configuration"
        raise ConfigError([Problem(source, (), message)])
    beam = beam_options(list(options))
    check_runner(beam)
    plan = make_plan(checked, source, open_anywhere)
    plan, compared = plan_with(plan, source, gates, against)
    plan = replace(plan, debug_samples=debug_samples)
    job = Job(plan, source, inputs, place, predictions, overwrite, compared)
    runs = [f"{path}/_SUCCESS" for path in (place, predictions, job.other) if path]
    connect([*inputs, *runs], beam)
    if isinstance(finished := run_job(job, beam), Submitted):
        _LOGGER.warning("%s", finished.message)
        return None
    return load(place)


def load(directory: _Path, *, plugins: str | Sequence[str] = ()) -> Report:
    """Opens the report of a finished run, which is verified by the checksums of its manifest.

    Args:
        directory: the directory of the run.
        plugins: the names of modules that are imported and held against those that the run was
            made with. The values are stored, and none is needed to look at them.

    Raises:
        ConfigError: if the directory holds no finished run, a file of it was changed, or the run
            was made with other plugins of these names.
        StorageError: if files elsewhere cannot be reached.
    """
    place = os.fspath(directory)
    note = pending_note(store_of(place), place)
    if note is not None:
        _LOGGER.warning("%s", note)
    run = open_run(place, open_anywhere)
    named_plugins([plugins] if isinstance(plugins, str) else plugins, [run])
    return Report.read(run)


def check(
    directory: _Path,
    gates: Given = None,
    against: _Path | None = None,
    *,
    plugins: str | Sequence[str] = (),
) -> dict[str, Any] | None:
    """Returns the verdict on a finished run, as `headcount check` does; it writes nothing.

    Args:
        directory: the directory of the run.
        gates: gates to judge it by, without its data: the path of a YAML file, or a list of dicts;
            None for the verdict that the run left.
        against: the directory of the finished run that gates with `against: run` compare with; or
            `"none"` to skip those gates.
        plugins: the names of the plugins that the run was made with; they are imported.

    Returns:
        The verdict as plain data, as in `gates.json`; None if the run has no gates.

    Raises:
        BadData: if the data of the newest run there were bad.
        NotFinished: if the newest run there has not ended or is not yet published.
        ConfigError: if the run is damaged, or the gates do not fit it.
        StorageError: if files elsewhere cannot be reached.
    """
    place = os.fspath(directory)
    check_newest(store_of(place), place, open_anywhere)
    run = open_run(place, open_anywhere)
    loaded = named_plugins([plugins] if isinstance(plugins, str) else plugins, [run])
    given, source = (None, "check") if gates is None else as_gates(gates, open_anywhere)
    compared = None if against is None else os.fspath(against)
    return verdict_on(run, given, compared, source, open_anywhere, loaded)


def _globs(given: _Path | Sequence[_Path] | None) -> list[str]:
    if given is None:
        return []
    paths = [given] if isinstance(given, str | os.PathLike) else given
    return [os.fspath(path) for path in paths]
