"""The venue's list of products, decoded: status, trading rules and modes. Pure.

`GET /products` is one list of all products. An entry that cannot be read does not affect the
others.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arena.messages import Product
from arena.money import why_not_carried
from arena.trading_modes import ONLINE, UNLISTED, UNREADABLE
from connectors.market.json_bodies import ERROR_CHARS_MAX, RestMalformed, load, parse_number
from connectors.market.listing import UNKNOWN_STEP, ProductListing

MODE_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,30}_(only|mode|disabled)", re.ASCII)
"""Names of flags that restrict what the venue accepts, including flags it may add."""
WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}", re.ASCII)
"""A status that is safe to show in prompts and on screens."""
CURRENCY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]{0,31}", re.ASCII)
MODES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Numeral:
    """A JSON number instead of the venue's string of digits; it makes one entry unreadable."""

    text: str

    def __str__(self) -> str:
        """The text of the number."""
        return self.text


OFF: Final = (None, False, "", "false", "False", Numeral("0"))


def list_products(body: bytes | str, wanted: Iterable[str], *, venue: str) -> ProductListing:
    """Find the wanted products in the body of `GET /products`.

    Raises:
        RestMalformed: The body is not a list.
    """
    listed = load(body, number=Numeral)
    if not isinstance(listed, list):
        raise RestMalformed("products: expected a list")
    entries: dict[str, list[Mapping[str, object]]] = {}
    for entry in listed:
        if isinstance(entry, dict) and isinstance(product_id := entry.get("id"), str):
            entries.setdefault(product_id, []).append(entry)
    found: list[Product] = []
    rejected: dict[str, str] = {}
    for product_id in dict.fromkeys(wanted):
        try:
            product = _one_of(entries.get(product_id, ()), venue)
        except ValueError as error:
            rejected[product_id] = f"{UNREADABLE}: {error}"[:ERROR_CHARS_MAX]
            continue
        if product is None:
            rejected[product_id] = UNLISTED
        else:
            found.append(product)
    return ProductListing(
        online=tuple(p for p in found if p.status == ONLINE),
        closed=tuple(p for p in found if p.status != ONLINE),
        rejected=rejected,
    )


def unknown_product(product_id: str, status: str, venue: str) -> Product:
    """The rules to publish for a product without a usable entry, so that no order is filled.

    Args:
        product_id: Id such as "BTC-USD"; the currencies are taken from it.
        status: `UNLISTED` or `UNREADABLE`.
        venue: Name of the venue.
    """
    base, _, quote = product_id.rpartition("-")
    return Product(
        venue=venue,
        product_id=product_id,
        base_currency=base,
        quote_currency=quote,
        base_increment=UNKNOWN_STEP,
        quote_increment=UNKNOWN_STEP,
        min_market_funds=UNKNOWN_STEP,
        status=status,
    )


def _one_of(entries: Sequence[Mapping[str, object]], venue: str) -> Product | None:
    """The product of all entries with one id; None if there is none.

    Raises:
        ValueError: An entry cannot be read, or two entries differ.
    """
    products = [_product(entry, venue) for entry in entries]
    if any(product != products[0] for product in products):
        raise ValueError("it is listed twice, with different rules")
    return products[0] if products else None


def _product(entry: Mapping[str, object], venue: str) -> Product:
    product = Product(
        venue=venue,
        product_id=str(entry["id"]),
        base_currency=_currency(entry, "base_currency"),
        quote_currency=_currency(entry, "quote_currency"),
        base_increment=_positive(entry, "base_increment"),
        quote_increment=_positive(entry, "quote_increment"),
        min_market_funds=_not_negative(entry, "min_market_funds"),
        status=_status(entry),
        modes=_modes(entry),
    )
    if why := why_not_carried(product.base_increment, product.quote_increment):
        raise ValueError(why)
    return product


def _currency(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not CURRENCY.fullmatch(value):
        raise ValueError(f"{name} is {str(value)[:40]!r}; expected a currency such as USD")
    return value


def _positive(entry: Mapping[str, object], name: str) -> Decimal:
    number = _number(entry, name)
    if number <= 0:
        raise ValueError(f"{name} is {number}; expected a number above zero")
    return number


def _not_negative(entry: Mapping[str, object], name: str) -> Decimal:
    number = _number(entry, name)
    if number < 0:
        raise ValueError(f"{name} is {number}; expected zero or more")
    return number


def _number(entry: Mapping[str, object], name: str) -> Decimal:
    try:
        return parse_number(entry, name)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(name) else f"{name} is {text}") from None


def _status(entry: Mapping[str, object]) -> str:
    value = entry.get("status")
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise ValueError(f"status is {str(value)[:40]!r}; expected a word such as {ONLINE!r}")
    return value


def _modes(entry: Mapping[str, object]) -> tuple[str, ...]:
    """The flags that are on: every flag whose value is not in `OFF`."""
    on = [key for key, value in entry.items() if value not in OFF and MODE_KEY.fullmatch(key)]
    return tuple(sorted(on)[:MODES_MAX])
