"""The currencies of accounts: every product must be quoted in one of them. Pure.

Amounts are whole units of 10^-8 in every currency (`arena.money`). Fields whose names end in `_usd`
hold amounts in the account's currency; the names are older than other currencies. Model costs are
always in US dollars.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from arena.errors import UsageError
from arena.money import CASH_STEP
from arena.products import quote_of

DEFAULT_CURRENCY: Final = "USD"
CURRENCY_PATTERN: Final = r"^[A-Z0-9]{1,10}$"
PRODUCTS_NAMED_MAX: Final = 4
"""Number of products that an error names; the others are counted."""

_FIAT = (
    "AED ARS AUD BRL CAD CHF COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN NGN NOK NZD PHP"
    " PLN RON RUB SEK SGD THB TRY TWD UAH VND ZAR"
)
_DOLLARS = "USD BUSD DAI FDUSD GUSD PAX PYUSD RLUSD TUSD USD1 USDC USDD USDE USDG USDP USDS USDT"
_OTHER_STABLECOINS = "EURC EURI EURT GYEN"
DOLLARS: Final = frozenset(_DOLLARS.split())
"""The US dollar and stablecoins that are pegged to it."""

SMALL_UNITS: Final = DOLLARS | frozenset(_FIAT.split() + _OTHER_STABLECOINS.split())
"""Currencies with cents; a hundredth of any other one, such as BTC, is a large amount."""


def cash_step(currency: str) -> int:
    """The smallest step of cash in units of 10^-8: a millionth of a dollar, 10^-8 of a BTC."""
    return CASH_STEP if currency in SMALL_UNITS else 1


def cash_digits(currency: str) -> int:
    """Digits after the point when cash is shown: 2, or 8 for BTC and ETH."""
    return 2 if currency in SMALL_UNITS else 8


def cash_words(amount: Decimal, currency: str) -> str:
    """An amount with its currency: "100,000.00 USDT" or "1.50000000 BTC"."""
    return f"{amount:,.{cash_digits(currency)}f} {currency}"


Products = Iterable[str] | Mapping[str, str]


class CurrencyFault(NamedTuple):
    """Why accounts cannot trade the products, and the remedy."""

    what: str
    remedy: str


IN_SPEC: Final = 'write [rules] currency = "{0}"'
"""How to choose a currency in an ARENA.toml."""

AS_FLAG: Final = "start with --currency {0}"
"""How to choose a currency on a command line."""


def currency_fault(
    products: Products,
    currency: str | None,
    ask: str = IN_SPEC,
    wallets: Collection[str] = (),
) -> CurrencyFault | None:
    """Return why accounts cannot trade these products, or None if they can.

    Args:
        products: Ids such as "BTC-USDT", or ids with their quote currencies.
        currency: The currency of the accounts; None if it is not given.
        ask: How to choose another currency, with "{0}" in its place.
        wallets: Further currencies that the accounts hold.
    """
    given = products if isinstance(products, Mapping) else {p: quote_of(p) for p in products}
    by_quote: dict[str, list[str]] = {}
    for product_id, quote in given.items():
        if quote not in wallets:
            by_quote.setdefault(quote, []).append(product_id)
    wanted = DEFAULT_CURRENCY if currency is None else currency
    if not re.fullmatch(CURRENCY_PATTERN, wanted) and wanted.upper() not in by_quote:
        return CurrencyFault(f"currency was {wanted!r}", 'write a code in capitals, such as "USDT"')
    if by_quote.keys() <= {wanted}:
        return None
    if len(by_quote) > 1:
        groups = "; ".join(f"{_named(ids)} in {quote}" for quote, ids in sorted(by_quote.items()))
        return CurrencyFault(
            f"the products are quoted in {len(by_quote)} currencies: {groups}",
            "give each further currency its starting cash, as in [rules] wallets = { USDT = 50000 }"
            " or --wallet USDT=50000, or keep the products of one currency",
        )
    ((quote, ids),) = by_quote.items()
    are = f"{_named(ids)} {'is' if len(ids) == 1 else 'are'} quoted in {quote}"
    held = f"the accounts hold {wanted}" if currency is None else f"currency is {wanted!r}"
    same = currency is None or currency.upper() == quote
    choose = "" if same else f", or choose products that are quoted in {wanted}"
    return CurrencyFault(f"{are}, but {held}", f"{ask.format(quote)}{choose}")


def account_currency(products: Products, currency: str | None = None, ask: str = IN_SPEC) -> str:
    """The currency of accounts that trade these products.

    Args:
        products: Ids such as "BTC-USDT", or ids with their quote currencies.
        currency: The chosen currency; None for the default.
        ask: How to choose another currency, with "{0}" in its place.

    Raises:
        UsageError: A product is quoted in another currency.
    """
    if fault := currency_fault(products, currency, ask):
        raise UsageError(fault.what, remedy=fault.remedy)
    return currency or DEFAULT_CURRENCY


def _named(products: Sequence[str]) -> str:
    more = len(products) - PRODUCTS_NAMED_MAX
    names = ", ".join(products[:PRODUCTS_NAMED_MAX])
    return f"{names} and {more} more" if more > 0 else names
