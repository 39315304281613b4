"""Price files in many formats: all give the same minutes, or an error with the reason."""

import gzip
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from arena.errors import UsageError
from arena.pricefiles.facts import digest_of, sources_text
from arena.pricefiles.formats import CONTAINERS, FORMATS
from arena.pricefiles.read import read_price_file, read_price_files
from tests.arena import price_shapes as shapes
from tests.arena.price_shapes import FIRST_S, HEAD, REF, ROWS, lines, put

ROOT = Path(__file__).parents[2]


def refusal(folder: Path, content: bytes, name: str = "BTC-USD.csv") -> str:
    """The error for a file that cannot be used."""
    path = put(folder, name, content)
    with pytest.raises(UsageError) as caught:
        read_price_file(path)
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_same_minutes_in_any_form_have_one_digest(shape: str, tmp_path: Path) -> None:
    """Product, format and every number; the digest is that of the rows, not of the bytes."""
    name, form, content = shapes.SHAPES[shape]
    reference = read_price_file(put(tmp_path, "BTC-USD.csv", REF))

    file = read_price_file(put(tmp_path, name, content()))

    assert (file.product_id, file.format.name) == ("BTC-USD", form)
    assert {ts: row.trades for ts, row in file.rows.items()} == {r[0]: r[1:] for r in ROWS}
    assert file.rows.digest == reference.rows.digest
    assert (file.first_s, file.last_s) == (FIRST_S, FIRST_S + 60 * len(ROWS))


def test_digest_is_what_the_page_says(tmp_path: Path) -> None:
    """The digest follows the documented definition."""
    rows = f"{HEAD},bid,ask\n{FIRST_S + 60},7,8.50,6.0,8,1.10,7.9,8.1\n{FIRST_S},,,,,,7,7.5\n"
    found = read_price_file(put(tmp_path, "BTC-USD.csv", rows.encode())).rows

    assert found.digest == "6009495dfeb4e6fdc7c90fca14b3304effdba50801ce76d5c8e772e0a8ccefa9"
    assert (found.quiet, found.missing, found.price_digits) == (1, 0, 1)


