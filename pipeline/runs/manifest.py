"""The manifest of a run, and `_SUCCESS`, which vouches for it."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from pipeline.runs.stage import Stage, join
from pipeline.runs.store import Store

MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
VERSION = 1
"""The version of the layout of a run's directory."""

PACKAGES = ("headcount", "apache-beam", "numpy", "pyarrow")
"""The packages whose versions a run names: itself, and those that its digits may depend on."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Manifest:
    """The manifest of a run, as far as publishing needs it.

    Attributes:
        id: the identity of the run; empty for a run of an older release, which had none.
        job: what tells equal jobs: a checksum of configuration, inputs and release.
        files: the SHA-256 of each file of the run, in hexadecimal, by name.
        predictions: the directory of the predictions of the run, or None.
    """

    id: str
    job: str
    files: Mapping[str, str]
    predictions: str | None


def manifest_bytes(
    stage: Stage, job: str, files: Mapping[str, bytes], plugins: Mapping[str, str]
) -> bytes:
    """Returns the bytes of `manifest.json`.

    Args:
        stage: the stage of the run.
        job: what tells equal jobs.
        files: the content of the other files of the run, by name.
        plugins: the SHA-256 of the plugins of the run, by name.
    """
    data = {
        "headcount_manifest": VERSION,
        "id": stage.id,
        "created": stage.created,
        "job": job,
        "files": {
            name: {"bytes": len(content), "sha256": sha256(content)}
            for name, content in sorted(files.items())
        },
        "plugins": dict(plugins),
        "predictions": stage.predictions,
        "versions": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            **_releases(),
        },
    }
    return json.dumps(data, indent=1, ensure_ascii=False).encode() + b"\n"


@cache
def _releases() -> dict[str, str]:
    """Returns the releases of what computed a run; to look them up takes milliseconds."""
    return {name: version(name) for name in PACKAGES}


def parse_manifest(content: bytes) -> Manifest | None:
    """Returns the manifest in a file; None if it is not the manifest of a run."""
    try:
        data = json.loads(content)
        files = {name: entry["sha256"] for name, entry in data["files"].items()}
        texts = (data.get("id", ""), data.get("job", ""), data["versions"]["headcount"])
        predictions = data.get("predictions")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if predictions is not None and not isinstance(predictions, str):
        return None
    # Files that a manifest lists may be deleted: names that lead elsewhere are of no run.
    if not all(isinstance(text, str) for text in texts) or not all(
        map(_PLAIN_NAME.fullmatch, files)
    ):
        return None
    return Manifest(texts[0], texts[1], files, predictions)


def read_manifest(store: Store, output: str) -> Manifest | None:
    """Returns the manifest in a directory; None if there is none of a run."""
    try:
        return parse_manifest(store.read(join(output, MANIFEST)))
    except FileNotFoundError:
        return None


def read_files(
    store: Store, output: str, identity: str, names: Iterable[str]
) -> dict[str, bytes] | None:
    """Returns the content of files of a run in a directory, by name, as its manifest has them.

    Args:
        store: the store of files.
        output: the directory.
        identity: the identity of the run.
        names: the names of the files.

    Returns:
        None if the directory does not hold that run, or if a file is not what its manifest says.
    """
    manifest = read_manifest(store, output)
    if manifest is None or manifest.id != identity:
        return None
    try:
        files = {name: store.read(join(output, name)) for name in names}
    except FileNotFoundError:
        return None
    held = all(manifest.files.get(name) == sha256(content) for name, content in files.items())
    return files if held else None


def success_bytes(identity: str, manifest: bytes) -> bytes:
    """Returns the bytes of `_SUCCESS`: the identity of the run, and the SHA-256 of its manifest."""
    return json.dumps({"id": identity, "manifest_sha256": sha256(manifest)}).encode() + b"\n"


def read_success(store: Store, output: str) -> dict[str, Any] | None:
    """Returns what `_SUCCESS` in a directory says; None if there is none.

    That of another program, or of an older release, says nothing: the dictionary is empty.
    """
    try:
        data = json.loads(store.read(join(output, SUCCESS)))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def is_intact(store: Store, output: str) -> bool:
    """Returns whether a directory holds a finished run all of whose files are its own."""
    success = read_success(store, output)
    try:
        content = store.read(join(output, MANIFEST))
        manifest = parse_manifest(content)
        if success is None or manifest is None or success.get("id") != manifest.id:
            return False
        return success.get("manifest_sha256") == sha256(content) and all(
            sha256(store.read(join(output, name))) == digest
            for name, digest in manifest.files.items()
        )
    except FileNotFoundError:
        return False


def sha256(content: bytes) -> str:
    """Returns the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
