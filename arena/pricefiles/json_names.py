"""Finds column names and the product in a JSON file, outside of its candles. Pure.

pandas writes `{"columns": [...], "data": [[...]]}` with `orient="split"`; Kraken's answer has the
pair as the key of the candles, and Polygon's and Bybit's have it in a field.
"""

import json
import re
from typing import Final

from arena.pricefiles.columns import OHLC, PRICE_NAMES, shown
from arena.pricefiles.names import contradicts, contradicts_weakly, pair_of
from arena.pricefiles.volumes import plain_name

PRICES_NAMED_MIN: Final = 2
"""An array of texts with this many names of prices is a header."""
KEY_CHARS: Final = 200

_TEXT = r'"(?:[^"\\]|\\.){0,80}"'
_FIRST = r'(?:"(?![0-9.+-])(?:[^"\\]|\\.){0,80}"|null)'
_NAMES = re.compile(rf"\[\s*{_FIRST}(?:\s*,\s*(?:{_TEXT}|null)){{1,99}}\s*\]")
_TOLD = re.compile(r'"(?:columns|fields|headers?|column_names|names)"\s*:\s*(?!\[\s*[0-9\]])', re.I)
_SYMBOL = re.compile(
    r'"(ticker|symbol|pair|product|product_?id|instrument_?id|inst_?id|'
    r'instrument|market|name|coin)"'
    r'\s*:\s*"((?:[^"\\]|\\.){1,60})"',
    re.I,
)
_KEY = re.compile(r'"([A-Z0-9]{5,20}|[A-Za-z0-9]{2,20}[-/_:][A-Za-z0-9]{2,20})"\s*:\s*$')
_WEAK: Final = frozenset({"instrument", "market", "name", "coin"})


def names_beside(text: str, start: int) -> list[str]:
    """Column names of candles that are arrays; empty if the file does not have them.

    Args:
        text: The whole file.
        start: Position of the first candle.

    Raises:
        ValueError: Two arrays of names differ, or the names have an unsupported form.
    """
    headers: list[list[str]] = []
    for found in _NAMES.finditer(text):
        names = [str(name or "") for name in json.loads(found[0], strict=False)]
        if _is_header(names):
            if found.start() == start:
                return []  # the first row of the array has the names
            if names not in headers:
                headers.append(names)
    if len(headers) > 1:
        raise ValueError(
            f"two arrays name columns: {shown(headers[0])} and {shown(headers[1])}; keep one"
        )
    if not headers and _TOLD.search(text[:start]):
        raise ValueError(
            "the names of the columns beside the rows have an unsupported form; write "
            'objects (pandas: orient="records") or CSV'
        )
    return headers[0] if headers else []


def require_product(text: str, product_id: str) -> None:
    """Check that the text beside the candles does not name another product.

    Args:
        text: The text before or after the candles.
        product_id: Product of the file.

    Raises:
        ValueError: It names another product.
    """
    for found in _SYMBOL.finditer(text):
        differs = contradicts_weakly if found[1].lower() in _WEAK else contradicts
        if differs(found[2], product_id):
            raise _other(found[2], product_id)
    key = _KEY.search(text[-KEY_CHARS:])
    if key is not None and contradicts_weakly(key[1], product_id):
        raise _other(key[1], product_id)


def _other(symbol: str, product_id: str) -> ValueError:
    return ValueError(
        f"it has candles of {pair_of(symbol) or symbol[:40]} ({symbol[:40]}), the file is of "
        f"{product_id}; name the file after the product of its rows"
    )


def _is_header(names: list[str]) -> bool:
    words = {plain_name(name) for name in names}
    return sum(bool(words & set(PRICE_NAMES[role])) for role in OHLC) >= PRICES_NAMED_MIN
