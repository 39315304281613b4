"""Reads venues and products from the flags of `arena connector` and `arena exchange`. Pure."""

from pathlib import Path

from arena.errors import UsageError
from arena.products import SEPARATOR
from connectors.market.options import MarketOptions
from connectors.market.venue import Venue
from connectors.venues import load_venue

PRODUCTS_MAX = 60
"""A snapshot of this many products still fits into a record of one megabyte."""


def read_markets(
    texts: list[str], urls: list[str] | None, record: Path | None
) -> tuple[MarketOptions, ...]:
    """The venues in flags such as "binance=BTCUSDT,ETHUSDT" and "binance=ws://...,http://...".

    Args:
        texts: Venues with their products.
        urls: Venues with the URLs of their feed and REST API.
        record: File for raw frames, from which each venue's own gets its name; or None.

    Raises:
        UsageError: A flag cannot be read, names an unknown venue, or a venue again; or there are
            too many products.
    """
    addresses = _by_venue("--urls", urls or [], "VENUE=ws://HOST:PORT,http://HOST:PORT")
    found = []
    for name, words in _by_venue("--market", texts, "binance=BTCUSDT").items():
        venue = load_venue(name)
        ws_url, rest_url = venue.ws_url, venue.rest_url
        if name in addresses:
            pair = addresses.pop(name)
            if len(pair) != 2:
                raise UsageError(f"--urls {name} has {len(pair)} URLs", remedy="give two")
            ws_url, rest_url = pair
        file = record and _recording_of(name, record)
        found.append(
            MarketOptions(venue, read_products(venue, words, None), ws_url, rest_url, file)
        )
    if addresses:
        names = ", ".join(addresses)
        raise UsageError(f"--urls of {names}, which no --market names", remedy="add its products")
    _check_count(sum(len(market.products) for market in found))
    return tuple(found)


def check_replay(lock_step: bool, frames: Path | None, *for_lock_step: str | None) -> None:
    """Check the flags that say what is replayed.

    Args:
        lock_step: True for candles in step with the agents.
        frames: A recording, or None.
        for_lock_step: Values of flags that only lock-step has.

    Raises:
        UsageError: They contradict each other.
    """
    if lock_step == (frames is not None):
        raise UsageError("nothing to replay", remedy="give either --frames or --lock-step")
    if any(for_lock_step) and not lock_step:
        raise UsageError("--granularity and --fills are for --lock-step", remedy="leave them out")


def _recording_of(venue: str, record: Path) -> Path:
    """The file of a venue: "frames-binance.jsonl.zst" for "frames.jsonl.zst"."""
    stem, dot, suffixes = record.name.partition(".")
    return record.with_name(f"{stem}-{venue}{dot}{suffixes}")


def _by_venue(flag: str, texts: list[str], example: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        name, separator, rest = text.partition("=")
        words = [word.strip() for word in rest.split(",") if word.strip()]
        if not separator or not words or name in found:
            raise UsageError(f"{flag} {text}", remedy=f"write each venue once: {example}")
        found[name] = words
    return found


def read_products(
    venue: Venue,
    products: list[str] | None,
    more: list[str] | None,
    *,
    of_any_venue: bool = False,
) -> tuple[str, ...]:
    """Product ids from flags and arguments, in order, once each.

    Args:
        venue: The venue of ids without one, such as "BTC-USD".
        products: Texts of a flag, each with one id or several.
        more: Further ids.
        of_any_venue: True if an id may begin with another venue, such as "binance:BTCUSDT".

    Raises:
        UsageError: An id is invalid, or there are too many.
    """
    listed = [word for text in [*(products or ()), *(more or ())] for word in text.split(",")]
    words = (word.strip() for word in listed if word.strip())
    venues = ((_venue_of(word, venue) if of_any_venue else venue, word) for word in words)
    unique = tuple(dict.fromkeys(own.read_product(word) for own, word in venues))
    _check_count(len(unique))
    return unique


def _venue_of(word: str, venue: Venue) -> Venue:
    """The venue that an id begins with, or else the given one."""
    name, separator, _ = word.partition(SEPARATOR)
    return load_venue(name.lower()) if separator else venue


def _check_count(products: int) -> None:
    if products > PRODUCTS_MAX:
        raise UsageError(f"too many products: {products}", remedy=f"at most {PRODUCTS_MAX}")
