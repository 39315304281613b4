"""Accounts in several currencies: the parts in each, and the wealth index over them. Pure.

No amount is converted. The wealth index of an entry is the mean, over its currencies, of its equity
in that currency over the cash that it started with in it: 1 at the start, in no currency. Weights
stay equal shares of the starting wealth; they are not restored to equal shares later.

A season in one currency has no parts: its arrays are amounts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from arena.money import SCALE
from arena.products import quote_of
from judge.season.arrays import account_arrays, hold_curve
from judge.season.types import CurrencyPart, FilledOrder, FloatArray

Openings = Mapping[str, int]
"""Currency -> cash that an account was opened with, in units of 10^-8."""


class IndexedAccounts(NamedTuple):
    """The accounts of a season; indices if there are parts, else amounts.

    Attributes:
        cash: [T+1, N].
        exposure: [T+1, N, P].
        parts: One per currency, the main one first; () with one currency.
    """

    cash: FloatArray
    exposure: FloatArray
    parts: tuple[CurrencyPart, ...] = ()


def settled_products(
    products: Sequence[str],
    currencies: Sequence[str],
    settled: Mapping[str, str],
    traded: frozenset[str],
) -> dict[str, tuple[str, ...]]:
    """Return currency -> the products that are settled in it.

    Args:
        products: Products of the season.
        currencies: Currencies of the accounts, the main one first.
        settled: Product -> currency of the wallet that its orders were settled in.
        traded: Products with a fill; without a wallet they are settled in the main account. Any
            other product belongs to its quote currency, and to none if no account holds it.
    """
    found: dict[str, list[str]] = {currency: [] for currency in currencies}
    for product in products:
        own = settled.get(product, currencies[0]) if product in traded else quote_of(product)
        if own in found:
            found[own].append(product)
    return {currency: tuple(names) for currency, names in found.items()}


def indexed_accounts(
    openings: Sequence[Openings],
    fills: Sequence[Sequence[FilledOrder]],
    groups: Mapping[str, tuple[str, ...]],
    products: tuple[str, ...],
    bids: FloatArray,
) -> IndexedAccounts:
    """Return the accounts in every currency, and their indices.

    Args:
        openings: Starting cash of each entry.
        fills: Filled orders of each entry.
        groups: Currency -> its products, from `settled_products`.
        products: All products, the last axis of the exposure.
        bids: Best bids [T+1, P].
    """
    rows, count = len(bids), len(openings)
    cash, exposure = np.zeros((rows, count)), np.zeros((rows, count, len(products)))
    held = np.array([sum(amount > 0 for amount in own.values()) for own in openings])
    parts = []
    for currency, names in groups.items():
        start = [own.get(currency, 0) for own in openings]
        own_fills = [[fill for fill in own if fill.product_id in names] for own in fills]
        in_cash, in_positions = account_arrays(start, own_fills, products, bids)
        amounts = np.array(start) / SCALE
        known = amounts > 0
        weights = np.where(known, 1 / np.where(held > 0, held, 1), 0.0)
        per_unit = weights / np.where(known, amounts, 1.0)
        cash += in_cash * per_unit
        exposure += in_positions * per_unit[:, np.newaxis]
        equity = in_cash + in_positions.sum(axis=2)
        parts.append(CurrencyPart(currency, names, equity, per_unit))
    return IndexedAccounts(cash, exposure, tuple(parts))


def hold_index(
    openings: Openings,
    groups: Mapping[str, tuple[str, ...]],
    products: tuple[str, ...],
    quotes: tuple[FloatArray, FloatArray],
    costs: tuple[float, float],
) -> FloatArray:
    """Return the equal-weight market as a wealth index, [T+1].

    In every currency, its cash buys an equal share of each of its products.

    Args:
        openings: Starting cash.
        groups: Currency -> its products.
        products: All products, the last axis of the quotes.
        quotes: Best bids and asks, [T+1, P] each.
        costs: Fee and slippage as shares of a notional.
    """
    bids, asks = quotes
    columns = {product: column for column, product in enumerate(products)}
    held = {currency: cash for currency, cash in openings.items() if cash > 0}
    found = np.zeros(len(bids))
    for currency, cash in held.items():
        own = [columns[product] for product in groups.get(currency, ())]
        worth = hold_curve(cash, bids[:, own], asks[:, own], *costs)
        found += worth / (cash / SCALE) / len(held)
    return found


def parts_of(parts: Sequence[CurrencyPart], entries: Sequence[int]) -> tuple[CurrencyPart, ...]:
    """Return the parts of some entries, by index and in this order."""
    chosen = list(entries)
    return tuple(
        replace(one, equity=one.equity[:, chosen], per_unit=one.per_unit[chosen]) for one in parts
    )
