"""Tells of runs that are whole in their stage, and not yet published."""

from __future__ import annotations

from pipeline.errors.problems import ConfigError, Problem
from pipeline.runs.manifest import read_success
from pipeline.runs.stage import COMMIT, ROOT, join, stage_ids
from pipeline.runs.store import Store


def pending_note(store: Store, directory: str) -> str | None:
    """Returns a line that says which newer run is not yet published in a directory, or None.

    Args:
        store: the store of the run.
        directory: the output of a run.

    Raises:
        ConfigError: if there is such a run, and the directory holds no other.
    """
    committed = [
        identity
        for identity in stage_ids(store, directory)
        if store.exists(join(directory, ROOT, identity, COMMIT))
    ]
    success = read_success(store, directory) if committed else None
    pending = [identity for identity in committed if (success or {}).get("id") != identity]
    if not pending:
        return None
    what = f"run {pending[-1]} is whole and not yet published"
    how = "`headcount run` with this output publishes it"
    if success is None:
        raise ConfigError([Problem(directory, (), f"{what}; {how}")])
    return f"{directory}: a newer {what}; {how}"
