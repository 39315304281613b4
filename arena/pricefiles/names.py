"""Finds the product in a price file's name, or in a symbol inside the file. Pure.

`BTC-USD_2018-04.csv.gz`, `BTCUSDT-1m-2025-10.csv`, `XBTUSD_1.csv`, `BTC_USDT-1m.feather` and
`Binance_BTCUSDT_minute.csv` all name one. Base and quote are the codes that most venues use:
Kraken's XBT is BTC, its XDG is DOGE.
"""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from arena.currency import DOLLARS
from arena.errors import UsageError
from arena.products import COINS, FIATS, QUOTES, QUOTES_BY_LENGTH, STABLES

_KNOWN = (
    "AAVE ADA ALGO APT ARB ATOM AVAX BCH BNB BONK BTC CRV DASH DOGE DOT EOS ETC ETH FIL ICP"
    " INJ LINK LTC MATIC MKR NEAR OP PEPE POL SEI SHIB SOL STX SUI TON TRX UNI WBTC WIF XBT XDG"
    " XLM XMR XRP XTZ ZEC GRT SAND MANA AXS GALA ENJ CHZ IMX FTM ONE ICX ZIL VET HBAR EGLD FLOW"
    " THETA KAVA ROSE CELO ANKR BAT COMP SNX YFI SUSHI CAKE BAL KNC ZRX LRC DYDX GMX LDO RPL ENS"
    " APE JASMY MASK AR RNDR TAO FET AGIX OCEAN ORDI STRK TIA JUP PYTH JTO BLUR CFX KAS QNT RUNE"
    " WAVES NEO IOTA QTUM ONT OMG DCR LUNA LUNC USTC FLOKI TWT CVX FXS WOO HNT NMR UMA OXT SKL"
    " CTSI STORJ AUDIO GMT FARTCOIN AERO TRUMP PENGU POPCAT TURBO MOG PNUT"
)
KNOWN: Final = STABLES.union(_KNOWN.split())
"""Known coins, by which a word such as "BTCTUSD" is split if there is more than one way."""
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
    "ALL AND BACKUP BINANCE CANDLES CANDLE COPIE COPY CRYPTO DATA DAY DAILY DE DOWNLOAD EXPORT FILE"
    " FINAL FOR FROM FUTURES GLOBAL HISTORY HOUR HOURLY IN KLINES KOPIE LINEAR MIN MINUTE MINUTES"
    " MY NEW OF OHLC OHLCV OLD PERP PRICE PRICES RAW SAMPLE SPOT SWAP TEST THE TO TRADES VON WITH"
)
WORDS: Final = frozenset(_WORDS.split())
"""Words in file names that are not codes of assets."""
NAME_CHARS_MAX: Final = 255
REMEDY: Final = (
    "name it like BTC-USD_2018-04.csv.gz or BTCUSDT-1m-2025-10.csv, or list the files in the"
    " specification's [market] and their products in [arena]"
)

_ASSET = re.compile(r"(?=[0-9]*[A-Z])[A-Z0-9]{1,20}")
_KRAKEN = re.compile(r"X([A-Z]{3,4})Z([A-Z]{3})")
_PLAIN = re.compile(r"([A-Z0-9]{1,20})-([A-Z]{3,5})(?![A-Z0-9])")
_PAIR_LIKE = re.compile(r"[A-Z0-9]{5,20}|[A-Za-z0-9]{1,20}([-/_:][A-Za-z0-9]{2,20}){1,2}")
_SYMBOL = re.compile(r"(?=[0-9]*[A-Z])[A-Z0-9]{2,10}")


class ProductNotNamed(UsageError):
    """The name of a price file does not say of which product it is."""


@dataclass(frozen=True, slots=True)
class ProductInName:
    """Product and venue in a file's name.

    Attributes:
        product_id: Product such as "BTC-USD"; "" if there is none, or if it is ambiguous.
        venue: Venue such as "Kraken", or "".
        readings: The possible products of an ambiguous name.
    """

    product_id: str
    venue: str
    readings: tuple[str, ...] = ()


def find_product(name: str) -> ProductInName:
    """Find the product and the venue in a file's name."""
    stem = name[:NAME_CHARS_MAX].split(".", 1)[0] if "." in name else name[:NAME_CHARS_MAX]
    words = [word for word in re.split(r"[^A-Za-z0-9]+", stem) if word]
    venue = next((VENUES[w.lower()] for w in words if w.lower() in VENUES), "")
    found_here = _readings([word.upper() for word in words if word.lower() not in VENUES])
    if len(found_here) > 1:
        return ProductInName("", venue, found_here)
    product_id = found_here[0] if found_here else ""
    if not product_id and (found := _PLAIN.match(stem.upper())):
        base, quote = found.groups()
        if not {base, quote} & WORDS and _ASSET.fullmatch(base) and base.lower() not in VENUES:
            product_id = f"{base}-{quote}"
    return ProductInName(product_id, venue)


