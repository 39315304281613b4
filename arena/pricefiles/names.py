"""Which product a price file's name, or a symbol inside it, stands for. Pure.

`BTC-USD_2018-04.csv.gz`, `BTCUSDT-1m-2025-10.csv`, `XBTUSD_1.csv`, `BTC_USDT-1m.feather` and
`Binance_BTCUSDT_minute.csv` all name one. The base and quote of a product are the codes that most
venues use: Kraken's XBT is BTC, its XDG is DOGE.
"""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from arena.errors import UsageError

_FIATS = (
    "USD EUR GBP JPY CHF CAD AUD NZD TRY BRL KRW INR MXN ZAR PLN UAH RUB NGN SGD HKD IDR ARS CZK"
    " RON COP"
)
FIATS: Final = frozenset(_FIATS.split())
_STABLES = "USDT USDC BUSD FDUSD TUSD USDP DAI USDE USDS USD1 PYUSD GUSD RLUSD EURC EURT"
STABLES: Final = frozenset(_STABLES.split())
COINS: Final = frozenset({"BTC", "XBT", "ETH", "BNB"})
"""Coins that others are priced in."""
QUOTES: Final = FIATS | STABLES | COINS
BY_LENGTH: Final = sorted(QUOTES, key=lambda quote: (-len(quote), quote))
_KNOWN = (
    "AAVE ADA ALGO APT ARB ATOM AVAX BCH BNB BONK BTC CRV DASH DOGE DOT EOS ETC ETH FIL ICP"
    " INJ LINK LTC MATIC MKR NEAR OP PEPE POL SEI SHIB SOL STX SUI TON TRX UNI WBTC WIF XBT XDG"
    " XLM XMR XRP XTZ ZEC"
)
KNOWN: Final = STABLES.union(_KNOWN.split())
"""Coins by which a word such as "BTCTUSD" is split where more than one way would do."""
ALIASES: Final = {"XBT": "BTC", "XDG": "DOGE", "XXBT": "BTC", "XXDG": "DOGE"}
VENUES: Final = {
    "binance": "Binance", "binanceus": "Binance.US", "bitfinex": "Bitfinex", "bitget": "Bitget",
    "bitmex": "BitMEX", "bitstamp": "Bitstamp", "bybit": "Bybit", "cexio": "CEX.IO",
    "coinbase": "Coinbase", "coinbasepro": "Coinbase", "ftx": "FTX", "gateio": "Gate.io",
    "gdax": "Coinbase", "gemini": "Gemini", "hitbtc": "HitBTC", "huobi": "Huobi",
    "kraken": "Kraken", "kucoin": "KuCoin", "mexc": "MEXC", "okex": "OKX", "okx": "OKX",
    "poloniex": "Poloniex", "yahoo": "Yahoo Finance",
}  # fmt: skip
_WORDS = (
    "CANDLES CANDLE CRYPTO DATA DAY DAILY DOWNLOAD EXPORT FILE FROM HISTORY HOUR HOURLY IN KLINES"
    " MIN MINUTE MINUTES OHLC OHLCV PRICE PRICES SPOT THE TO TRADES"
)
WORDS: Final = frozenset(_WORDS.split())
"""Words of file names that are not the code of an asset."""
NAME_CHARS_MAX: Final = 255
REMEDY: Final = (
    "name it like BTC-USD_2018-04.csv.gz or BTCUSDT-1m-2025-10.csv, or list the files in the"
    " specification's [market] and their products in [arena]"
)

_ASSET = re.compile(r"(?=[0-9]*[A-Z])[A-Z0-9]{1,20}")
_KRAKEN = re.compile(r"X([A-Z]{3,4})Z([A-Z]{3})")
_PLAIN = re.compile(r"([A-Z0-9]{1,20})-([A-Z]{3,5})(?![A-Z0-9])")
_SYMBOL = re.compile(r"[A-Z0-9]{2,10}")


@dataclass(frozen=True, slots=True)
class NameSays:
    """What a file's name says.

    Attributes:
        product_id: Such as "BTC-USD", or "" if it names none.
        venue: Such as "Kraken", or "".
    """

    product_id: str
    venue: str


def name_says(name: str) -> NameSays:
    """The product and the venue that a file's name holds."""
    stem = name[:NAME_CHARS_MAX].split(".", 1)[0] if "." in name else name[:NAME_CHARS_MAX]
    words = [word for word in re.split(r"[^A-Za-z0-9]+", stem) if word]
    venue = next((VENUES[w.lower()] for w in words if w.lower() in VENUES), "")
    product_id = _pair([word.upper() for word in words if word.lower() not in VENUES])
    if not product_id and (found := _PLAIN.match(stem.upper())):
        base, quote = found.groups()
        if not {base, quote} & WORDS and _ASSET.fullmatch(base) and base.lower() not in VENUES:
            product_id = f"{base}-{quote}"
    return NameSays(product_id, venue)


def product_of(path: PurePath) -> str:
    """The product that a file's name holds.

    Raises:
        UsageError: It holds none.
    """
    if not (product_id := name_says(path.name).product_id):
        raise UsageError(f"{path.name} does not name a product such as BTC-USD", remedy=REMEDY)
    return product_id


def pair_of(symbol: str) -> str:
    """The product of a symbol such as "BTC/USD", "XBTUSD" or "BINANCE:BTCUSDT"; "" for others."""
    if symbol[:1] == "t" and symbol[1:] == symbol[1:].upper():
        symbol = symbol[1:]  # Bitfinex: tBTCUSD
    words = re.split(r"[^A-Za-z0-9]+", symbol.strip()[:NAME_CHARS_MAX])
    return _pair([word.upper() for word in words if word and word.lower() not in VENUES])


def contradicts(symbol: str, product_id: str) -> bool:
    """True if a symbol names another product; one that is not the name of an asset never does."""
    if found := pair_of(symbol):
        return found != product_id
    bare = symbol.strip()
    if not _SYMBOL.fullmatch(bare) or bare in WORDS:
        return False
    return asset(bare) != product_id.partition("-")[0]


def asset(code: str) -> str:
    """The usual code of an asset: "XBT" is "BTC"."""
    return ALIASES.get(code, code)


def _pair(words: list[str]) -> str:
    """The first pair among words: two words that follow each other, or one that holds both."""
    for index, word in enumerate(words):
        after = words[index + 1] if index + 1 < len(words) else ""
        if after in QUOTES and _ASSET.fullmatch(word) and word not in WORDS and word != after:
            return f"{asset(word)}-{asset(after)}"
        if found := _split(word):
            return found
    return ""


def _split(word: str) -> str:
    """A word such as "BTCUSDT" in its two parts; "" if it has not two."""
    if (found := _KRAKEN.fullmatch(word)) and found[2] in FIATS:
        return f"{asset(found[1])}-{found[2]}"
    halves = [(word[: -len(quote)], quote) for quote in BY_LENGTH if word.endswith(quote)]
    halves = [
        (base, quote)
        for base, quote in halves
        if len(base) > 1
        and _ASSET.fullmatch(base)
        and base not in WORDS
        and base.lower() not in VENUES
    ]
    if not halves:
        return ""
    known = [half for half in halves if half[0] in KNOWN]
    plain = [half for half in halves if half[1] == "USD"]  # GRTUSD is GRT-USD, not GR-TUSD
    base, quote = (known or plain or halves)[0]
    return f"{asset(base)}-{asset(quote)}"
