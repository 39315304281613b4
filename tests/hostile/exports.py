"""Makes hostile exports and bundles.

Each maker changes the export in a folder; no file is larger than a few MB on disk.
"""

import asyncio
import io
import json
import os
import shutil
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.exports import MANIFEST_FILE, export_topics
from judge.season import SEASON_TOPICS
from ledger.audit.seal import seal
from ledger.audit.sources import RecordSource

EVENTS = topics.EVENTS.name
FILE = f"{EVENTS}.parquet"
RECORDS_PER_TOPIC = 12

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A hostile file.

    Attributes:
        name: The name of the case. make: writes the file into a folder.
        expected: A pattern of the line that refuses it.
    """

    name: str
    make: Make
    expected: str


def make_export(folder: Path) -> Path:
    """Write an honest export with a few records in each topic that a report reads."""

    async def write() -> None:
        bus = MemoryBus()
        await bus.start()
        await bus.ensure_topics([topics.spec_of(topic) for topic in SEASON_TOPICS])
        for topic in SEASON_TOPICS:
            bus.cluster.logs[topic, 0] = [
                Record(topic, 0, offset, 1_000 + offset, b"key", b"{}", {"type": b"Nothing"})
                for offset in range(RECORDS_PER_TOPIC)
            ]
        await export_topics(bus, folder, SEASON_TOPICS)

    asyncio.run(write())
    return folder


def make_bundle(records: Path, folder: Path) -> Path:
    """Write an honest sealed bundle of an export."""
    seal(RecordSource("honest", records), folder)
    return folder


def change_manifest(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change a manifest as JSON."""
    path = folder / MANIFEST_FILE
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def naming(name: str) -> Make:
    """Return a maker of a manifest that names another file for the account log."""
    return lambda folder: change_manifest(
        folder,
        lambda found: found["topics"][EVENTS].update(file=name),  # type: ignore[index]
    )


def linking(target: str) -> Make:
    """Return a maker of an export whose account log is a link."""

    def make(folder: Path) -> None:
        (folder / FILE).unlink()
        (folder / FILE).symlink_to(target)

    return make


def spanning(**values: object) -> Make:
    """Return a maker of a manifest with other offsets of the account log."""

    def change(found: dict[str, object]) -> None:
        found["topics"][EVENTS]["partitions"]["0"].update(values)  # type: ignore[index]

    return lambda folder: change_manifest(folder, change)


def holding(text: str | bytes, name: str = MANIFEST_FILE) -> Make:
    """Return a maker of a file with other bytes."""

    def make(folder: Path) -> None:
        content = text.encode() if isinstance(text, str) else text
        (folder / name).write_bytes(content)

    return make


def sparse(name: str, size_bytes: int) -> Make:
    """Return a maker of a huge sparse file."""
    return lambda folder: os.truncate(_empty(folder / name), size_bytes)


def _empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def pipe(folder: Path) -> None:
    """Replace a file by a pipe that no process writes to."""
    (folder / FILE).unlink()
    os.mkfifo(folder / FILE)


def unix_socket(folder: Path) -> None:
    """Replace a file by a socket; it is bound by a short name, since its path may be too long."""
    (folder / FILE).unlink()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as found:
            found.bind(FILE)
    finally:
        os.chdir(before)


def directory(folder: Path) -> None:
    """Replace a file by a folder."""
    (folder / FILE).unlink()
    (folder / FILE).mkdir()


def same_file_twice(folder: Path) -> None:
    """Name the same file for two topics."""

    def change(found: dict[str, object]) -> None:
        held = found["topics"]
        assert isinstance(held, dict)
        held["agent.turns"]["file"] = FILE

    change_manifest(folder, change)


def rows(name: str, values: list[object] | None) -> Make:
    """Return a maker of an account log with a changed column; None removes it."""

    def make(folder: Path) -> None:
        table = pq.read_table(folder / FILE)
        if values is None:
            table = table.drop_columns([name])
        else:
            index = table.schema.get_field_index(name)
            table = table.set_column(index, name, pa.array(values))
        pq.write_table(table, folder / FILE)

    return make


def wide(folder: Path) -> None:
    """Write a file with thousands of columns."""
    table = pa.table({f"c{number}": pa.array([1]) for number in range(3_000)})
    pq.write_table(table, folder / FILE)


def duplicate_column(folder: Path) -> None:
    """Write a file with two columns of one name."""
    table = pq.read_table(folder / FILE)
    pq.write_table(table.append_column("offset", table["offset"]), folder / FILE)