def product_of(path: PurePath) -> str:
    """The product in a file's name.

    Raises:
        ProductNotNamed: There is none, or it is ambiguous.
    """
    says = find_product(path.name)
    if says.readings:
        raise ProductNotNamed(
            f"{path.name} may be of {' or of '.join(says.readings)}",
            remedy=f"write the two parts apart, such as {says.readings[0]}, in the file's name, or "
            "list the files in the specification's [market] and their products in [arena]",
        )
    if not says.product_id:
        text = f"{path.name} does not name a product such as BTC-USD"
        raise ProductNotNamed(text, remedy=REMEDY)
    return says.product_id


def pair_of(symbol: str) -> str:
    """The product of a symbol such as "BTC/USD", "XBTUSD" or "BINANCE:BTCUSDT"; "" for others.

    The likeliest one for an ambiguous symbol.
    """
    return next(iter(pairs_of(symbol)), "")


def pairs_of(symbol: str) -> tuple[str, ...]:
    """The possible products of a symbol, the likeliest first; none if it is not a symbol."""
    if symbol[:1] == "t" and symbol[1:] == symbol[1:].upper():
        symbol = symbol[1:]  # Bitfinex: tBTCUSD
    words = re.split(r"[^A-Za-z0-9]+", symbol.strip()[:NAME_CHARS_MAX])
    return _readings([word.upper() for word in words if word and word.lower() not in VENUES])


def contradicts(symbol: str, product_id: str) -> bool:
    """True if a symbol names another product; a text that is not an asset never does."""
    if found := pairs_of(symbol):
        return product_id not in found
    bare = symbol.strip()
    if not _SYMBOL.fullmatch(bare) or bare in WORDS or bare.lower() in VENUES:
        return False
    return asset(bare) not in product_id.split("-")


def contradicts_weakly(word: str, product_id: str) -> bool:
    """`contradicts` for any word: only pairs and known coins count as names of products.

    "Bitcoin", "US" and "Country" do not; "ETHUSD", "ETH/USD" and "ETH" do.
    """
    bare = word.strip()
    if bare in KNOWN or _PAIR_LIKE.fullmatch(bare):
        return contradicts(bare, product_id)
    return False


def member_contradicts(name: str, product_id: str) -> bool:
    """True if a file in an archive is named after another product than the archive.

    The dollar and its stablecoins count as equal here, because a user may rename an archive so.
    """
    says = find_product(name)
    found = says.readings or ((says.product_id,) if says.product_id else ())
    return bool(found) and not any(_alike(one, product_id) for one in found)


def _alike(one: str, other: str) -> bool:
    (base, _, quote), (base_2, _, quote_2) = one.partition("-"), other.partition("-")
    return base == base_2 and (quote == quote_2 or {quote, quote_2} <= DOLLARS)


def asset(code: str) -> str:
    """The usual code of an asset: "XBT" is "BTC"."""
    return ALIASES.get(code, code)


def _readings(words: list[str]) -> tuple[str, ...]:
    """Possible products of the first pair in words: two words in a row, or one with both codes."""
    for index, word in enumerate(words):
        after, next_one = [*words[index + 1 : index + 3], "", ""][:2]
        if after in COINS and next_one in FIATS | STABLES:
            continue  # "Copy of BTC-USD": the pair comes with the next word
        if after in QUOTES and _ASSET.fullmatch(word) and word not in WORDS and word != after:
            return (f"{asset(word)}-{asset(after)}",)
        if found := _split(word):
            return found
    return ()


def _split(word: str) -> tuple[str, ...]:
    """The possible products of a word such as "BTCUSDT": all equally likely ways to split it."""
    if (kraken := _KRAKEN.fullmatch(word)) and kraken[2] in FIATS:
        return (f"{asset(kraken[1])}-{kraken[2]}",)
    halves = [(word[: -len(quote)], quote) for quote in QUOTES_BY_LENGTH if word.endswith(quote)]
    halves = [
        (base, quote)
        for base, quote in halves
        if len(base) > 1
        and _ASSET.fullmatch(base)
        and base not in WORDS
        and base.lower() not in VENUES
    ]
    known = [half for half in halves if half[0] in KNOWN]
    likely = known or sorted(halves, key=lambda half: half[1] != "USD")
    return tuple(f"{asset(base)}-{asset(quote)}" for base, quote in likely)
