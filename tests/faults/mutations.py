"""Ways to change the files of a finished run, made from a seed.

A mutation changes files in place, and returns the name of the file that it changed.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from heads.statistics import State
from heads.statistics.codec import decode, encode
from heads.statistics.exact import ExactColumn

Rng = np.random.Generator
Files = dict[str, bytes]

SUCCESS, MANIFEST, REPORT, STATES = "_SUCCESS", "manifest.json", "report.json", "states.zip"
GATES, MARK, DATA = "gates.json", "BLESSED", "data.json"
ALL = (SUCCESS, MANIFEST, REPORT, STATES, GATES, MARK, DATA)
"""The files that commands read."""
SLICES = "slices.json"


@dataclass(frozen=True)
class Scene:
    """What a mutation works on.

    Attributes:
        rng: makes its choices.
        files: the files of the run by name, to be changed in place.
        other: those of another run.
        elsewhere: a path that no command may open.
    """

    rng: Rng
    files: Files
    other: Files
    elsewhere: str

    def pick(self, items: Any) -> Any:
        return items[int(self.rng.integers(len(items)))]


Mutation = Callable[[Scene], str]
MUTATIONS: dict[str, Mutation] = {}


def mutation(function: Mutation) -> Mutation:
    """Registers a mutation under the name of its function."""
    MUTATIONS[function.__name__] = function
    return function


# --- bytes --------------------------------------------------------------------------------------

Change = Callable[[Rng, bytearray], bytes]


def of_bytes(change: Change) -> Change:
    """Registers a change of the bytes of any file that has more than one."""

    def mutate(scene: Scene) -> str:
        name: str = scene.pick([name for name in ALL if name != MARK])
        scene.files[name] = bytes(change(scene.rng, bytearray(scene.files[name])))
        return name

    MUTATIONS[change.__name__] = mutate
    return change


def place(rng: Rng, content: bytes) -> int:
    return int(rng.integers(len(content)))


@of_bytes
def flip_a_bit(rng: Rng, content: bytearray) -> bytes:
    content[place(rng, content)] ^= 1 << int(rng.integers(8))
    return content


@of_bytes
def flip_many_bits(rng: Rng, content: bytearray) -> bytes:
    for _ in range(50):
        flip_a_bit(rng, content)
    return content


@of_bytes
def cut_short(rng: Rng, content: bytearray) -> bytes:
    return content[: place(rng, content)]


@of_bytes
def cut_the_end(rng: Rng, content: bytearray) -> bytes:
    return content[: -int(rng.integers(1, 30))]


@of_bytes
def append(rng: Rng, content: bytearray) -> bytes:
    ends = (b"\n", b" ", b"\0", b"}", b"{}", b"PK\5\6" + bytes(18))
    return content + ends[int(rng.integers(len(ends)))]


@of_bytes
def insert(rng: Rng, content: bytearray) -> bytes:
    at = place(rng, content)
    return content[:at] + rng.bytes(int(rng.integers(1, 9))) + content[at:]


@of_bytes
def remove(rng: Rng, content: bytearray) -> bytes:
    at = place(rng, content)
    return content[:at] + content[at + int(rng.integers(1, 9)) :]


@of_bytes
def repeat(rng: Rng, content: bytearray) -> bytes:
    at = place(rng, content)
    return content[:at] + content[max(0, at - 200) : at] + content[at:]


@of_bytes
def zeros(rng: Rng, content: bytearray) -> bytes:
    at = place(rng, content)
    content[at : at + 64] = bytes(len(content[at : at + 64]))
    return content


@of_bytes
def another_case(rng: Rng, content: bytearray) -> bytes:
    """Letters of hexadecimal numbers and of names, which may be compared without regard to it."""
    letters = [found.start() for found in re.finditer(rb"[a-fA-F]", content)]
    content[letters[int(rng.integers(len(letters)))]] ^= 32
    return content


@of_bytes
def another_space(rng: Rng, content: bytearray) -> bytes:
    spaces = [found.start() for found in re.finditer(rb"[ \n]", content)]
    content[spaces[int(rng.integers(len(spaces)))]] ^= ord(" ") ^ ord("\n")
    return content


@of_bytes
def a_few_bytes(rng: Rng, content: bytearray) -> bytes:
    contents = (b"", b"\n", b"{}", b"[]", b"null", b"PK", b"\xff\xfe", b"1", b'""')
    return contents[int(rng.integers(len(contents)))]


@mutation
def file_of_another_run(scene: Scene) -> str:
    name: str = scene.pick(ALL)
    scene.files[name] = scene.other[name]
    return name


# --- JSON ---------------------------------------------------------------------------------------

ODD = (None, True, False, 0, -1, 1, 2, 10**30, 0.5, -0.0, 1e308, -1e308, 5e-324, "", "x", "../x")
ODD += ("binary", "\x1b[2J", [], {}, [[]], [None], {"": None}, {"value": None}, {"value": 1.0})
TEXTS = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b'"\\ud800"', b"[" * 3000, b"9" * 5000)
TEXTS += (b"[" * 150 + b"]" * 150, b'{"a":' * 500, b"1.", b"'x'", b"0x1", b'{"a": 1, "a": 2}')

Steps = tuple[Any, ...]


def paths(data: Any, path: Steps = ()) -> list[Steps]:
    """The places in data; of long lists and mappings only some."""
    found = [path]
    items: list[tuple[Any, Any]] = list(data.items()) if isinstance(data, dict) else []
    if isinstance(data, list):
        items = list(enumerate(data))
    for key, value in items[:: max(1, len(items) // 12)]:
        found += paths(value, (*path, key))
    return found


def at(data: Any, path: Steps) -> Any:
    for step in path:
        data = data[step]
    return data


def put(data: Any, path: Steps, value: Any) -> Any:
    if not path:
        return deepcopy(value)
    at(data, path[:-1])[path[-1]] = deepcopy(value)
    return data


def change_data(scene: Scene, data: Any) -> Any:
    """Data with a change at a random place."""
    path = scene.pick(paths(data))
    old = at(data, path)
    holder = at(data, path[:-1]) if path else None
    kind = int(scene.rng.integers(8))
    if kind == 0 and path:
        del holder[path[-1]]
    elif kind == 1 and isinstance(holder, dict):
        holder[f"{path[-1]}x"] = holder.pop(path[-1])
    elif kind == 2 and isinstance(old, list):
        old += old[:1]
    elif kind == 3 and isinstance(old, list):
        old.reverse()
    elif kind == 4 and isinstance(old, int | float):
        scaled = old * scene.pick((-1, 0.5, 10, 1e300, 1 + 1e-12))
        return put(data, path, type(old)(scaled) if abs(scaled) < 1e300 else 1e300)
    elif kind == 5 and isinstance(old, dict):
        old["another"] = deepcopy(scene.pick(ODD))
    elif kind == 6:
        return put(data, path, at(data, scene.pick(paths(data))))
    else:
        return put(data, path, scene.pick(ODD))
    return data


def as_json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")


@mutation
def data_of_the_report(scene: Scene) -> str:
    scene.files[REPORT] = as_json(change_data(scene, json.loads(scene.files[REPORT])))
    return REPORT


@mutation
def many_data_of_the_report(scene: Scene) -> str:
    for _ in range(5):
        data_of_the_report(scene)
    return REPORT


@mutation
def configuration_of_the_report(scene: Scene) -> str:
    data = json.loads(scene.files[REPORT])
    data["config"] = change_data(scene, data["config"])
    scene.files[REPORT] = as_json(data)
    return REPORT


@mutation
def what_the_terminal_shows(scene: Scene) -> str:
    data = json.loads(scene.files[REPORT])
    head = scene.pick(list(data["heads"].values()))
    part = scene.pick([head, head["slices"][0], scene.pick(head["slices"][:3])])
    key = scene.pick(sorted(part))
    part[key] = change_data(scene, part[key])
    scene.files[REPORT] = as_json(data)
    return REPORT


@mutation
def value_of_the_report(scene: Scene) -> str:
    text = scene.files[REPORT]
    spot = scene.pick([found.end() for found in re.finditer(rb'"value": 0\.', text)])
    digit = b"2" if text[spot : spot + 1] == b"1" else b"1"
    scene.files[REPORT] = text[:spot] + digit + text[spot + 1 :]
    return REPORT


@mutation
def data_of_the_gates(scene: Scene) -> str:
    scene.files[GATES] = as_json(change_data(scene, json.loads(scene.files[GATES])))
    return GATES


@mutation
def mark_of_the_gates(scene: Scene) -> str:
    scene.files[MARK] = scene.pick((b"", b"\n\n", b"\r\n", b" ", b"x", b"\0" * 5000))
    return MARK


@mutation
def verdict_of_the_gates(scene: Scene) -> str:
    data = json.loads(scene.files[GATES])
    data["passed"] = not data["passed"]
    scene.files[GATES] = as_json(data)
    return GATES


@mutation
def data_of_the_manifest(scene: Scene) -> str:
    scene.files[MANIFEST] = as_json(change_data(scene, json.loads(scene.files[MANIFEST])))
    return MANIFEST


@mutation
def data_of_success(scene: Scene) -> str:
    scene.files[SUCCESS] = as_json(change_data(scene, json.loads(scene.files[SUCCESS]))) + b"\n"
    return SUCCESS


def json_of(scene: Scene, name: str) -> bytes:
    """The JSON of a file; that of the archive is its table of slices."""
    return member(scene.files[STATES], SLICES) if name == STATES else scene.files[name]


def put_json(scene: Scene, name: str, content: bytes) -> str:
    if name == STATES:
        put_members(scene, {SLICES: content})
    else:
        scene.files[name] = content
    return name


@mutation
def text_of_json(scene: Scene) -> str:
    """What JSON does not allow, or Python does not hold."""
    name = scene.pick((MANIFEST, REPORT, STATES, GATES))
    data = json.loads(json_of(scene, name))
    changed = as_json(put(data, scene.pick(paths(data)), "<here>"))
    return put_json(scene, name, changed.replace(b'"<here>"', scene.pick(TEXTS)))


@mutation
def versions(scene: Scene) -> str:
    name = scene.pick((MANIFEST, REPORT, STATES, GATES))
    if name == STATES and scene.rng.random() < 0.5:
        state, content = a_state(scene)
        version = struct.pack("<H", scene.pick((0, 1, 3, 99)))
        return put_members(scene, {state: content[:4] + version + content[6:]})
    keys = {MANIFEST: "headcount_manifest", REPORT: "headcount_report", STATES: "headcount_states"}
    keys[GATES] = "headcount_gates"
    data = json.loads(json_of(scene, name))
    data[keys[name]] = scene.pick((0, 1, 3, 99, -1, 2.0, "2", True, None))
    return put_json(scene, name, as_json(data))


@mutation
def paths_in_the_report(scene: Scene) -> str:
    data = json.loads(scene.files[REPORT])
    places = ("input", "output", "input_manifest", "schema_file", "problem_statement")
    name = scene.pick(places)
    data["config"][name] = [scene.elsewhere] if name == "input" else scene.elsewhere
    if scene.rng.random() < 0.3:
        head = scene.pick(list(data["config"]["heads"].values()))
        head["label"]["vocabulary"] = scene.elsewhere
    scene.files[REPORT] = as_json(data)
    return REPORT


# --- the archive --------------------------------------------------------------------------------


def member(archive: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read(name)


def states_of(archive: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return [name for name in opened.namelist() if name != SLICES]


def a_state(scene: Scene) -> tuple[str, bytes]:
    name = scene.pick(states_of(scene.files[STATES]))
    return name, member(scene.files[STATES], name)


def put_members(
    scene: Scene, changed: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED
) -> str:
    """Puts members into the archive, and takes out those that are None."""
    with zipfile.ZipFile(io.BytesIO(scene.files[STATES])) as opened:
        members: dict[str, bytes | None] = {name: opened.read(name) for name in opened.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as written:
        for name, content in (members | changed).items():
            if content is not None:
                written.writestr(zipfile.ZipInfo(name), content, compression)
    scene.files[STATES] = stream.getvalue()
    return STATES


@mutation
def data_of_the_slices(scene: Scene) -> str:
    return put_json(scene, STATES, as_json(change_data(scene, json.loads(json_of(scene, STATES)))))


@mutation
def lost_state(scene: Scene) -> str:
    return put_members(scene, {a_state(scene)[0]: None})


@mutation
def renamed_state(scene: Scene) -> str:
    name, content = a_state(scene)
    head, model, digest, partition = name.split("/")
    second = a_state(scene)[0].split("/")
    names = (
        f"{second[0]}/{model}/{digest}/{partition}",
        f"{head}/{second[1]}/{second[2]}/{partition}",
        f"{head}/{model}/{digest}/7",
        f"{head}/{model}/{digest}/0{partition}",
        f"{head}/9{model}/{digest}/{partition}",
        f"../{head}/{digest}/{partition}",
        f"/{name}",
        "/etc/passwd",
        f"{name}/x",
        f"{head}/{'9' * 5000}/{digest}/{partition}",
    )
    return put_members(scene, {name: None, scene.pick(names): content})


@mutation
def state_twice(scene: Scene) -> str:
    name, content = a_state(scene)
    series, _, partition = name.rpartition("/")
    return put_members(scene, {f"{series}/{int(partition) + 50}": content})


@mutation
def state_of_another_run(scene: Scene) -> str:
    common = sorted({*states_of(scene.files[STATES])} & {*states_of(scene.other[STATES])})
    name = scene.pick(common or states_of(scene.other[STATES]))
    return put_members(scene, {name: member(scene.other[STATES], name)})


@mutation
def compressed_members(scene: Scene) -> str:
    methods = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return put_members(scene, {}, scene.pick(methods))


@mutation
def bomb(scene: Scene) -> str:
    """A member that unpacks to a thousand times its size."""
    name = scene.pick((SLICES, a_state(scene)[0], "h/0/0000000000000000/0"))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
        for kept in (SLICES, *states_of(scene.files[STATES])):
            if kept != name:
                written.writestr(kept, member(scene.files[STATES], kept))
        block = scene.pick((bytes(1 << 24), b"[" * (1 << 24), b"[]," * (1 << 22)))
        with written.open(name, "w") as target:
            for _ in range(25):
                target.write(block)
    scene.files[STATES] = stream.getvalue()
    return STATES


@mutation
def many_members(scene: Scene) -> str:
    """A directory of many states, for which there is no more."""
    number = scene.pick((60_000, 200_000))
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *[0] * 11, 26, *[0] * 6)
    body = b"".join(entry + b"h/0/0123456789abcdef/%05x" % place for place in range(number))
    counts = [number & 0xFFFF] * 2
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *counts, len(body), 0, 0)
    scene.files[STATES] = body + end
    return STATES


@mutation
def directory_of_the_archive(scene: Scene) -> str:
    """Another flag, method, checksum, size, length of a name or place of a member."""
    content = bytearray(scene.files[STATES])
    start = scene.pick([found.start() for found in re.finditer(rb"PK\x01\x02", content)])
    fields = ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4))
    offset, width = scene.pick(fields)
    number = scene.pick((0, 1, 8, 99, (1 << 8 * width) - 1, 1 << (8 * width - 1)))
    content[start + offset : start + offset + width] = number.to_bytes(width, "little")
    if offset in (20, 24):
        content[start + 20 : start + 28] = struct.pack("<2L", number, number)
    scene.files[STATES] = bytes(content)
    return STATES


@mutation
def archive_in_junk(scene: Scene) -> str:
    scene.files[STATES] = scene.rng.bytes(int(scene.rng.integers(1, 100))) + scene.files[STATES]
    return STATES


# --- states -------------------------------------------------------------------------------------

_PREFIX = struct.Struct("<4sHII")


def parts_of(content: bytes) -> tuple[Any, bytes]:
    """The header and the columns of an encoded state."""
    end = _PREFIX.size + _PREFIX.unpack_from(content)[2]
    return json.loads(content[_PREFIX.size : end]), content[end:]


def packed(header: Any, body: bytes) -> bytes:
    """An encoded state with a checksum that fits."""
    text = as_json(header)
    return _PREFIX.pack(b"HCST", 2, len(text), zlib.crc32(text + body)) + text + body


@mutation
def header_of_a_state(scene: Scene) -> str:
    name, content = a_state(scene)
    header, body = parts_of(content)
    return put_members(scene, {name: packed(change_data(scene, header), body)})


@mutation
def columns_of_a_state(scene: Scene) -> str:
    """Columns of other lengths and widths than there are bytes for, or very many."""
    name, content = a_state(scene)
    header, body = parts_of(content)
    column = scene.pick(header["columns"])
    sizes = (-1, 0, 1, 2, 7, 8, 9, 1 << 40, 1 << 62, 1.0)
    column[int(scene.rng.integers(1, 3))] = scene.pick(sizes)
    if scene.rng.random() < 0.2:
        header["columns"] += [["limb:weight", 0, 1]] * 100_000
    return put_members(scene, {name: packed(header, body)})


@mutation
def bytes_of_a_state(scene: Scene) -> str:
    name, content = a_state(scene)
    header, body = parts_of(content)
    changed = bytearray(body)
    for _ in range(int(scene.rng.integers(1, 20)) if changed else 0):
        changed[place(scene.rng, changed)] = int(scene.rng.integers(256))
    return put_members(scene, {name: packed(header, bytes(changed))})


@mutation
def numbers_of_a_state(scene: Scene) -> str:
    """Numbers that a state may have, but that no rows gave it."""
    name, content = a_state(scene)
    # A state that was changed before may no longer be one that rows could give.
    state = decode(content, trusted=True)
    if len(state):
        state = other_numbers(scene, state)
    return put_members(scene, {name: encode(state)})


@mutation
def numbers_of_many_states(scene: Scene) -> str:
    for _ in range(8):
        numbers_of_a_state(scene)
    return STATES


def other_numbers(scene: Scene, state: State) -> State:
    kind = int(scene.rng.integers(6))
    rows = state.counts["rows"].copy()
    if kind == 0:
        large = (1, 1 << 20, 1 << 40, 1 << 62, (1 << 63) - 1)
        rows[place(scene.rng, rows)] = scene.pick(large)
        return replace(state, counts={"rows": rows})
    if kind == 1:
        rows[:] = scene.pick((1, 1 << 30, 1 << 62))
        return replace(state, counts={"rows": rows})
    if kind == 2:
        condition = (scene.pick(("a", "zz")), "string", scene.pick(("x", None, 3, True)))
        return replace(state, keys=(*state.keys[:-1], (condition,)))
    if kind == 3:
        cell = state.cell.copy()
        cell[-1] = state.statistic.cell_limit(state.shift) - 1
        return replace(state, cell=cell)
    sums = dict(state.sums)
    for value in sums if kind == 4 else sorted(sums)[:1]:
        digits = np.zeros((len(rows), int(scene.rng.integers(1, 4))), np.int64)
        digits[:, [0, -1]] = scene.pick((1, -1, (1 << 35) - 1, -(1 << 35)))
        specials = np.zeros((len(rows), scene.pick((0, 3))), np.int64)
        specials[:1] = 1
        sums[value] = ExactColumn(int(scene.pick((-30, -2, 0, 20, 29))), digits, specials)
    return replace(state, sums=sums)
