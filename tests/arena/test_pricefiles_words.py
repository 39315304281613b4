"""Errors for price files that spreadsheets, archivers and editors have changed."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from arena.bounded_files import read_text_file
from arena.errors import UsageError
from arena.pricefiles.read import read_price_file
from tests.arena import price_shapes as shapes
from tests.arena.price_shapes import FIRST_S, HEAD, REF, ROWS, lines, put

MARK = b"\xef\xbb\xbf"


def archive(**members: bytes) -> bytes:
    """An archive of files."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return found.getvalue()


PARQUET = shapes.parquet(shapes.table())
VOLUMES = "ts,open,high,low,close"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("BTC-USD.parquet.gz", gzip.compress(PARQUET), "is a Parquet file packed with gzip"),
        ("BTC-USD.csv.gz", gzip.compress(gzip.compress(REF)), "is packed with gzip twice"),
        ("BTC-USD.zip.gz", gzip.compress(archive(a=REF)), "is a zip archive packed with gzip"),
        ("BTC-USD.arrow", b"nothing", "is not an Arrow file"),
        ("BTC-USD.zip", archive(**{"README.txt": b"x"}), "has no price file (README.txt)"),
        ("BTC-USD.zip", archive(**{"a.csv": REF, ".b.csv": REF, "c.csv": REF}), "has 2 files"),
        ("a-USD.csv", lines(HEAD.replace(",", ";"), f"{FIRST_S};1,5;1,6;1,2;1,5;5,1"),
         "row 2: '1,5' is not a decimal number: it has a decimal comma; save the file with"),
        ("a-USD.csv", lines(f"{FIRST_S};1,5;1,6;1,2;1,5;5,1"), "'1,5' is not a decimal number: it"),
        ("a-USD.csv", lines(HEAD, f'{FIRST_S},"1,234.5",2,1,1,1'), "it has thousands separators"),
        ("a-USD.csv", lines(HEAD, f"{FIRST_S},1,5,2,5,0,5,1,5,1,5"), "write decimal points, not"),
        ("a-USD.csv", lines(HEAD, f"{FIRST_S},$1,$1,$1,$1,5"), "it has a currency sign"),
        ("a-USD.csv", lines(HEAD, f"{FIRST_S},1,1,1,1,x"), "'x' is not a decimal number; write pl"),
        ("a-USD.csv", lines(HEAD, f"{FIRST_S},1e30,1e30,1e30,1e30,1"), "and prices 18 after it"),
        ("a-USD.csv", lines(f"{HEAD},bid,ask", f"{FIRST_S},1,1,1,1,1,2,1"),
         "bid 2 and ask 1 are not quotes; a bid is above 0 and not above the ask"),
        ("a-USD.csv", lines(f"{VOLUMES},volume,Volume", f"{FIRST_S},1,1,1,1,5,7"),
         "two columns have the same name: volume, Volume"),
        ("BTC-USD.csv", lines(f"{VOLUMES},Volume BTC,volume_btc", f"{FIRST_S},1,1,1,1,5,7"),
         "two columns have the same name: Volume BTC, volume_btc"),
    ],
)  # fmt: skip
def test_unsupported_file_is_named_with_remedy(
    name: str, content: bytes, complaint: str, tmp_path: Path
) -> None:
    """The error has the remedy; the texts differ from those for orders."""
    with pytest.raises(UsageError) as caught:
        read_price_file(put(tmp_path, name, content))

    assert complaint in str(caught.value)
    assert "send" not in str(caught.value)


@pytest.mark.parametrize(
    "stamps",
    [
        ["1.76171E+09"],
        ["1,76171E+12"],
        ["1.76171E+09", "1.76172E+09", "1.76173E+09", "1.76174E+09"],
        ["1.7616E+09", "1.7616E+09"],
    ],
)
def test_shortened_spreadsheet_times_are_refused(stamps: list[str], tmp_path: Path) -> None:
    """Even if they are whole minutes by chance, or have equal distances."""
    rows = lines(HEAD.replace(",", ";"), [f"{stamp};1;1;1;1;5" for stamp in stamps])

    with pytest.raises(UsageError, match="was shortened by a spreadsheet; take the file as it was"):
        read_price_file(put(tmp_path, "BTC-USD.csv", rows))


@pytest.mark.parametrize(
    "members",
    [
        {"./BTC-USD.csv": REF},
        {".BTC-USD.csv": REF},
        {"a.csv": REF, "README.txt": b"x", "LICENSE": b"x", "about.md": b"x"},
        {"a.csv": REF, "__MACOSX/._a.csv": b"x", ".DS_Store": b"x", "x/.hidden": b"x"},
        {"data/BTC-USD.txt": REF, "data/__MACOSX/._BTC-USD.txt": b"x", "Thumbs.db": b"x"},
    ],
)
def test_other_files_in_archive_are_ignored(members: dict[str, bytes], tmp_path: Path) -> None:
    """Notes, checksums and files of operating systems are not read."""
    path = put(tmp_path, "BTC-USD.zip", archive(**members))

    assert len(read_price_file(path).rows) == len(ROWS)


def test_repeated_byte_order_marks_are_skipped(tmp_path: Path) -> None:
    """Tables, JSON and specifications may begin with several marks."""
    table = put(tmp_path, "BTC-USD.csv", MARK * 2 + REF)
    bare = put(tmp_path, "A-USD.csv", MARK * 2 + REF.partition(b"\n")[2])
    array = put(tmp_path, "BTC-USD.json", MARK * 2 + shapes.as_json(shapes.whole()))

    assert {len(read_price_file(path).rows) for path in (table, bare, array)} == {len(ROWS)}
    assert read_text_file(put(tmp_path, "spec.toml", MARK * 2 + b"[arena]\n")) == "[arena]\n"