@pytest.fixture
def new_york() -> Iterator[None]:
    """A machine where clocks are set back in the night of 2 November 2025."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_naive_times_are_utc_on_every_machine(tmp_path: Path) -> None:
    """All minutes of the night in which clocks are set back, in CSV and in Parquet."""
    first_s = 1_762_056_000  # 2025-11-02 04:00 UTC
    starts = [first_s + 60 * minute for minute in range(240)]
    text = lines("date,open,high,low,close,volume", [f"{shapes.iso(s)},1,1,1,1,1" for s in starts])
    stamps = pa.array([s * 1_000 for s in starts], pa.int64()).cast(pa.timestamp("ms"))
    ones = {name: pa.array([1.0] * 240) for name in ("open", "high", "low", "close", "volume")}
    table = pa.table({"date": stamps} | ones)

    for name, content in (("BTC-USD.csv", text), ("BTC-USD.parquet", shapes.parquet(table))):
        assert list(read_price_file(put(tmp_path, name, content)).rows) == starts


def test_twelve_decimals_and_noise_of_floats(tmp_path: Path) -> None:
    """Eighteen digits are preserved; a 32-bit float has its shortest digits."""
    rows = lines(HEAD, f"{FIRST_S},0.000001120591,1.2e-06,1.1205910000000001e-06,0.0000012,5e12")
    short = {n: pa.array([1.1], pa.float32()) for n in ("open", "high", "low", "close", "volume")}
    stamp = pa.array([FIRST_S])

    (row,) = read_price_file(put(tmp_path, "PEPE-USD.csv", rows)).rows.values()
    table = pa.table({"ts": stamp} | short)
    (other,) = read_price_file(put(tmp_path, "A-USD.parquet", shapes.parquet(table))).rows.values()

    assert row.trades is not None
    assert row.trades[:2] == (Decimal("0.000001120591"), Decimal("0.0000012"))
    assert str(row.trades[2]) == "0.000001120591000000"
    assert row.trades[4] == 5 * 10**12
    assert other.trades == (Decimal("1.1"),) * 5


def test_yahoo_has_its_volume_in_dollars_and_three_header_lines(tmp_path: Path) -> None:
    """The volume is divided by the close; the second line names the product."""
    rows = lines(
        "Price,Close,High,Low,Open,Volume", "Ticker" + ",BTC-USD" * 5, "Datetime,,,,,",
        [f"{shapes.iso(ts)}+00:00,{c},{h},{low},{o},{c * 3}" for ts, o, h, low, c, _ in ROWS],
    )  # fmt: skip
    file = read_price_file(put(tmp_path, "BTC-USD.csv", rows))

    assert (file.format.name, file.venue) == ("yahoo", "Yahoo Finance")
    assert {row.trades and row.trades[4] for row in file.rows.values()} == {Decimal(3)}
    assert "is of BTC-USD, not ETH-USD" in refusal(tmp_path, rows, "ETH-USD.csv")


@pytest.mark.parametrize("step_s", [60, 300, 900, 3_600, 86_400])
def test_length_of_the_candles_is_found_from_the_rows(step_s: int, tmp_path: Path) -> None:
    """All distances are multiples of it, and most equal it; the missing ones are counted."""
    first_s = FIRST_S - FIRST_S % 86_400
    rows = [f"{first_s + step_s * i},1,1,1,1,1" for i in range(30) if i not in (7, 8, 20)]

    file = read_price_file(put(tmp_path, "BTC-USD.csv", lines(HEAD, rows)))

    assert (step_s, 27, 3) == (file.bar_s, file.facts.bars, file.rows.missing)
    assert first_s + 30 * step_s == file.last_s


STEPS = {1: "1 second", 1_800: "30 minutes", 14_400: "4 hours", 604_800: "7 days"}


@pytest.mark.parametrize("step_s", STEPS)
def test_candles_of_another_length_are_refused_by_their_length(step_s: int, tmp_path: Path) -> None:
    """What was found, and what is needed."""
    first_s = FIRST_S - FIRST_S % 86_400
    rows = lines(HEAD, [f"{first_s + step_s * i},1,1,1,1,1" for i in range(30)])

    message = refusal(tmp_path, rows)

    assert f"candles of {STEPS[step_s]}; candles of 1m, 5m, 15m, 1h, 1d can be used" in message


def test_candles_that_start_beside_their_multiples_are_refused(tmp_path: Path) -> None:
    """Hours that start at 04:22 are not the bars of any other source."""
    rows = lines(HEAD, [f"{FIRST_S + 3_600 * i},1,1,1,1,1" for i in range(30)])

    assert "start at 2025-10-29 04:22 UTC and so on" in refusal(tmp_path, rows)


def test_candles_with_more_holes_than_candles_are_refused(tmp_path: Path) -> None:
    """Their length is a guess."""
    first_s = FIRST_S - FIRST_S % 86_400
    holes = [0, 1, *range(3, 40, 3)]
    rows = lines(HEAD, [f"{first_s + 3_600 * i},1,1,1,1,1" for i in holes])

    assert "most of them are 3 hours apart" in refusal(tmp_path, rows)


def test_hours_with_a_few_minutes_are_refused(tmp_path: Path) -> None:
    """Most of the rows say how long the candles are; holes of any size are fine."""
    hours = [f"{FIRST_S + 3_600 * i},1,1,1,1,1" for i in range(30)]
    quiet = [f"{FIRST_S + 60 * i * i},1,1,1,1,1" for i in range(30)]
    rows = lines(HEAD, hours, f"{FIRST_S + 60},1,1,1,1,1")

    assert "candles of 1 hour" in refusal(tmp_path, rows)
    assert read_price_file(put(tmp_path, "A-USD.csv", lines(HEAD, quiet))).rows.missing == 812


def row(at: int = FIRST_S, prices: str = "1,2,0.5,1", volume: str = "3") -> str:
    """A row of a plain file."""
    return f"{at},{prices},{volume}"


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (row(prices="2,1,0.5,1"), "row 3: open 2, high 1, low 0.5, close 1 is not a candle"),
        (row(prices="1,2,-1,1"), "row 3: open 1, high 2, low -1"),
        (row(prices="0,0,0,0"), "row 3: open 0"),
        (row(prices="1,inf,1,1"), "row 3: 'inf' is not finite"),
        (row(prices="1,NaN,1,1"), "row 3: high is empty and open is not"),
        (row(prices='"1,5",2,1,1'), "row 3: '1,5' is not a decimal"),
        (row(volume="-12.5"), "row 3: volume -12.5 is negative"),
        (row(volume=""), "row 3: the volume is empty"),
        (row(FIRST_S + 30), "row 3: time 1761711750 does not start a minute"),
        (row(43_200_000), "row 3: time 43200000 is not from 2000 to 2100"),
        ("29.10.2025 04:22,1,2,0.5,1,3", "row 3: '29.10.2025 04:22' is not a time"),
        ("1761711720,1,2", "row 3: 3 cells instead of 6"),
        (row() + "\n" + row(volume="4"), "row 4: 2025-10-29 04:22 UTC is in row 3 with other"),
        ("1761711720,1,2,0.5,1,3\xe9", "row 3: 'é' is"),
    ],
)
def test_impossible_row_is_refused_with_number(bad: str, complaint: str, tmp_path: Path) -> None:
    """The number is that of the line in the file."""
    message = refusal(tmp_path, lines(HEAD, row(FIRST_S + 60), bad))

    assert complaint.replace("'é' is", "'3é' is not a decimal") in message


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        ("ts,open,high,low,close,vol_weird", "the unit of the column 'vol_weird' is not known"),
        ("ts,open,high,low,close,other", "no column with the volume"),
        ("ts,open,high,low,close,Volume ETH", "'Volume ETH' is in ETH, the product is BTC-USD"),
        ("ts,open,high,low,close,Volume EURC", "'Volume EURC' is in EURC, the product is BTC-USD"),
        ("ts,open,high,low,last,volume", "no column 'close' among ts, open, high, low, last"),
        ("close_time,open,high,low,close,volume", "no time in any of the columns"),
        ("ts,open,open,low,close,volume", "two columns have the same name: open, open"),
        ("a,b,q,d,e,f", "no header and no candle in 'a, b, q, d, e, f'"),
    ],
)
def test_columns_are_not_guessed(head: str, complaint: str, tmp_path: Path) -> None:
    """A volume of unknown unit is refused, and does not become 0."""
    assert complaint in refusal(tmp_path, lines(head, row()))


@pytest.mark.parametrize(
    ("names", "values", "volume"),
    [
        ("Volume USD,Volume BTC", "900,3", "3"),
        ("Volume_(Currency),Volume_(BTC)", "900,3", "3"),
        ("volume_usd,volume", "900,3", "3"),
        ("volumeto,volumefrom", "900,3", "3"),
        ("quote_volume,trades", "900,3", "9.00000000"),
        ("turnover,x", "900,3", "9.00000000"),
    ],
)
def test_volume_is_that_of_the_base(names: str, values: str, volume: str, tmp_path: Path) -> None:
    """The base is chosen before the quote; a quote alone is divided by the close."""
    rows = lines(f"ts,open,high,low,close,{names}", f"{FIRST_S},100,100,100,100,{values}")
    (found,) = read_price_file(put(tmp_path, "BTC-USD.csv", rows)).rows.values()

    assert found.trades is not None
    assert str(found.trades[4]) == volume


def test_columns_without_names_that_fit_two_orders_are_refused(tmp_path: Path) -> None:
    """One row in which open and high cannot be distinguished."""
    message = refusal(tmp_path, lines(f"{FIRST_S},1,2,2,1,5"))

    assert "coinbase-rest" in message
    assert "add a header line" in message


def test_another_product_in_the_rows_is_refused(tmp_path: Path) -> None:
    """A symbol may be written in many ways, and must be that of the file."""
    head = "ts,symbol,open,high,low,close,volume"
    same = [f"{FIRST_S + 60 * i},{s},1,1,1,1,1" for i, s in enumerate(("BTC/USD", "XBTUSD", "BTC"))]
    other = f"{FIRST_S + 600},ETHUSD,1,1,1,1,1"

    assert len(read_price_file(put(tmp_path, "BTC-USD.csv", lines(head, same))).rows) == 3
    message = refusal(tmp_path, lines(head, same, other))
    assert "row 5: the row is of ETH-USD, the file of BTC-USD" in message


@pytest.mark.parametrize(
    "column", ["ticker", "name", "coin", "instrument", "market", "Symbol", "inst_id", "Pair"]
)
def test_column_that_names_another_product_is_refused(column: str, tmp_path: Path) -> None:
    """For any name of the column; a column without a product is ignored."""
    head = f"{HEAD},{column}"

    for word in ("ETHUSD", "ETH-USD", "ETH", "X:ETHUSD"):
        message = refusal(tmp_path, lines(head, [f"{row(FIRST_S)},{word}"]))
        assert "the row is of ETH" in message
    for word in ("BTC", "BTC/USD", "Bitcoin", "spot", "X:BTCUSD", "KRAKEN"):
        path = put(tmp_path, "BTC-USD.csv", lines(head, [f"{row(FIRST_S)},{word}"]))
        assert len(read_price_file(path).rows) == 1


def test_archive_of_another_product_is_refused(tmp_path: Path) -> None:
    """The archive's own name or a name in its list may have the other product."""
    content = shapes.zipped(REF, "ETHUSD.csv")

    assert "is of BTC-USD, and the file in it, ETHUSD.csv, of ETH-USD" in refusal(
        tmp_path, content, "BTC-USD.zip"
    )
    with pytest.raises(UsageError, match="the file in it"):
        read_price_file(put(tmp_path, "october.zip", content), "BTC-USD")


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        (REF.decode().encode("utf-16"), "BTC-USD.csv", "it is UTF-16; save it as UTF-8"),
        (REF.decode().encode("utf-16-le"), "BTC-USD.csv", "it is UTF-16"),
        (REF + b"# caf\xe9\n", "BTC-USD.csv", "row 42: byte 0xe9 is not UTF-8 (Latin-1"),
        (b"ts,open\n1,2\n", "BTC-USD.csv.gz", "is not a gzip file"),
        (gzip.compress(REF)[:-9], "BTC-USD.csv.gz", "cannot be read"),
        (b"PAR0 nothing", "BTC-USD.parquet", "is not a Parquet file"),
        (b"PAR1" + bytes(99), "BTC-USD.parquet", "cannot be read"),
        (shapes.feathered(shapes.table())[:900], "BTC-USD.feather", "cannot be read"),
        (b"ARROW1\0\0\xff\xff\xff\xff" + b"\xff" * 99, "BTC-USD.feather", "message of"),
        (b"PK\x03\x04 cut", "BTC-USD.zip", "cannot be read"),
        (shapes.zipped(REF, "a.csv", "b.csv"), "BTC-USD.zip", "has 2 files (a.csv, b.csv)"),
        (shapes.zipped(REF, "xl/workbook.xml"), "BTC-USD.zip", "is an Excel workbook"),
        (b"BZh91AY", "BTC-USD.csv", "is packed with bzip2; unpack it"),
        (b"<!DOCTYPE html><html>", "BTC-USD.csv", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "BTC-USD.csv", "pointer of Git LFS"),
        (shapes.as_json(shapes.whole())[:-30], "BTC-USD.json", "BTC-USD.json: row 40 is cut off"),
        (b'{"a":' * 5_000, "BTC-USD.json", "BTC-USD.json: "),
        (b"[" * 90_000, "BTC-USD.json", "BTC-USD.json: "),
        (b'[{"t":1},{"o":2}]', "BTC-USD.json", "BTC-USD.json: "),
        (b"", "BTC-USD.csv", "it has no candles"),
        (b"[]", "BTC-USD.json", "it has no candles"),
        (lines(HEAD), "BTC-USD.csv", "it has no candles"),
    ],
)
def test_file_that_cannot_be_read_is_named_once(
    content: bytes, name: str, complaint: str, tmp_path: Path
) -> None:
    """One line with the file, what is wrong, and exit code 2."""
    assert complaint in refusal(tmp_path, content, name)


