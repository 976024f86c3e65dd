"""Tells how the newest run in a directory stands: published, failed, or not finished."""

from __future__ import annotations

from typing import Any

from pipeline.errors.faults import BadData, NotFinished
from pipeline.errors.problems import ConfigError, Problem
from pipeline.readers.storage import OpenFile
from pipeline.report.stored_json import list_of, parse_json, record, text
from pipeline.runs.file_names import DATA, FAILED_DIRECTORY
from pipeline.runs.manifest import SUCCESS
from pipeline.runs.stage import COMMIT, FAILED, Stage, join, read_stage, stage_ids
from pipeline.runs.store import Store
from pipeline.runs.verify import explained, read_file

_FAILURE = record({"failed_run": text, "problems": list_of(text)}, more=True)


def check_newest(store: Store, directory: str, open_file: OpenFile) -> None:
    """Checks that the newest run in a directory is finished and published.

    The newest is the one that began last. Of a run and a failure of the same second it is the
    failure, for whoever publishes a run deletes the failures that there are.

    Args:
        store: the store of the directory.
        directory: the output of runs.
        open_file: opens a file.

    Raises:
        BadData: if the data of the newest run must not be reported on.
        NotFinished: if the newest run has not ended, is not yet published, or there is none.
        ConfigError: if what is there is damaged.
    """
    # A stage is looked for first: what it holds may be published meanwhile, and is found then.
    stage = _newest_stage(store, directory)
    published = _published(directory, open_file)
    place = join(directory, FAILED_DIRECTORY) if published is not None else directory.rstrip("/")
    failure = _failure(store, place, open_file)
    failed = "" if failure is None else failure["failed_run"]
    last = max(_began(published or ""), _began(failed))
    if stage is not None and stage.id not in (published, failed) and _began(stage.id) >= last:
        raise NotFinished(_unfinished(store, stage))
    if failure is not None and _began(failed) == last:
        error = BadData(failure["problems"])
        error.data_report = join(place, DATA)
        raise error
    if published is None:
        raise NotFinished(f"{directory}: there is no run yet")


def _published(directory: str, open_file: OpenFile) -> str | None:
    """Returns the identity of the run that is published in a directory; None if there is none.

    That of a damaged run is empty: who opens the run says what is wrong.
    """
    with explained(directory, SUCCESS):
        try:
            success = parse_json(read_file(directory, SUCCESS, open_file))
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            message = "is a file; name the directory of a run"
            raise ConfigError([Problem(directory, (), message)]) from error
        except ValueError:
            return ""
    return str(success.get("id", "")) if isinstance(success, dict) else ""


def _began(identity: str) -> str:
    """Returns the time at which a run began, which its identity begins with."""
    return identity.partition("-")[0]


def _newest_stage(store: Store, directory: str) -> Stage | None:
    """Returns the stage of the newest run that has not ended; None if there is none."""
    for identity in reversed(stage_ids(store, directory)):
        try:
            stage = read_stage(store, directory, identity)
        except (ValueError, TypeError) as error:
            message = f"the stage of run {identity} is damaged; delete it: {error}"
            raise ConfigError([Problem(directory, (), message)]) from error
        if stage is not None and not store.exists(stage.path(FAILED)):
            return stage
    return None


def _unfinished(store: Store, stage: Stage) -> str:
    if store.exists(stage.path(COMMIT)):
        what = "is whole and not yet published; `headcount run` with this output publishes it"
    else:
        what = (
            f"began at {stage.created} on {stage.host} and has not ended; if it is no longer at"
            f" work, delete {stage.directory}"
        )
    return f"{stage.output}: run {stage.id} {what}"


def _failure(store: Store, place: str, open_file: OpenFile) -> dict[str, Any] | None:
    """Returns the data report of a failed run in a directory; None if there is none."""
    if not store.exists(join(place, DATA)):
        return None
    with explained(place, DATA):
        report: dict[str, Any] = parse_json(read_file(place, DATA, open_file))
        if isinstance(report, dict) and not isinstance(report.get("failed_run"), str):
            # That of a run that is being published, or of others.
            return None
        _FAILURE(report)
    return report
