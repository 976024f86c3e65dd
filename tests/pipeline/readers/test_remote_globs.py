"""Tests the globs of object stores, against the expressions that Beam makes of them."""

from __future__ import annotations

import pytest
from apache_beam.io.filesystem import FileSystem
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.remote_globs import RemoteGlob, RemoteMatch, is_folder_object, translate
from tests.pipeline.tables import law


@law
@given(st.text("ab*?[]!^/\\-.", max_size=9))
def test_globs_mean_what_they_mean_to_beam(pattern: str) -> None:
    assert f"(?ms){translate(pattern)}\\Z" == FileSystem.translate_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("gs://b/*.pq", "gs://b/a.pq", RemoteMatch(data=True)),
        ("gs://b/*.pq", "gs://b/_a.pq", RemoteMatch(data=False)),
        ("gs://b/*.pq", "gs://b/x/a.pq", None),
        ("gs://b/**.pq", "gs://b/x/a.pq", RemoteMatch(data=True)),
        ("gs://b/**", "gs://b/_x/a.pq", RemoteMatch(data=False)),
        ("gs://b/*", "gs://b/x/y/a.pq", RemoteMatch(data=True, folder="gs://b/x")),
        ("gs://b/*", "gs://b/x/_y/a.pq", RemoteMatch(data=False, folder="gs://b/x")),
        ("gs://b/*", "gs://b/_x/a.pq", RemoteMatch(data=False, folder="gs://b/_x")),
        ("gs://b/_x", "gs://b/_x/a.pq", RemoteMatch(data=True, folder="gs://b/_x")),
        ("gs://b/_x/", "gs://b/_x/a.pq", RemoteMatch(data=True, folder="gs://b/_x")),
        ("gs://b/x/", "gs://b/x", None),
        ("gs://b/x", "gs://b/xy/a.pq", None),
        ("gs://b/x", "gs://b/x/", None),
        ("gs://b", "gs://b/a.pq", RemoteMatch(data=True, folder="gs://b")),
        ("gs://b/d*/", "gs://b/d1/a.pq", RemoteMatch(data=True, folder="gs://b/d1")),
        ("gs://b/d*/", "gs://b/d.pq", None),
        ("gs://b/x/a.pq.tmp", "gs://b/x/a.pq.tmp", RemoteMatch(data=False)),
        ("gs://b/*", "gs://b/a\nb", RemoteMatch(data=True)),
    ],
)
def test_matches(pattern: str, path: str, expected: RemoteMatch | None) -> None:
    assert RemoteGlob(pattern).match(path) == expected


def test_a_set_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"^gs://b/\[b-a\]: a set in brackets is malformed"):
        RemoteGlob("gs://b/[b-a]")


def test_objects_that_stand_for_folders() -> None:
    assert is_folder_object("gs://b/x/", 0)
    assert is_folder_object("s3://b/x_$folder$", 0)
    assert not is_folder_object("s3://b/x_$folder$", 7)
    assert not is_folder_object("s3://b/x", 0)
