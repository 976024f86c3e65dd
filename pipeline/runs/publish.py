"""Publishes runs: a run is its own until it is whole, and an older result outlives its failure.

A run is written whole into its stage, with `COMMIT` last. From then on it can be rolled forward, by
whoever finds it: `_SUCCESS` is removed, every file is put under its plain name, what only the older
run had is deleted, `_SUCCESS` is written, and the stage is deleted. A lock keeps publishers on
one machine apart. Where there are none, a publisher looks whether what it left is whole, and begins
anew if another has come in between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict

from pipeline.errors.faults import OutputTaken, StorageError
from pipeline.runs.file_names import DATA, FAILED_DIRECTORY, FAILED_FILES, FILES
from pipeline.runs.manifest import (
    MANIFEST,
    SUCCESS,
    Manifest,
    is_intact,
    manifest_bytes,
    parse_manifest,
    read_files,
    read_manifest,
    read_success,
    sha256,
    success_bytes,
)
from pipeline.runs.stage import (
    COMMIT,
    FAILED,
    REPLACED,
    ROOT,
    Stage,
    delete_predictions,
    delete_unfinished,
    join,
    read_stage,
    stage_ids,
)
from pipeline.runs.store import Store

LOCK_SECONDS = 60
"""How long a publisher waits for another."""

_ATTEMPTS = 5


def publish(
    store: Store,
    stage: Stage,
    job: str,
    files: Mapping[str, bytes],
    plugins: Mapping[str, str] | None = None,
) -> None:
    """Publishes the files of a run; does nothing if an earlier attempt has published it.

    Args:
        store: the store of the output.
        stage: the stage of the run.
        job: what tells equal jobs.
        files: the content of the files of the run, by name.
        plugins: the SHA-256 of the plugins of the run, by name; None for none.

    Raises:
        OutputTaken: if the output holds a run that this one may not replace, or other files.
    """
    with store.lock(stage.root, LOCK_SECONDS) as has_locks:
        if not stage.is_open(store):
            store.delete_if_empty(stage.root)
            return
        if not store.exists(stage.path(COMMIT)):
            _commit(store, stage, manifest_bytes(stage, job, files, plugins or {}), files)
        roll_forward(store, stage, has_locks=has_locks)


def has_committed(store: Store, stage: Stage) -> bool:
    """Returns whether an earlier attempt has written the run whole, after rolling it forward."""
    with store.lock(stage.root, LOCK_SECONDS) as has_locks:
        if stage.is_open(store):
            if not store.exists(stage.path(COMMIT)):
                return False
            roll_forward(store, stage, has_locks=has_locks)
        store.delete_if_empty(stage.root)
        return True


def publish_failure(store: Store, stage: Stage, files: Mapping[str, bytes]) -> None:
    """Publishes the files of a run whose data must not be reported on, and no result.

    They stay in the stage as well, where the driver reads them.

    Args:
        store: the store of the output.
        stage: the stage of the run.
        files: the content of the files, by name.
    """
    with store.lock(stage.root, LOCK_SECONDS):
        if not stage.is_open(store):
            store.delete_if_empty(stage.root)
            return
        for name, content in files.items():
            store.write(stage.path(name), content)
        place = failure_place(store, stage.output)
        if foreign := foreign_failure(store, place):
            raise _in_the_way(foreign)
        for name in files:
            store.move(store.prepare(stage.path(name)), join(place, name))
        store.sync(place)
        store.write(stage.path(FAILED), place.encode() + b"\n")


def read_failure(store: Store, stage: Stage) -> tuple[str, bytes] | None:
    """Returns the path and the content of the data report of a run that failed; None if it did not.

    A run of others in the same output deletes the stages of runs that have ended: then the report
    is looked for where it was published.
    """
    try:
        place = store.read(stage.path(FAILED)).decode().rstrip("\n")
        return join(place, DATA), store.read(stage.path(DATA))
    except FileNotFoundError:
        pass
    for place in (join(stage.output, FAILED_DIRECTORY), stage.output):
        path = join(place, DATA)
        with suppress(FileNotFoundError):
            content = store.read(path)
            if _failed_run(content) == stage.id:
                return path, content
    return None


def read_published(store: Store, stage: Stage, names: Sequence[str]) -> dict[str, bytes] | None:
    """Returns the content of files of a run in its output, by name; None if it is not published.

    Raises:
        OutputTaken: if the run was published, and another has replaced it or is about to.
    """
    # The stage is closed when the run is published. After that another may come at any moment.
    if stage.is_open(store) and _finished_id(store, stage.output) != stage.id:
        return None
    files = read_files(store, stage.output, stage.id, names)
    if files is not None:
        return files
    found = _finished_id(store, stage.output)
    rival = "another run" if found in (None, stage.id) else f"another run ({found})"
    raise OutputTaken(f"output: {rival} has replaced this one in {stage.output}")


def _commit(store: Store, stage: Stage, manifest: bytes, files: Mapping[str, bytes]) -> None:
    """Writes a run into its stage, `COMMIT` last."""
    staged = {**files, MANIFEST: manifest, SUCCESS: success_bytes(stage.id, manifest)}
    for name, content in staged.items():
        store.write(stage.path(name), content)
    replaces = _finished_id(store, stage.output)
    if replaces is not None and not stage.overwrite:
        raise OutputTaken(holds_a_run(stage.output))
    # The names that lead to the stage must last before what they lead to counts.
    for directory in (stage.directory, stage.root, stage.output):
        store.sync(directory)
    commit = {"id": stage.id, "manifest_sha256": sha256(manifest), "replaces": replaces}
    store.write(stage.path(COMMIT), json.dumps(commit).encode() + b"\n")


def roll_forward(store: Store, stage: Stage, *, has_locks: bool) -> bool:
    """Publishes a run that is whole in its stage, as far as that is not done yet.

    Returns:
        Whether the output holds this run; it does not if yet another run was published meanwhile.

    Raises:
        OutputTaken: if files of another program are in the way.
        StorageError: if the stage is damaged.
    """
    commit = json.loads(store.read(stage.path(COMMIT)))
    content = store.read(stage.path(MANIFEST))
    manifest = parse_manifest(content)
    if manifest is None or sha256(content) != commit["manifest_sha256"]:
        raise StorageError(f"{stage.directory}: this run is damaged; delete the directory")
    for _ in range(_ATTEMPTS):
        # Only what had ended before the output was found to be this run's is replaced for good.
        ended = [
            older
            for older in _replaced(store, stage)
            if older.id and read_stage(store, stage.output, older.id) is None
        ]
        found = _finished_id(store, stage.output)
        if found == stage.id and (has_locks or is_intact(store, stage.output)):
            break
        if found not in (None, commit["replaces"], stage.id) and is_intact(store, stage.output):
            newer = read_manifest(store, stage.output)
            if newer is not None and store.exists(stage.path(REPLACED)):
                _delete_others(store, stage.output, manifest, newer)
            stage.discard(store)
            return False
        _swap(store, stage, manifest)
    else:
        raise StorageError(f"{stage.output}: other runs keep writing there")
    if stage.predictions is not None:
        delete_unfinished(store, stage.predictions)
    for older in ended:
        if older.predictions is not None:
            delete_predictions(store, older.predictions, older.id)
    stage.close(store)
    return True


def _swap(store: Store, stage: Stage, manifest: Manifest) -> None:
    """Puts the files of a run in place of those of the older one."""
    if not store.exists(stage.path(REPLACED)) and (foreign := foreign_files(store, stage.output)):
        raise _in_the_way(foreign)
    _note_replaced(store, stage)
    names = [*sorted(manifest.files), MANIFEST, SUCCESS]
    prepared = {name: store.prepare(stage.path(name)) for name in names}
    store.delete([join(stage.output, SUCCESS)])
    store.sync(stage.output)
    for name in names:
        if name == MANIFEST:
            # Where there are no locks, it may be that of yet another run by now.
            _note_replaced(store, stage)
        if name == SUCCESS:
            # Nothing is changed after it: where there are no locks, the output may be that of yet
            # another run by then.
            _delete_older(store, stage, manifest)
            store.sync(stage.output)
        store.move(prepared[name], join(stage.output, name))
    store.sync(stage.output)


def _note_replaced(store: Store, stage: Stage) -> None:
    """Adds the manifest in the output to those of the runs that are replaced."""
    try:
        manifests = json.loads(store.read(stage.path(REPLACED)))
    except FileNotFoundError:
        manifests = None
    found = read_manifest(store, stage.output)
    new = [] if found is None or found.id == stage.id else [asdict(found)]
    if manifests is None or any(manifest not in manifests for manifest in new):
        content = json.dumps([*(manifests or ()), *new]).encode() + b"\n"
        store.write(stage.path(REPLACED), content)


def _delete_older(store: Store, stage: Stage, manifest: Manifest) -> None:
    """Deletes the files in the output that only runs before have: those replaced, and failures."""
    for older in _replaced(store, stage):
        _delete_others(store, stage.output, older, manifest)
    failure = join(stage.output, FAILED_DIRECTORY)
    if holds_failure(store, failure):
        # The report by which its files are known goes last.
        for name in FAILED_FILES:
            store.delete([join(failure, name)])
        store.delete_if_empty(failure)


def _replaced(store: Store, stage: Stage) -> list[Manifest]:
    """Returns the manifests of the runs that a run has replaced."""
    try:
        manifests = json.loads(store.read(stage.path(REPLACED)))
    except FileNotFoundError:
        return []
    return [Manifest(**manifest) for manifest in manifests]


def _delete_others(store: Store, output: str, older: Manifest, newer: Manifest) -> None:
    """Deletes the files that an older run has and the newer one has not."""
    gone = [name for name in older.files if name not in newer.files]
    store.delete([join(output, name) for name in gone])


def _finished_id(store: Store, output: str) -> str | None:
    """Returns the identity of the finished run in a directory; None if there is none."""
    success = read_success(store, output)
    return None if success is None else str(success.get("id", ""))


def _in_the_way(paths: Sequence[str]) -> OutputTaken:
    return OutputTaken(
        f"output: {paths[0]} is there, and no run of headcount left it; move it away, or choose"
        " another directory"
    )


def check_output(store: Store, stage: Stage) -> None:
    """Checks that a run may be published in its output, before anything is done.

    Raises:
        OutputTaken: if the output holds a run and the new one may not replace it, or if files of
            others have names that the run would write.
    """
    output = stage.output
    if foreign := foreign_files(store, output):
        raise _in_the_way(foreign)
    if store.exists(join(output, SUCCESS)):
        if not stage.overwrite:
            raise OutputTaken(holds_a_run(output))
        if foreign := foreign_failure(store, join(output, FAILED_DIRECTORY)):
            raise _in_the_way(foreign)


def holds_a_run(output: str) -> str:
    """Returns the message that an output holds a run."""
    return f"output: {output} holds a run; give --overwrite to replace it, in Python overwrite=True"


def foreign_files(store: Store, output: str) -> list[str]:
    """Returns the paths that a run would replace in its output and that no run has put there."""
    there = [name for name in FILES if store.exists(join(output, name))]
    if not there:
        return []
    known = set(FAILED_FILES) if holds_failure(store, output) else set()
    stages = (join(output, ROOT, identity) for identity in stage_ids(store, output))
    # That of the output comes last: a run that is being published now may be there by then.
    in_part = [directory for directory in stages if store.exists(join(directory, REPLACED))]
    for directory in (*in_part, output):
        manifest = read_manifest(store, directory)
        if manifest is not None:
            known |= {SUCCESS, MANIFEST, *manifest.files}
    return [join(output, name) for name in there if name not in known]


def foreign_failure(store: Store, directory: str) -> list[str]:
    """Returns the paths that a failed run would replace in a directory and that none has left."""
    paths = [join(directory, name) for name in FAILED_FILES if store.exists(join(directory, name))]
    return [] if holds_failure(store, directory) else paths


def failure_place(store: Store, output: str) -> str:
    """Returns the directory for the files of a failed run: the output, if it holds no run."""
    return join(output, FAILED_DIRECTORY) if read_manifest(store, output) else output.rstrip("/")


def holds_failure(store: Store, directory: str) -> bool:
    """Returns whether a directory holds the files of a failed run: its data report says so."""
    try:
        return _failed_run(store.read(join(directory, DATA))) is not None
    except (FileNotFoundError, StorageError):
        return False


def _failed_run(data: bytes) -> str | None:
    """Returns the identity of the failed run that a data report is of; None if it is of none."""
    try:
        report = json.loads(data)
    except (ValueError, RecursionError):
        return None
    identity = report.get("failed_run") if isinstance(report, dict) else None
    return identity if isinstance(identity, str) else None


def recover(store: Store, output: str, *, is_alone: bool) -> tuple[str | None, list[str]]:
    """Finishes or takes away what earlier runs left in the stages of an output.

    A run that is whole is rolled forward. The stage of a dead run is deleted, with its predictions.

    Args:
        store: the store of the output.
        output: the directory that runs write.
        is_alone: whether no driver of a local run but this one is at work in the output.

    Returns:
        The identity of the run that was rolled forward last, or None; and lines about stages of
        runs that may still be at work elsewhere.
    """
    rolled, lines = None, []
    root = join(output, ROOT)
    if not store.children(root):
        return None, []
    with store.lock(root, LOCK_SECONDS) as has_locks:
        for identity in stage_ids(store, output):
            stage = read_stage(store, output, identity)
            if stage is None:
                # Its end was interrupted. An empty directory may be of a run that is beginning.
                if is_alone or store.children(join(root, identity)):
                    store.delete_directory(join(root, identity))
            elif store.exists(stage.path(COMMIT)):
                if roll_forward(store, stage, has_locks=has_locks):
                    rolled = identity
            elif store.exists(stage.path(FAILED)) or (is_alone and stage.is_of_this_machine()):
                stage.discard(store)
            else:
                lines.append(
                    f"{stage.directory} is of a run that began at {stage.created} on {stage.host}"
                    " and has not ended; if it is no longer at work, delete that directory"
                )
        store.delete_if_empty(root)
    return rolled, lines
