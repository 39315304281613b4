"""Makes hostile TOML, candles, recordings and checkpoints; see `tests.hostile.exports`."""

import gzip
import os
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from arena.checkpoint import MAGIC
from tests.hostile.exports import Case, Make, holding, sparse

MEMBER_BYTES = 16 << 20


def sealed_files(payload: bytes) -> bytes:
    """Return a checkpoint with a valid seal."""
    return MAGIC + sha256(payload).digest() + payload


def gzip_zeros(size_bytes: int, name: str) -> Make:
    """Return a maker of a gzip file of zeros: the same small member many times."""

    def make(folder: Path) -> None:
        member = gzip.compress(bytes(MEMBER_BYTES))
        (folder / name).write_bytes(member * (size_bytes // MEMBER_BYTES))

    return make


def toml_bomb(text: str) -> Make:
    """Return a maker of a specification."""
    return holding(text, "ARENA.toml")


TOMLS = (
    Case("50 MB", sparse("ARENA.toml", 50 << 20), "limit"),
    Case("deep array", toml_bomb("a = " + "[" * 100_000), "nested too deep"),
    Case("deep table", toml_bomb("a = " + "{b = " * 3_000), "nested too deep"),
    Case("somewhat deep", toml_bomb("a = " + "[" * 90 + "]" * 90), "more than 32 deep"),
    Case("long key", toml_bomb("a." * 200_000 + "a = 1"), "parts"),
    Case("long quoted key", toml_bomb('"a" . ' * 100_000 + "a = 1"), "parts"),
    Case("long table", toml_bomb("[" + "a." * 200_000 + "a]"), "parts"),
    Case("huge integer", toml_bomb("a = " + "9" * 100_000), "digits"),
    Case("huge hex", toml_bomb("a = 0x" + "f" * 400_000), "digits"),
    Case("huge exponent", toml_bomb("[arena]\ninterval_s = 1e999999999"), "exponent"),
    Case("tiny exponent", toml_bomb("[arena]\ninterval_s = 1e-99999999"), "exponent"),
    Case(
        "many digits",
        toml_bomb("[arena]\ninterval_s = " + "9" * 900 + ".0"),
        "arena|cannot|digits|number",
    ),
    Case("many values", toml_bomb("a = [" + "1," * 210_000 + "]"), "values"),
    Case("NUL", toml_bomb("a = '\0'"), "not valid TOML"),
    Case("not UTF-8", holding(b"a = '\xff'", "ARENA.toml"), "UTF-8"),
    Case("device", lambda f: (f / "ARENA.toml").symlink_to("/dev/zero"), "a device"),
    Case("pipe", lambda f: os.mkfifo(f / "ARENA.toml"), "a pipe"),
)


def candles(text: str | bytes, name: str = "BTC-USD.csv") -> Make:
    """Return a maker of a price file."""
    return holding(text, name)


def json_candles(begin: str, part: str, end: str) -> Make:
    """Return a maker of JSON with nine million parts, built only when needed."""
    return lambda folder: candles(begin + part * 9_000_000 + end, "BTC-USD.json")(folder)


def prices_parquet(table: Callable[[], pa.Table], **options: object) -> Make:
    """Return a maker of a price file in Parquet; the table is built only when needed."""
    return lambda folder: pq.write_table(table(), folder / "BTC-USD.parquet", **options)


def one_text_often() -> pa.Table:
    """Return a dictionary with one text of 1 MB, and 400,000 rows that refer to it."""
    indices, texts = pa.array([0] * 400_000, pa.int32()), pa.array(["1" * (1 << 20)])
    return pa.table({"ts": pa.DictionaryArray.from_arrays(indices, texts)})


def zip_zeros(size_bytes: int, name: str) -> Make:
    """Return a maker of an archive with one file of zeros."""

    def make(folder: Path) -> None:
        with (
            zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("BTC-USD.csv", "w", force_zip64=True) as member,
        ):
            for _ in range(size_bytes // MEMBER_BYTES):
                member.write(bytes(MEMBER_BYTES))

    return make


def feather_bomb(folder: Path) -> None:
    """Write a column of zeros that unpacks to 400 MB."""
    stamps = pa.array(np.zeros(50_000_000, np.int8))
    feather.write_feather(pa.table({"ts": stamps}), folder / "BTC-USD.feather", compression="zstd")


HEAD = "ts,open,high,low,close,volume\n"
PRICES = (
    Case("endless line", sparse("BTC-USD.csv", 200 << 20), "line of more than"),
    Case("NUL", candles(HEAD + "1788998460,1,\0,1,1,1\n"), "row 2"),
    Case("million columns", candles("a," * 25_000 + "\n1\n"), "columns"),
    Case("longer than a line may be", candles("a," * 500_000 + "\n1\n"), "line of more than"),
    Case("huge number", candles(HEAD + "1788998460," + "9" * 60_000 + ",1,1,1,1\n"), "row 2"),
    Case("huge exponent", candles(HEAD + "1788998460,1e999999999,1e999999999,1,1,1\n"), "row 2"),
    Case("huge time", candles(HEAD + "9" * 5_000 + ",1,1,1,1,1\n"), "row 2"),
    Case("not a number", candles(HEAD + "1788998460,NaN,inf,1,1,1\n"), "row 2"),
    Case("not UTF-8", candles(b"ts,open\n\xff\xfe,1\n"), "row"),
    Case("gzip bomb", gzip_zeros(64 << 20, "BTC-USD.csv.gz"), "line of more|limit"),
    Case(
        "empty lines",
        candles(gzip.compress(b"\n" * (64 << 20), 1), "BTC-USD.csv.gz"),
        "lines",
    ),
    Case("zip bomb", zip_zeros(300 << 20, "BTC-USD.zip"), "line of more|limit"),
    Case("Feather of many rows", feather_bomb, "limit"),
    Case("JSON of empty arrays", json_candles("[", "[],", "[]]"), "no header"),
    Case("JSON of numbers", json_candles("[", "1,", "1]"), "no array"),
    Case("JSON of one row", json_candles("[[", "1,", "1]]"), "a line of"),
    Case("deep JSON", candles("[" * 30_000 + "]" * 30_000, "BTC-USD.json"), "BTC-USD.json"),
    Case("cut gzip", candles(gzip.compress(os.urandom(900))[:500], "BTC-USD.csv.gz"), "cannot|row"),
    Case("not gzip", candles(b"hello", "BTC-USD.csv.gz"), "cannot be read"),
    Case("garbled gzip", candles(b"\x1f\x8b\x08" + b"\xff" * 99, "BTC-USD.csv.gz"), "cannot"),
    Case("huge", sparse("BTC-USD.csv", 1 << 40), "limit"),
    Case("device", lambda f: (f / "BTC-USD.csv").symlink_to("/dev/zero"), "a device"),
    Case("pipe", lambda f: os.mkfifo(f / "BTC-USD.csv"), "a pipe"),
    Case("not Parquet", candles(b"hello", "BTC-USD.parquet"), "not a Parquet"),
    Case(
        "nested columns",
        prices_parquet(lambda: pa.table({"ts": [[1]], "open": [[1]]})),
        "has values of type list",
    ),
    Case(
        "one value often",
        prices_parquet(one_text_often, store_schema=False, compression="zstd"),
        "limit|row 2",
    ),
    Case(
        "many rows",
        prices_parquet(
            lambda: pa.table({"ts": pa.array([0] * 900_000, pa.int64())}), compression="zstd"
        ),
        "limit|candle",
    ),
)

RECORDINGS = (
    Case("gzip bomb", gzip_zeros(640 << 20, "day.jsonl.gz"), "limit"),
    Case("cut", holding(gzip.compress(b"{}\n" * 999)[:-9], "day.jsonl.gz"), "cannot be read"),
    Case("not zstd", holding(b"hello", "day.jsonl.zst"), "cannot be read"),
    Case("deep JSON", holding('{"t":' + "[" * 200_000, "day.jsonl"), ""),
    Case("device", lambda f: (f / "day.jsonl").symlink_to("/dev/random"), "a device"),
    Case("pipe", lambda f: os.mkfifo(f / "day.jsonl"), "a pipe"),
)

NESTED = b"\x91" * 200_000 + b"\xc0"
CHECKPOINTS = (
    Case("empty", holding(b"", "fold"), ""),
    Case("cut", holding(sealed_files(b"x" * 999)[:-1], "fold"), ""),
    Case("garbled", holding(MAGIC + os.urandom(999), "fold"), ""),
    Case("of another kind", holding(b"SQLite format 3\0" + bytes(99), "fold"), ""),
    Case("huge", sparse("fold", 1 << 40), ""),
    Case("large garbage", lambda f: _large(f / "fold"), ""),
    Case("device", lambda f: (f / "fold").symlink_to("/dev/zero"), ""),
    Case("pipe", lambda f: os.mkfifo(f / "fold"), ""),
    Case("folder", lambda f: (f / "fold").mkdir(), ""),
    Case("deep, and sealed", holding(sealed_files(NESTED), "fold"), ""),
    Case("a long list, and sealed", holding(sealed_files(b"\xdd\xff\xff\xff\xff"), "fold"), ""),
    Case("a long map, and sealed", holding(sealed_files(b"\xdf\xff\xff\xff\xff"), "fold"), ""),
    Case("nothing, and sealed", holding(sealed_files(b""), "fold"), ""),
    Case("a word, and sealed", holding(sealed_files(msgspec.msgpack.encode("hi")), "fold"), ""),
    Case("a format to come", holding(sealed_files(msgspec.msgpack.encode([99])), "fold"), ""),
)


def _large(path: Path) -> None:
    """Write a checkpoint of 200 MB of which only the first bytes are valid."""
    path.write_bytes(MAGIC)
    os.truncate(path, 200 << 20)
