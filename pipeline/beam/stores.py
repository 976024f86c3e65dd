"""S3 and Google Cloud Storage with what tells the versions of an object apart.

Beam's filesystems tell when an object was changed, in some time zones an hour off, and neither its
ETag nor its generation. They make a new client of S3 for each call, which takes as long as reading
100,000 rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from functools import lru_cache
from typing import Any

from apache_beam.io.aws.clients.s3.boto3_client import Client
from apache_beam.io.aws.clients.s3.messages import GetRequest, Item, ListRequest, ListResponse
from apache_beam.io.aws.s3io import S3IO
from apache_beam.io.filesystem import CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.readers.stamps import Stamp
from pipeline.readers.storage import is_local

# Beam takes the time of some stores to be local time, without or with daylight saving, on the
# machine that asks. What is left of a time within half an hour is the same everywhere.
_HALF_HOUR = 1800 * 10**9


class Store(ABC):
    """A store of files elsewhere."""

    @abstractmethod
    def files(self, prefix: str) -> Iterator[tuple[str, Stamp]]:
        """Yields the path and the stamp of every file whose path begins with a prefix."""

    @abstractmethod
    def file(self, path: str) -> Stamp | None:
        """Returns the stamp of a file; None if there is no such file."""

    @abstractmethod
    def open(self, path: str) -> tuple[Any, Stamp | None]:
        """Opens a file for reading.

        Returns:
            The stream; and the stamp of the version that it reads, whatever becomes of the path.
            None if it may read several versions.
        """


def store_of(path: str) -> Store:
    """Returns access to the store of a path that is not on this machine."""
    system = FileSystems.get_filesystem(path)
    if (s3 := s3_access(path)) is not None:
        return _S3(s3)
    return _Gcs(system._gcsIO()) if system.scheme() == "gs" else _Other()


def s3_access(path: str) -> S3IO | None:
    """Returns access to S3 through the client of this process; None if the path is not on S3.

    A client remembers where it reads, so the result holds a copy of it that uses the same
    connections.
    """
    if is_local(path):
        return None
    system = FileSystems.get_filesystem(path)
    return S3IO(copy(_client(system._options))) if system.scheme() == "s3" else None


def stamp_of_metadata(metadata: FileMetadata) -> Stamp:
    """Returns the stamp of a file of one of Beam's filesystems."""
    modified = round(metadata.last_updated_in_seconds * 1e9) % _HALF_HOUR
    return Stamp(metadata.size_in_bytes, modified)


class _Other(Store):
    """What Beam reaches and we do not know."""

    def files(self, prefix: str) -> Iterator[tuple[str, Stamp]]:
        (found,) = FileSystems.match([f"{prefix}**"])
        for metadata in found.metadata_list:
            yield metadata.path, stamp_of_metadata(metadata)

    def file(self, path: str) -> Stamp | None:
        (found,) = FileSystems.match([path])
        return next((stamp_of_metadata(metadata) for metadata in found.metadata_list), None)

    def open(self, path: str) -> tuple[Any, None]:
        return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED), None


class _Gcs(Store):
    """Google Cloud Storage; a file that is open is read as of its generation.

    Args:
        access: Beam's access to it, a `GcsIO`.
    """

    def __init__(self, access: Any) -> None:
        self._access = access

    def files(self, prefix: str) -> Iterator[tuple[str, Stamp]]:
        _, _, bucket, begin = prefix.split("/", 3)
        retry = self._access._storage_client_retry
        for blob in self._access.client.list_blobs(bucket, prefix=begin, retry=retry):
            yield f"gs://{bucket}/{blob.name}", _stamp_of_blob(blob)

    def file(self, path: str) -> Stamp | None:
        _, _, bucket, name = path.split("/", 3)
        retry = self._access._storage_client_retry
        blob = self._access.client.bucket(bucket).get_blob(name, retry=retry)
        return None if blob is None else _stamp_of_blob(blob)

    def open(self, path: str) -> tuple[Any, Stamp]:
        stream = self._access.open(path, "rb")
        return stream, _stamp_of_blob(stream._blob)


def _stamp_of_blob(blob: Any) -> Stamp:
    return Stamp(blob.size, tag=str(blob.generation or ""))


class _S3(Store):
    """S3, by ETags: listings of some stores tell fractions of seconds, and their objects do not.

    Args:
        access: access with a `_Client`.
    """

    def __init__(self, access: S3IO) -> None:
        self._access = access

    def files(self, prefix: str) -> Iterator[tuple[str, Stamp]]:
        for path, (size, _) in self._access.list_files(prefix, with_metadata=True):
            yield path, Stamp(size, tag=self._access.client.tags[path.split("/", 3)[3]])

    def file(self, path: str) -> Stamp | None:
        return self._asked() if self._access.exists(path) else None

    def open(self, path: str) -> tuple[Any, Stamp]:
        stream = self._access.open(path, "rb")
        stamp = self._asked()
        client = self._access.client
        client.client = _OfVersion(client.client, stamp.tag)
        return stream, stamp

    def _asked(self) -> Stamp:
        item = self._access.client.item
        return Stamp(item.size, tag=item.etag)


class _Client(Client):
    """A client that keeps what it is told of objects.

    Attributes:
        tags: the ETags of the objects in the last answer to a listing, by key.
        item: the object that was asked for last.
    """

    def list(self, request: ListRequest) -> ListResponse:
        response = super().list(request)
        self.tags = {item.key: item.etag for item in response.items}
        return response

    def get_object_metadata(self, request: GetRequest) -> Item:
        self.item = super().get_object_metadata(request)
        return self.item


class _OfVersion:
    """A client that reads a single version of an object.

    Args:
        client: the client of boto3.
        tag: the ETag of the version.
    """

    def __init__(self, client: Any, tag: str) -> None:
        self._client = client
        self._tag = tag

    def get_object(self, **request: Any) -> Any:
        return self._client.get_object(IfMatch=self._tag, **request)


@lru_cache(maxsize=4)
def _client(options: PipelineOptions) -> _Client:
    return _Client(options)
