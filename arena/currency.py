"""The currency of accounts: one arena, one currency, and every product is quoted in it. Pure.

Amounts are whole units of 10^-8 in every currency (`arena.money`). Names of fields that end in
`_usd` are older than this: they hold amounts in `Rules.currency`. What models cost is in US
dollars, whatever the accounts hold.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from arena.errors import UsageError
from arena.money import CASH_STEP

DEFAULT_CURRENCY: Final = "USD"
CURRENCY_PATTERN: Final = r"^[A-Z0-9]{1,10}$"
PRODUCTS_NAMED_MAX: Final = 4
"""Products that one sentence names; the others are counted."""

_FIAT = (
    "AED ARS AUD BRL CAD CHF COP CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN NGN NOK NZD PHP"
    " PLN RON RUB SEK SGD THB TRY TWD UAH VND ZAR"
)
_DOLLARS = "USD BUSD DAI FDUSD GUSD PAX PYUSD RLUSD TUSD USD1 USDC USDD USDE USDG USDP USDS USDT"
_OTHER_STABLECOINS = "EURC EURI EURT GYEN"
DOLLARS: Final = frozenset(_DOLLARS.split())
"""The US dollar, and what is to be worth one."""

SMALL_UNITS: Final = DOLLARS | frozenset(_FIAT.split() + _OTHER_STABLECOINS.split())
"""Currencies of which a cent is a small amount; a hundredth of another one, such as BTC, is not."""


def quote_of(product_id: str) -> str:
    """The currency that a product is quoted in: "USDT" of "BTC-USDT"."""
    return product_id.rpartition("-")[2]


def cash_step(currency: str) -> int:
    """The step in which cash moves, in units of 10^-8: a millionth of a dollar, 10^-8 of a BTC."""
    return CASH_STEP if currency in SMALL_UNITS else 1


def cash_digits(currency: str) -> int:
    """Digits after the point that a screen shows of an amount of cash: 2, or 8 for BTC and ETH."""
    return 2 if currency in SMALL_UNITS else 8


def cash_words(amount: Decimal, currency: str) -> str:
    """An amount with its currency, as in "100,000.00 USDT" and "1.50000000 BTC"."""
    return f"{amount:,.{cash_digits(currency)}f} {currency}"


Products = Iterable[str] | Mapping[str, str]


class CurrencyFault(NamedTuple):
    """Why accounts cannot trade the products, and what to do."""

    what: str
    remedy: str


IN_SPEC: Final = 'write [rules] currency = "{0}"'
"""How a currency is asked for in an ARENA.toml."""

AS_FLAG: Final = "start with --currency {0}"
"""How a currency is asked for on a command line."""


def currency_fault(
    products: Products, currency: str | None, ask: str = IN_SPEC
) -> CurrencyFault | None:
    """Why accounts cannot trade these products, or None if they can.

    Args:
        products: Ids such as "BTC-USDT"; or ids with the currencies that they are quoted in.
        currency: What the accounts are to hold; None if nothing names it.
        ask: How another currency is asked for, with "{0}" in its place.
    """
    given = products if isinstance(products, Mapping) else {p: quote_of(p) for p in products}
    by_quote: dict[str, list[str]] = {}
    for product_id, quote in given.items():
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
            "an arena has accounts in one currency: keep the products of one, and run an arena of"
            " its own for each of the others",
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
        products: Ids such as "BTC-USDT"; or ids with the currencies that they are quoted in.
        currency: What was asked for; None for the default.
        ask: How another currency is asked for, with "{0}" in its place.

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
