"""The codec of states: a versioned format without pickle, the same bytes for equal states.

Layout, little-endian throughout: the magic, the format version (uint16), the length of the header
(uint32), the CRC-32 of all that follows (uint32), the header (JSON: the stable name of the
statistic, its parameters that are not default, keys, shift, column names and widths), then the
columns. Every integer column is stored in the fewest whole bytes that hold its values; cells are
stored as positions in the list of distinct cells.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import deque
from functools import lru_cache
from typing import Any

import numpy as np

from heads.statistics.exact import ExactColumn, Ints
from heads.statistics.keys import key_text, make_key
from heads.statistics.state import State, limit_cells
from heads.statistics.statistic import STATISTICS, Statistic

MAGIC = b"HCST"
VERSION = 2
MAX_BYTES = 8 << 20
"""No state that crosses a shuffle may be larger: engines fail or hang on larger elements."""

_PREFIX = struct.Struct("<4sHII")

_NATIVE = {1: "<i1", 2: "<i2", 4: "<i4", 8: "<i8"}
"""The integers of these widths, in bytes, that NumPy reads as they are."""


def encode(state: State) -> bytes:
    """Returns the bytes of a state; equal states give equal bytes.

    Raises:
        ValueError: if they are more than `MAX_BYTES`.
    """
    cells, position = np.unique(state.cell, return_inverse=True)
    writer = _Writer()
    writer.put("segment", state.segment)
    writer.put("group", state.group)
    writer.put("cells", cells.view(np.int64))
    writer.put("cell", position.astype(np.int64))
    for name in sorted(state.counts):
        writer.put(f"count:{name}", state.counts[name])
    lows = {}
    for name in sorted(state.sums):
        column = state.sums[name]
        lows[name] = column.low
        for limb in range(column.limbs.shape[1]):
            writer.put(f"limb:{name}", column.limbs[:, limb])
        for special in range(column.specials.shape[1]):
            writer.put(f"special:{name}", column.specials[:, special])
    header = {
        "keys": state.keys,
        "shift": state.shift,
        "lows": lows,
        "columns": writer.columns,
    }
    rest = json.dumps(header, separators=(",", ":"), allow_nan=False)
    text = f"{_statistic_text(state.statistic)[:-1]},{rest[1:]}".encode()
    body = b"".join([text, *writer.parts])
    data = _PREFIX.pack(MAGIC, VERSION, len(text), zlib.crc32(body)) + body
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"A state of {type(state.statistic).__name__} over {len(state.keys)} segments takes"
            f" {len(data):,} bytes, and {MAX_BYTES:,} may cross a shuffle in one piece. Lower the"
            " number of slices or classes."
        )
    return data


def decode(data: bytes, *, digest: str | None = None, trusted: bool = False) -> State:
    """Returns the state that `encode` turned into these bytes.

    It takes at most about 16 times the memory of the bytes.

    Args:
        data: the bytes.
        digest: the digest of the statistic that the state must be of; None for any.
        trusted: whether this program is known to have encoded the bytes. Then only the checksum is
            checked, not whether the state makes sense, which would take half of the time.

    Raises:
        ValueError: if the bytes are no state, are cut short, or have another format version, or if
            the state is of another statistic.
    """
    header, body = _header(data)
    try:
        statistic = _statistic(header)
        if digest is not None and statistic.digest != digest:
            raise _Unreadable("A headcount state is of another statistic than its name says.")
        state = _state(statistic, header, _Reader(data, body, header["columns"]))
        if not trusted:
            _check(state)
    except _Unreadable:
        raise
    except _NONSENSE as error:
        raise _Unreadable(_NO_SENSE) from error
    return state


def encoded_shift(data: bytes) -> int:
    """Returns the shift of an encoded state; raises what `decode` raises for a damaged header."""
    try:
        return _whole(_header(data)[0]["shift"])
    except _Unreadable:
        raise
    except _NONSENSE as error:
        raise _Unreadable(_NO_SENSE) from error


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """Returns the header, and the position of the first byte of the columns."""
    if len(data) > MAX_BYTES:
        raise _Unreadable(f"A headcount state has {len(data):,} bytes, more than {MAX_BYTES:,}.")
    if len(data) < _PREFIX.size or data[:4] != MAGIC:
        raise _Unreadable("These bytes are no headcount state.")
    _, version, length, checksum = _PREFIX.unpack_from(data)
    if version != VERSION:
        release = "a newer release" if version > VERSION else "the release that wrote it"
        raise _Unreadable(
            f"This state has format version {version}, and this release of headcount reads"
            f" {VERSION}. Read it with {release}, or measure it again."
        )
    if zlib.crc32(memoryview(data)[_PREFIX.size :]) != checksum:
        raise _Unreadable("A headcount state is cut short or damaged.")
    body = _PREFIX.size + length
    try:
        header: dict[str, Any] = json.loads(data[_PREFIX.size : body])
    except _NONSENSE as error:
        raise _Unreadable(_NO_SENSE) from error
    return header, body


class _Unreadable(ValueError):
    """The error for bytes that this release cannot read as a state."""


# The errors that a header causes whose types or values are not as `encode` writes them.
_NO_SENSE = "A headcount state has a header that makes no sense."
_NONSENSE = (AttributeError, LookupError, ArithmeticError, RecursionError, TypeError, ValueError)


def _state(statistic: Statistic, header: dict[str, Any], reader: _Reader) -> State:
    segment, group = reader.take("segment"), reader.take("group")
    cells, position = reader.take("cells"), reader.take("cell")
    if position.min(initial=0) < 0:
        raise _Unreadable(_NO_SENSE)
    counts, sums = {"rows": reader.take("count:rows")}, {}
    for name in sorted(statistic.sums):
        limbs = _columns(reader.take_all(f"limb:{name}"), len(segment))
        specials = _columns(reader.take_all(f"special:{name}"), len(segment))
        sums[name] = ExactColumn(_whole(header["lows"][name]), limbs, specials)
    reader.finish()
    keys = tuple(make_key(key) for key in header["keys"])
    cell = cells.view(np.uint64)[position]
    return State(statistic, keys, segment, group, cell, counts, sums, _whole(header["shift"]))


def _check(state: State) -> None:
    """Raises ValueError unless a state is in canonical form, as all encoded states are."""
    columns = [*state.counts.values(), *(column.limbs for column in state.sums.values())]
    columns += [column.specials for column in state.sums.values()]
    neighbours = (slice(1, None), slice(None, -1))
    segment, group, cell = (
        [c[part] for part in neighbours] for c in (state.segment, state.group, state.cell)
    )
    rising = (segment[0] > segment[1]) | (segment[0] == segment[1]) & (
        (group[0] > group[1]) | (group[0] == group[1]) & (cell[0] > cell[1])
    )
    texts = [key_text(key) for key in state.keys]
    canonical = (
        all(len(column) == len(state) for column in [state.group, state.cell, *columns])
        and rising.all()
        and np.array_equal(np.unique(state.segment), np.arange(len(state.keys)))
        and texts == sorted(set(texts))
        and (state.group >= 0).all()
        and (state.group < state.statistic.folds * state.statistic.groups).all()
        and (state.counts["rows"] > 0).all()
        and 0 <= state.shift < 64
        and (state.cell < state.statistic.cell_limit(state.shift)).all()
        and limit_cells(state) is state
        and all(column.is_canonical() for column in state.sums.values())
    )
    if not canonical:
        raise _Unreadable("A headcount state has columns that make no sense.")


@lru_cache(maxsize=256)
def _statistic_text(statistic: Statistic) -> str:
    """Returns the header of a statistic; it is cached, as it may have hundreds of parameters."""
    header = {"statistic": statistic.stable_name, "parameters": statistic.parameters()}
    return json.dumps(header, separators=(",", ":"))


def _statistic(header: dict[str, Any]) -> Statistic:
    name = header["statistic"]
    if name not in STATISTICS:
        raise _Unreadable(
            f"This state is of the statistic {name!r:.80}, which this release of headcount does not"
            " have. Read it with the release that wrote it."
        )
    parameters = {
        field: tuple(value) if isinstance(value, list) else value
        for field, value in header["parameters"].items()
    }
    kind: Any = STATISTICS[name]
    statistic: Statistic = kind(**parameters)
    # Raises TypeError for lists of lists, which no parameter of a statistic is.
    hash(statistic)
    return statistic


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(value)
    return value


def _columns(columns: list[Ints], rows: int) -> Ints:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0), np.int64)


class _Writer:
    """Turns integer columns into bytes, and lists their names, lengths and widths."""

    def __init__(self) -> None:
        self.columns: list[tuple[str, int, int]] = []
        self.parts: list[bytes] = []

    def put(self, name: str, column: Ints) -> None:
        largest = max(int(column.max(initial=0)), ~int(column.min(initial=0)))
        width = (largest.bit_length() + 8) // 8
        self.columns.append((name, len(column), width))
        whole = np.ascontiguousarray(column, "<i8").view(np.uint8).reshape(-1, 8)
        self.parts.append(whole[:, :width].tobytes())


class _Reader:
    """Reads the columns that a `_Writer` wrote, in the same order."""

    def __init__(self, data: bytes, begin: int, columns: list[tuple[str, int, int]]) -> None:
        self._data = data
        self._offset = begin
        self._remaining = deque(
            (name, _whole(rows), _whole(width)) for name, rows, width in columns
        )

    def take(self, name: str) -> Ints:
        stored_name, rows, width = self._remaining.popleft()
        end = self._offset + rows * width
        if stored_name != name or rows < 0 or not 1 <= width <= 8 or end > len(self._data):
            raise _Unreadable("A headcount state is cut short or damaged.")
        stored = np.frombuffer(self._data, np.uint8, rows * width, self._offset).reshape(
            rows, width
        )
        self._offset = end
        if width in _NATIVE:
            return stored.view(_NATIVE[width]).ravel().astype(np.int64)
        whole = np.zeros((rows, 8), np.uint8)
        whole[:, 8 - width :] = stored
        # A shift to the right fills the bytes above with the sign.
        return whole.view("<i8").ravel().astype(np.int64, copy=False) >> 8 * (8 - width)

    def take_all(self, name: str) -> list[Ints]:
        columns = []
        while self._remaining and self._remaining[0][0] == name:
            columns.append(self.take(name))
        return columns

    def finish(self) -> None:
        if self._remaining or self._offset != len(self._data):
            raise _Unreadable("A headcount state is cut short or damaged.")
