"""Writes the data report, `data.json`: every file with its rows, and what was wrong with them.

A run may have a million files. Their findings come in parts; no two parts hold the same file. Of a
part, `Files` keeps only what the report needs: a line for each file, and the findings by which all
files together are judged.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.errors.wording import first_of_kinds
from pipeline.readers.shards import Shard
from pipeline.validation.contents import FileContents, copy_lines
from pipeline.validation.findings import Findings, Losses, files_of_wrong_rows


@dataclass(frozen=True)
class Files:
    """A part of the files of a run, with what the data report says of them.

    Attributes:
        total: the findings of these files together, without `shards` and `unverified`.
        wrong: the files that do not have as many rows as a manifest lists: pairs of the path and a
            line that says so, sorted by path.
        contents: what the files hold, of those that were read to their end, sorted.
        lines: pairs of the path of a file and the line of `data.json` about it, in UTF-8, sorted by
            path.
    """

    total: Findings
    wrong: tuple[tuple[str, str], ...]
    contents: tuple[FileContents, ...]
    lines: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, findings: Mapping[str, Findings]) -> Files:
        """Returns the files of a part.

        Args:
            findings: for the path of each file, all that was found in it.
        """
        total = Findings.total(
            file.of_one_file() if path and file.bad else file for path, file in findings.items()
        )
        lines = tuple(
            (shard.path, _json_bytes(_file_data(shard, findings[shard.path])))
            for shard in sorted(total.shards)
        )
        judged = replace(total, shards=frozenset(), unverified=frozenset())
        contents = sorted(
            FileContents.of(shard.path, shard.bytes, file.rows, file.contents)
            for shard in total.shards
            if (file := findings[shard.path]).rows and not file.failures
        )
        return cls(judged, tuple(files_of_wrong_rows(findings)), tuple(contents), lines)


def row_problems(parts: Iterable[Files]) -> list[str]:
    """Returns a line for each file that does not have as many rows as a manifest lists.

    The lines are sorted by path. Only the first three are returned, and if there are more, a last
    line that says how many.

    Args:
        parts: all files of a run.
    """
    return first_of_kinds([line for _, line in heapq.merge(*(part.wrong for part in parts))])


def copies_in(parts: Sequence[Files], *, allow: bool) -> tuple[list[str], list[str]]:
    """Returns the lines of problems and of notes about files that hold the same rows.

    Args:
        parts: all files of a run.
        allow: whether files may hold the same rows.
    """
    return copy_lines((part.contents for part in parts), allow=allow)


def data_bytes(
    parts: Sequence[Files],
    total: Findings,
    problems: Sequence[str],
    notes: Sequence[str],
    failed_run: str | None = None,
) -> bytes:
    """Returns the bytes of `data.json`, which has a line for each file, sorted by path.

    Args:
        parts: all files of the run.
        total: the findings of all files together.
        problems: the reasons why no report of this data may be published.
        notes: what else users should know of the data.
        failed_run: the identity of a run that ends with this report alone, or None. By it the files
            of a failed run are known, and may be replaced.
    """
    summary = {
        **({} if failed_run is None else {"failed_run": failed_run}),
        "problems": list(problems),
        "notes": list(notes),
        "rows": {"read": total.rows, "evaluated": total.kept},
        "bad_rows": _bad_rows_data(total),
        "first_bad_rows": [
            {
                "path": row.path or None,
                "row": row.row if row.path else None,
                "head": row.head,
                "reason": row.reason,
            }
            for row in total.examples
        ],
    }
    # Its closing bracket is cut off: the files follow as one more field.
    chunks = [_json_bytes(summary, indent=1)[:-2], b',\n "shards": [']
    separator = b"\n  "
    for _, line in heapq.merge(*(part.lines for part in parts)):
        chunks += separator, line
        separator = b",\n  "
    return b"".join([*chunks, b"\n ]\n}\n"])


def _json_bytes(data: dict[str, Any], indent: int | None = None) -> bytes:
    return json.dumps(data, indent=indent, ensure_ascii=False).encode()


def _file_data(shard: Shard, findings: Findings) -> dict[str, Any]:
    """Returns what the report says of one file, as plain data."""
    return {
        "path": shard.path,
        "bytes": shard.bytes,
        "format": shard.format,
        "page_checksums": None
        if shard.format != "parquet"
        else shard.path not in findings.unverified,
        "rows": findings.rows,
        "evaluated": findings.kept,
        "content": f"{findings.contents.digest:016x}" if findings.rows else None,
        "bad_rows": _bad_rows_data(findings),
        "lost": _losses_data(findings.lost.get(shard.path)),
        "failure": findings.failures.get(shard.path),
    }


def _bad_rows_data(findings: Findings) -> list[dict[str, Any]]:
    """Returns how many rows are bad, by head and reason, as plain data."""
    return [
        {"head": head, "reason": reason, "rows": findings.bad[head, reason].rows}
        for head, reason in sorted(findings.bad)
    ]


def _losses_data(losses: Losses | None) -> dict[str, Any] | None:
    """Returns what was left out of a damaged file, as plain data; None if nothing was."""
    if losses is None:
        return None
    first = losses.first
    return {
        "records": losses.records,
        "bytes": losses.bytes,
        "rest": losses.rest,
        "first": {"row": first.row, "byte": first.offset, "reason": first.reason},
    }
