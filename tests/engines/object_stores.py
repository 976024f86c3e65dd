"""Servers of object stores on this machine: S3 and Google Cloud Storage, and its credentials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.engines.installing import FAKE_GCS, FAKE_GCS_VERSION, go_program
from tests.engines.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]

_SECONDS = 300
_REQUEST = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/1\.1\\?" (?P<status>\d+)')


class Bucket(Protocol):
    """A bucket with the client of its store."""

    def put(self, key: str, content: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def keys(self) -> list[str]: ...


@dataclass(frozen=True)
class Store:
    """An object store that runs.

    Attributes:
        scheme: of its paths.
        url: where it answers.
        environment: what makes clients talk to it.
        log: what it prints: every request.
        bucket: a bucket of this name, made if it is not there.
    """

    scheme: str
    url: str
    environment: Mapping[str, str]
    log: Path
    bucket: Callable[[str], Bucket]

    def mark(self) -> int:
        """How many bytes it has printed so far, of all requests that it has answered."""
        self._settle()
        return self.log.stat().st_size

    def requests(self, since: int) -> list[str]:
        """Method, path and status of the requests answered after a mark."""
        self._settle()
        text = re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_bytes()[since:].decode())
        return [" ".join(found.groups()) for found in _REQUEST.finditer(text)]

    def _settle(self) -> None:
        """Waits until it has printed a request of ours: it may answer first, and then print."""
        name = uuid.uuid4().hex
        with suppress(HTTPError):
            urlopen(f"{self.url}/{name}").close()
        last = time.monotonic() + _SECONDS
        while name.encode() not in self.log.read_bytes():
            assert time.monotonic() < last, f"{self.log} does not tell of the request for /{name}"
            time.sleep(0.01)


@contextmanager
def s3_store(folder: Path) -> Iterator[Store]:
    """Moto's server, on a port that it chooses; it ends with the context."""
    command = [sys.executable, "-u", "-m", "moto.server", "-p", "0"]
    with _server(command, folder / "s3.log", r"Running on (http://127\.0\.0\.1:\d+)") as url:
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        yield Store("s3", url, environment, folder / "s3.log", lambda name: _S3Bucket(url, name))


def ask_for_credentials(store: Store, *, after: float = 0) -> None:
    """Makes Moto refuse keys that it does not know, after so many requests."""
    plain = {"Content-Type": "text/plain"}
    where = f"{store.url}/moto-api/reset-auth"
    urlopen(Request(where, data=str(after).encode(), headers=plain)).close()


class _S3Bucket:
    def __init__(self, url: str, name: str) -> None:
        self._name = name
        # The clients of the stores are there where the suite runs, and not for the other tests.
        import boto3

        self._client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=name)

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
        return content

    def keys(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=self._name).get("Contents", [])
        return sorted(entry["Key"] for entry in found)


@contextmanager
def gcs_store(folder: Path) -> Iterator[Store]:
    """`FAKE_GCS`, behind what gives tokens and lets it read batches; they end with the context."""
    (port,) = free_ports(1)
    emulator = f"http://127.0.0.1:{port}"
    log = folder / "gcs.log"
    with _front(emulator, folder / "denied") as url:
        command = [
            str(go_program(FAKE_GCS, FAKE_GCS_VERSION)),
            "-backend",
            "memory",
            "-scheme",
            "http",
            "-host",
            "127.0.0.1",
        ]
        command += ["-port", str(port), "-external-url", url]
        with _server(command, log, "server started at"):
            environment = {
                "STORAGE_EMULATOR_HOST": url,
                "GOOGLE_APPLICATION_CREDENTIALS": str(_credentials(folder, url)),
                "GOOGLE_CLOUD_PROJECT": "local",
            }
            yield Store("gs", url, environment, log, lambda name: _GcsBucket(url, name))


class _GcsBucket:
    def __init__(self, url: str, name: str) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        client = storage.Client(
            project="local",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": url},
        )
        self._bucket = client.lookup_bucket(name) or client.create_bucket(name)

    def put(self, key: str, content: bytes) -> None:
        self._bucket.blob(key).upload_from_string(content)

    def get(self, key: str) -> bytes:
        content: bytes = self._bucket.blob(key).download_as_bytes()
        return content

    def keys(self) -> list[str]:
        return sorted(blob.name for blob in self._bucket.list_blobs())


def _credentials(folder: Path, url: str) -> Path:
    """A file of credentials, for which the server there gives tokens."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "client_email": "test@local",
        "private_key": key.decode(),
        "token_uri": f"{url}/token",
    }
    path = folder / "credentials.json"
    path.write_text(json.dumps(account))
    return path


@contextmanager
def _front(emulator: str, denied: Path) -> Iterator[str]:
    """Passes requests on to the emulator, and gives tokens, unless the file `denied` is there.

    Each part of a batch gets a number: Google reads those that have none, as its Python client
    sends them, and the emulator passes them over.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/token":
                token = {"access_token": "token", "token_type": "Bearer", "expires_in": 3600}
                refused = {"error": "invalid_grant", "error_description": "Invalid signature."}
                body = json.dumps(refused if denied.exists() else token).encode()
                kind = [("Content-Type", "application/json")]
                self.reply(400 if denied.exists() else 200, kind, body)
                return
            if self.path.startswith("/batch"):
                part = b"Content-Type: application/http"
                content = content.replace(part, part + b"\r\nContent-ID: <1>")
            headers = {n: v for n, v in self.headers.items() if n not in ("Host", "Content-Length")}
            passed = HTTPConnection(emulator.removeprefix("http://"))
            passed.request(self.command, self.path, content, headers)
            got = passed.getresponse()
            self.reply(got.status, got.getheaders(), got.read())
            passed.close()

        def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name not in ("Content-Length", "Transfer-Encoding", "Connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *what: object) -> None:
            pass

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _server(command: list[str], log: Path, ready: str) -> Iterator[str]:
    """Starts a server, and ends it; what it prints when it is ready, or the group in that."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        last = time.monotonic() + _SECONDS
        while (found := re.search(ready, log.read_text())) is None:
            if process.poll() is not None or time.monotonic() > last:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield found.groups()[0] if found.groups() else found[0]
    finally:
        process.terminate()
        process.wait()