def test_files_fit_their_products(tmp_path: Path) -> None:
    """One per product, of that product by its name; an archive is of what is in it."""
    btc, tether = put(tmp_path, "BTC-USD.csv", REF), put(tmp_path, "BTCUSDT-1m.csv", REF)
    unnamed = put(tmp_path, "october.zip", shapes.zipped(REF, "ETHUSD.csv"))

    found = [file.facts for file in read_price_files([btc, unnamed], [])]

    assert [file.product_id for file in found] == ["BTC-USD", "ETH-USD"]
    assert sources_text(found) == f"BTC-USD.csv, october.zip; rows {digest_of(found)[:16]}"
    assert digest_of(found[:1]) == found[0].digest
    for paths, products, complaint in (
        ([btc], ["BTC-USD", "ETH-USD"], r"1 price file \(BTC-USD.csv\) for the products"),
        ([btc, btc], [], "2 price files"),
        ([tether], ["BTC-USD"], "of BTC-USDT by its name, and listed for BTC-USD"),
        ([tmp_path / "candles.csv"], [], "does not exist"),
    ):
        with pytest.raises(UsageError, match=complaint):
            list(read_price_files(paths, products))


def test_page_lists_the_formats_that_are_read() -> None:
    """`docs/data.md` and `arena candles formats` have the same list, in the same order."""
    text = (ROOT / "docs" / "data.md").read_text()
    page = text.partition("## What an agent sees")[0].splitlines()
    rows = [f"| {f.name} | {f.made_by} | {f.columns} | {f.time} | {f.volume} |" for f in FORMATS]
    ends = [f"| {ends} | {held.replace('|', chr(92) + '|')} |" for ends, held in CONTAINERS]

    assert [line for line in page if line.startswith("| ")] == [
        "| Format | Made by | Columns | Time | Volume |", *rows, "| Ends with | Holds |", *ends,
    ]  # fmt: skip
