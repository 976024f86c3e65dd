"""Lists files wherever they are: on this machine, and on what Beam's filesystems reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.beam.files import explained, open_file
from pipeline.beam.stores import Store, store_of
from pipeline.readers.file_list import Listing, Match, Matches, make_listing, match_local
from pipeline.readers.formats import Format
from pipeline.readers.remote_globs import RemoteGlob, is_folder_object
from pipeline.readers.stamps import Stamp
from pipeline.readers.storage import is_local
from pipeline.readers.tables import MARKS, METADATA, METADATA_SUFFIX, TEMPORARY, Refusals, mark_in
from pipeline.readers.walk import fixed_part


def list_shards(patterns: Sequence[str], format_: Format | None = None) -> Listing:
    """Returns the shards that match any of the globs; see `make_listing`.

    Args:
        patterns: the globs.
        format_: the format of all files; None to tell it for each.

    Raises:
        ValueError: if a file does not tell its format, or a glob is malformed.
        StorageError: if files elsewhere cannot be listed.
    """
    matches = Matches()
    for pattern in dict.fromkeys(patterns):
        if is_local(pattern):
            match_local(pattern, matches)
        else:
            _match_remote(pattern, matches)
    return make_listing(patterns, matches, open_file, format_)


def _match_remote(pattern: str, matches: Matches) -> None:
    """Adds what a glob of files elsewhere matches.

    Raises:
        ValueError: if the glob is malformed.
        StorageError: if files cannot be listed.
    """
    glob = RemoteGlob(pattern)
    with explained(pattern):
        store = store_of(pattern)
        # A bucket is no file.
        if glob.is_name and not pattern.endswith("/") and pattern.count("/") > 2:
            stamp = store.file(pattern)
            if stamp is not None:
                _add(glob, pattern, stamp, matches)
                return
        marks: dict[str, set[str]] = {}
        folders: set[str] = set()
        listed = f"{glob.prefix}/" if glob.is_name else glob.prefix
        for path, stamp in store.files(listed):
            if found := mark_in(path):
                marks.setdefault(found[0], set()).add(found[1])
            if not is_folder_object(path, stamp.bytes) and _add(glob, path, stamp, matches):
                folders.add(path.rpartition("/")[0])
        fixed = glob.prefix if glob.is_name else fixed_part(pattern)

        def marks_in(folder: str) -> Iterable[str]:
            known = f"{folder}/".startswith(listed)
            return marks.get(folder, ()) if known else _marks(store, folder)

        refusals = Refusals(marks_in)
        reasons = (refusals.reason(folder, fixed) for folder in sorted(folders))
        matches.problems.update(filter(None, reasons))


def _add(glob: RemoteGlob, path: str, stamp: Stamp, matches: Matches) -> bool:
    """Adds a file if the glob matches it, and returns whether it is data."""
    match = glob.match(path)
    if match is None:
        return False
    if not match.data:
        matches.passed.append((glob.pattern, path))
        return False
    matches.files.append(Match(glob.pattern, path, stamp, path, path))
    if match.folder:
        matches.folders.add(match.folder)
    return True


def _marks(store: Store, folder: str) -> Iterator[str]:
    """Yields the marks of a table or an unfinished output that are in a folder elsewhere."""
    for mark in (*MARKS, TEMPORARY):
        inside = store.files(f"{folder}/{mark}/")
        if any(mark != METADATA or path.endswith(METADATA_SUFFIX) for path, _ in inside):
            yield mark
