"""What a Dataflow job is submitted to: object storage and the job service, in this process.

Google's own clients speak to it, told where by settings of theirs. It knows no more than it takes
to submit a job.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from pipeline.readers.crc32c import crc32c_many

JOB = "2026-01-01_00_00_00-1"


class GoogleServices(ThreadingHTTPServer):
    """Buckets of any name, and a job that ends in a given state as soon as it is asked for.

    Attributes:
        objects: what was stored, by `bucket/name`.
        jobs: the jobs that were submitted.
        end: the state in which jobs end.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.jobs: list[dict[str, object]] = []
        self.end = "JOB_STATE_DONE"

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}"

    def environment(self, directory: Path) -> dict[str, str]:
        """The settings that lead Google's clients here; a made-up identity among them."""
        (directory / "token").write_text("token")
        identity = directory / "identity.json"
        identity.write_text(
            json.dumps(
                {
                    "type": "external_account",
                    "audience": "//iam.googleapis.com/projects/1/locations/global",
                    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                    "token_url": f"{self.url}/token",
                    "credential_source": {"file": str(directory / "token")},
                }
            )
        )
        return {
            "STORAGE_EMULATOR_HOST": self.url,
            "GOOGLE_APPLICATION_CREDENTIALS": str(identity),
            "GOOGLE_CLOUD_PROJECT": "project",
        }


class _Handler(BaseHTTPRequestHandler):
    server: GoogleServices

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if found := re.fullmatch(r"/storage/v1/b/([^/]+)", path):
            self._reply({"name": found[1], "id": found[1]})
        elif found := re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)/o/(.+)", path):
            self._object(f"{found[1]}/{unquote(found[2])}", "alt=media" in self.path)
        elif path.endswith(f"/jobs/{JOB}"):
            self._reply({"id": JOB, "currentState": self.server.end})
        elif path.endswith("/messages"):
            error = "JOB_MESSAGE_ERROR"
            message = {"messageText": "Traceback: no disk", "messageImportance": error}
            self._reply({"jobMessages": [message | {"time": "2026-01-01T00:00:00Z"}]})
        else:
            self._reply({}, 404)

    def do_POST(self) -> None:
        url, body = urlsplit(self.path), self._body()
        if url.path == "/token":
            kind = "urn:ietf:params:oauth:token-type:access_token"
            grant = {"access_token": "access", "token_type": "Bearer", "issued_token_type": kind}
            self._reply(grant | {"expires_in": 3600})
        elif found := re.fullmatch(r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o", url.path):
            name = f"{found[1]}/{json.loads(body)['name']}"
            self.server.objects[name] = b""
            self._reply({}, location=f"{self.server.url}/upload?name={name}")
        elif url.path.endswith("/jobs"):
            self.server.jobs.append(json.loads(body))
            self._reply({"id": JOB, "name": "job"})
        else:
            self._reply({}, 404)

    def do_PUT(self) -> None:
        (name,) = parse_qs(urlsplit(self.path).query)["name"]
        self.server.objects[name] += self._body()
        # The size is known with the last part: `bytes 0-9/10`, or `bytes 0-9/*` before it.
        if self.headers["Content-Range"].endswith("*"):
            end = len(self.server.objects[name]) - 1
            self._reply({}, 308, range=f"bytes=0-{end}")
        else:
            self._object(name)

    def _object(self, name: str, whole: bool = False) -> None:
        content = self.server.objects.get(name)
        if content is None:
            self._reply({}, 404)
        elif whole:
            self._send(content, 200, {"Content-Type": "application/octet-stream"})
        else:
            bucket, _, key = name.partition("/")
            buffer, whole = np.frombuffer(content, np.uint8), np.array([len(content)])
            checksum = crc32c_many(buffer, np.zeros(1, np.int64), whole).astype(">u4").tobytes()
            findings = {"bucket": bucket, "name": key, "size": str(len(content))}
            self._reply(findings | {"crc32c": base64.b64encode(checksum).decode()})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _reply(self, body: dict[str, object], status: int = 200, **headers: str) -> None:
        content = json.dumps(body).encode()
        self._send(content, status, {"Content-Type": "application/json", **headers})

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def google_services() -> Iterator[GoogleServices]:
    """Serves until the block ends."""
    with GoogleServices() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