def value_table(values: pa.Array) -> pa.Table:
    """Return rows of an export with these values."""
    count = len(values)
    schema = pa.schema(
        [
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("timestamp_ms", pa.int64(), nullable=False),
            pa.field("key", pa.binary()),
            pa.field("headers", pa.map_(pa.string(), pa.binary()), nullable=False),
            pa.field("value", values.type),
        ]
    )
    columns = [
        pa.array([0] * count, pa.int32()),
        pa.array(range(count), pa.int64()),
        pa.array([0] * count, pa.int64()),
        pa.array([b"k"] * count, pa.binary()),
        pa.array([[]] * count, pa.map_(pa.string(), pa.binary())),
        values,
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def zeros(groups: int, size_bytes: int) -> Make:
    """Return a maker of a small file that unpacks to any size: row groups of zeros."""
    return lambda folder: (folder / FILE).write_bytes(_zeros(groups, size_bytes))


@cache
def _zeros(groups: int, size_bytes: int) -> bytes:
    table = value_table(pa.array([bytes(size_bytes)], pa.binary()))
    target = io.BytesIO()
    with pq.ParquetWriter(target, table.schema, compression="zstd", use_dictionary=False) as writer:
        for _ in range(groups):
            writer.write_table(table)
    return target.getvalue()


def one_value_often(folder: Path) -> None:
    """Write a dictionary with one value of 2 MB, and 8,000 rows that refer to it: 16 GB."""
    indices = pa.array([0] * 8_000, pa.int32())
    values = pa.DictionaryArray.from_arrays(indices, pa.array([bytes(2 << 20)], pa.binary()))
    pq.write_table(
        value_table(values),
        folder / FILE,
        compression="zstd",
        store_schema=False,
        dictionary_pagesize_limit=8 << 20,
    )


def prefixes(folder: Path) -> None:
    """Write values that each repeat a megabyte of the previous one, in a few bytes."""
    table = value_table(pa.array([bytes(1 << 20)] * 20, pa.binary()))
    encodings = {"value": "DELTA_BYTE_ARRAY"}
    pq.write_table(
        table, folder / FILE, compression="zstd", use_dictionary=False, column_encoding=encodings
    )


def lying_page(folder: Path) -> None:
    """Write a page of 4 MB whose header says 60 MB."""
    zeros(1, 4 << 20)(folder)
    _change_page_size(folder / FILE, lambda size: _varint(60 << 20))


def negative_page(folder: Path) -> None:
    """Write a page whose header has a negative size."""
    zeros(1, 4 << 20)(folder)
    _change_page_size(folder / FILE, lambda size: _leb(size * 2 - 1))


def _change_page_size(path: Path, new: Callable[[int], bytes]) -> None:
    """Change the uncompressed size in the header of the 4 MB page; the footer stays unchanged."""
    content = path.read_bytes()
    for size in range(4 << 20, (4 << 20) + 32):
        if (at := content.find(b"\x15" + _varint(size))) >= 0:
            changed = new(size)
            assert len(_varint(size)) == len(changed), "the footer refers to offsets"
            path.write_bytes(content[: at + 1] + changed + content[at + 1 + len(changed) :])
            return
    raise AssertionError("the page does not have the expected size")


def _varint(number: int) -> bytes:
    """Encode a number like Thrift."""
    return _leb(number * 2)


def _leb(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def negative_rows(folder: Path) -> None:
    """Write a footer with -12 rows."""
    content = (folder / FILE).read_bytes()
    rows_field = b"\x16" + _leb(2 * RECORDS_PER_TOPIC) + b"\x19"
    assert content.count(rows_field) >= 1, "the footer has changed"
    minus = b"\x16" + _leb(2 * RECORDS_PER_TOPIC - 1) + b"\x19"
    (folder / FILE).write_bytes(content.replace(rows_field, minus))


def many_rows(folder: Path) -> None:
    """Write a footer whose number of rows differs from its row groups."""
    content = (folder / FILE).read_bytes()
    rows_field = b"\x16" + _leb(2 * RECORDS_PER_TOPIC) + b"\x19"
    more = b"\x16" + _leb(2 * RECORDS_PER_TOPIC + 2) + b"\x19"
    (folder / FILE).write_bytes(content.replace(rows_field, more, 1))


def footer(content: bytes) -> Make:
    """Return a maker of a file with only a footer."""
    length = struct.pack("<I", len(content))
    return holding(b"PAR1" + content + length + b"PAR1", FILE)


def footer_of_structs(count: int) -> bytes:
    """Return FileMetaData whose schema is a list of empty structs of one byte each."""
    return b"\x15\x04\x19\xfc" + _leb(count) + bytes(count) + b"\x00"


def huge_footer_length(folder: Path) -> None:
    """Write a footer length of 2 GB."""
    content = bytearray((folder / FILE).read_bytes())
    content[-8:-4] = struct.pack("<I", 2**31 - 1)
    (folder / FILE).write_bytes(bytes(content))


def cut(share: float) -> Make:
    """Return a maker of a truncated Parquet file."""

    def make(folder: Path) -> None:
        content = (folder / FILE).read_bytes()
        (folder / FILE).write_bytes(content[: int(len(content) * share)])

    return make


def garbled(folder: Path) -> None:
    """Change bytes of the pages."""
    content = bytearray((folder / FILE).read_bytes())
    for at in range(8, len(content) // 2, 3):
        content[at] ^= 0x5A
    (folder / FILE).write_bytes(bytes(content))


def deep(depth: int) -> str:
    """Return deeply nested JSON."""
    return '{"format":1,"topics":' + "[" * depth + "]" * depth + "}"


def copy_of(source: Path, target: Path) -> Path:
    """Return a copy to be made hostile."""
    return Path(shutil.copytree(source, target))


EXPORTS = (
    Case("names /dev/zero", naming("/dev/zero"), "not a plain name"),
    Case("names the parent's file", naming("../../etc/passwd"), "not a plain name"),
    Case("names the parent", naming(".."), "not a plain name"),
    Case("names nothing", naming(""), "not a plain name"),
    Case("names a NUL", naming("a\0b"), "not a plain name"),
    Case("names a long name", naming("a" * 5_000), "not a plain name"),
    Case("link to /dev/zero", linking("/dev/zero"), "outside"),
    Case("link to /dev/random", linking("/dev/random"), "outside"),
    Case("link to memory", linking("/proc/self/mem"), "outside"),
    Case("link to a file outside", linking("/etc/passwd"), "outside"),
    Case("link to itself", linking(FILE), "link to itself|cannot be read"),
    Case("link to nothing", linking("nothing"), "No such file"),
    Case("pipe", pipe, "a pipe"),
    Case("socket", unix_socket, "a socket"),
    Case("folder", directory, "a folder"),
    Case("one file twice", same_file_twice, "named by 2 topics"),
    Case("negative first", spanning(first=-5), "first"),
    Case("end before first", spanning(first=9, end=3), "from offset 9 to 3"),
    Case("too many records", spanning(count=2**62), "from offset 0"),
    Case("offsets above 64 bits", spanning(end=2**70), "end"),
    Case("deep JSON", holding(deep(100_000)), "cannot be read"),
    Case("huge number", holding('{"format":' + "9" * 100_000 + "}"), "cannot be read"),
    Case("not JSON", holding(b"\xff\xfe\x00"), "cannot be read"),
    Case("newer format", lambda f: change_manifest(f, lambda d: d.update(format=99)), "format 99"),
    Case("huge manifest", sparse(MANIFEST_FILE, 1 << 40), "limit"),
    Case("sparse Parquet", sparse(FILE, 1 << 42), "limit"),
    Case("empty Parquet", holding(b"", FILE), "not a Parquet file"),
    Case("text for Parquet", holding(b"hello " * 99, FILE), "does not end like a Parquet"),
    Case("cut", cut(0.6), "does not end like a Parquet"),
    Case("garbled", garbled, "cannot be read"),
    Case("huge footer length", huge_footer_length, "does not end like a Parquet"),
    Case("garbage footer", footer(os.urandom(100)), "cannot be read"),
    Case("deep footer", footer(b"\x1c" * 5_000), "deep"),
    Case("footer of structs", footer(footer_of_structs(900_000)), "structs"),
    Case("large footer", footer(bytes(2 << 20)), "footer of"),
    Case("negative rows", negative_rows, "cannot be read"),
    Case("other rows than its groups", many_rows, "cannot be read"),
    Case("missing column", rows("value", None), "0 columns value"),
    Case("wrong type", rows("offset", ["x"] * RECORDS_PER_TOPIC), "offset of string"),
    Case("column twice", duplicate_column, "2 columns offset"),
    Case("3,000 columns", wide, "limit"),
    Case("pages of zeros", zeros(20, 16 << 20), "limit"),
    Case("page of 40 MB", zeros(1, 40 << 20), "limit"),
    Case("one value often", one_value_often, "limit|is not in its manifest"),
    Case("prefixes", prefixes, "DELTA_BYTE_ARRAY"),
    Case("lying page", lying_page, "page that unpacks to"),
    Case("negative page", negative_page, "cannot be read"),
)
"""Hostile exports; `audit verify` and `compete report` refuse each."""
