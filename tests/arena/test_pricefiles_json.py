"""JSON of price files: what names its columns and its product is read, or the file is refused."""

import json
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.pricefiles.read import read_price_file
from tests.arena.price_shapes import FIRST_S, REF, ROWS, as_json, put, whole

NAMES = ["close", "volume", "ts", "low", "high", "open"]
SPLIT = [[str(c), str(v), ts, str(low), str(h), str(o)] for ts, o, h, low, c, v in ROWS]
"""The rows in an order that is none of the known ones."""


def refusal(folder: Path, content: str, name: str = "BTC-USD.json") -> str:
    """The error for a file that cannot be used."""
    with pytest.raises(UsageError) as caught:
        read_price_file(put(folder, name, content.encode()))
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"columns": NAMES, "index": [1, 2], "data": SPLIT},
        {"data": SPLIT, "columns": NAMES},
        {"result": {"fields": NAMES, "rows": SPLIT}},
        {"columns": ["", *NAMES], "data": [[i, *row] for i, row in enumerate(SPLIT)]},
        {"columns": [None, *NAMES], "data": [[i, *row] for i, row in enumerate(SPLIT)]},
        [NAMES, *SPLIT],
    ],
)
def test_names_beside_the_rows_are_used(content: object, tmp_path: Path) -> None:
    """`orient="split"` of pandas and its neighbours, before the rows or after them."""
    reference = read_price_file(put(tmp_path, "BTC-USD.csv", REF))

    found = read_price_file(put(tmp_path, "BTC-USD.json", json.dumps(content, indent=1).encode()))

    assert found.rows.digest == reference.rows.digest


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"columns": NAMES[:5], "data": SPLIT}, "no column 'open'"),
        ({"columns": [*NAMES, "x"], "data": SPLIT}, "6 cells instead of 7"),
        ({"columns": NAMES, "other": NAMES[::-1], "data": SPLIT}, "two arrays name columns"),
        ({"columns": ",".join(NAMES), "data": SPLIT}, "have an unsupported form"),
        ({"columns": [{"name": n} for n in NAMES], "data": SPLIT}, ""),
        ({"columns": [["Open", "BTC-USD"]], "data": SPLIT}, ""),
        ({"schema": {"fields": [{"name": n} for n in NAMES]}, "data": SPLIT}, ""),
        ({"columns": NAMES[:2] + NAMES[3:], "index": [r[2] for r in SPLIT],
          "data": [r[:2] + r[3:] for r in SPLIT]}, "no time in any of the columns"),
        ({name: {"0": 1} for name in NAMES}, "no array of candles"),
        ({name: ["1"] for name in NAMES}, "no array of candles"),
        ({str(r[2]): dict(zip(NAMES, r, strict=True)) for r in SPLIT}, "no array of candles"),
    ],
)  # fmt: skip
def test_unsupported_names_are_refused(content: object, complaint: str, tmp_path: Path) -> None:
    """Every other `orient` of pandas, and names that do not fit the rows."""
    assert complaint in refusal(tmp_path, json.dumps(content))


ARRAYS = as_json(whole()).decode()


@pytest.mark.parametrize(
    "content",
    [
        f'{{"error":[],"result":{{"XETHZUSD":{ARRAYS},"last":1}}}}',
        f'{{"error":[],"result":{{"ETH/USD":{ARRAYS},"last":1}}}}',
        f'{{"ticker":"X:ETHUSD","results":{ARRAYS}}}',
        f'{{"results":{ARRAYS},"ticker":"X:ETHUSD"}}',
        f'{{"result":{{"symbol":"ETHUSDT","category":"spot","list":{ARRAYS}}}}}',
        f'{{"product_id":"ETH-USD","candles":{ARRAYS}}}',
        f'{{"name":"ETH-USD","candles":{ARRAYS}}}',
    ],
)
def test_product_beside_rows_must_match_file(content: str, tmp_path: Path) -> None:
    """The key of the rows, or a field before or after them."""
    assert "it has candles of ETH-USD" in refusal(tmp_path, content)

    same = content.replace("XETHZUSD", "XXBTZUSD").replace("ETHUSDT", "BTCUSD")
    path = put(tmp_path, "BTC-USD.json", same.replace("ETH", "BTC").encode())
    assert len(read_price_file(path).rows) == len(ROWS)


def test_key_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    """A library would keep the last of them."""
    one = f'{{"ts":{FIRST_S},"open":1,"high":1,"low":1,"close":1,"volume":1,"close":2}}'

    assert "the key 'close' is given twice" in refusal(tmp_path, f"[{one}]")
    assert "'close' is given twice" in refusal(tmp_path, f"{one}\n{one}\n", "BTC-USD.jsonl")
