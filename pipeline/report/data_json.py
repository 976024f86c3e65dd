"""The data report, `data.json`: every file with its rows, and what was wrong with them.

There may be a million files. What is known of them comes in parts, each of files of its own, and
of a part only that stays which the report needs: a line for each file, and what all files together
are judged by.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.errors.wording import first_lines
from pipeline.readers.shards import Shard
from pipeline.validation.findings import Findings, Losses, files_of_wrong_rows


@dataclass(frozen=True)
class Files:
    """Some of the files of a run.

    Attributes:
        total: what was found in them together, but for the files themselves.
        wrong: those that do not have the rows that a manifest lists: path, and a line that says so.
        lines: path of each file, and what the report says of it in UTF-8; sorted.
    """

    total: Findings
    wrong: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, findings: Mapping[str, Findings]) -> Files:
        """Files by path, all that was found in each."""
        total = Findings.total(findings.values())
        lines = tuple(
            (shard.path, _text(_file(shard, findings[shard.path])))
            for shard in sorted(total.shards)
        )
        judged = replace(total, shards=frozenset(), unverified=frozenset())
        return cls(judged, tuple(files_of_wrong_rows(findings)), lines)


def row_problems(parts: Iterable[Files]) -> list[str]:
    """The files that do not have the rows that a manifest lists, a line each."""
    return first_lines([line for _, line in heapq.merge(*(part.wrong for part in parts))])


def data_bytes(
    parts: Sequence[Files], total: Findings, problems: Sequence[str], notes: Sequence[str]
) -> bytes:
    """The bytes of data.json: a line for each file, by path.

    Args:
        parts: the files.
        total: what was found in all of them.
        problems: why the data must not be reported on.
        notes: what else there is to know of them.
    """
    head = {
        "problems": list(problems),
        "notes": list(notes),
        "rows": {"read": total.rows, "evaluated": total.kept},
        "bad_rows": _bad(total),
        "first_bad_rows": [
            {"path": row.path, "row": row.row, "head": row.head, "reason": row.reason}
            for row in total.examples
        ],
    }
    # Without the bracket that closes it.
    chunks = [_text(head, indent=1)[:-2], b',\n "shards": [']
    separator = b"\n  "
    for _, line in heapq.merge(*(part.lines for part in parts)):
        chunks += separator, line
        separator = b",\n  "
    return b"".join([*chunks, b"\n ]\n}\n"])


def _text(data: dict[str, Any], indent: int | None = None) -> bytes:
    return json.dumps(data, indent=indent, ensure_ascii=False).encode()


def _file(shard: Shard, findings: Findings) -> dict[str, Any]:
    return {
        "path": shard.path,
        "bytes": shard.bytes,
        "format": shard.format,
        "page_checksums": None
        if shard.format != "parquet"
        else shard.path not in findings.unverified,
        "rows": findings.rows,
        "evaluated": findings.kept,
        "bad_rows": _bad(findings),
        "lost": _lost(findings.lost.get(shard.path)),
        "failure": findings.failures.get(shard.path),
    }


def _bad(findings: Findings) -> list[dict[str, Any]]:
    return [
        {"head": head, "reason": reason, "rows": count}
        for (head, reason), count in sorted(findings.bad.items())
    ]


def _lost(losses: Losses | None) -> dict[str, Any] | None:
    if losses is None:
        return None
    first = losses.first
    return {
        "records": losses.records,
        "bytes": losses.bytes,
        "rest": losses.rest,
        "first": {"row": first.row, "byte": first.offset, "reason": first.reason},
    }
