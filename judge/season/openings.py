"""Starting cash, currencies and costs of a season's accounts, and the accounts themselves. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from arena.currency import DEFAULT_CURRENCY
from arena.messages import Rules
from arena.money import BPS, from_units, to_units
from arena.shadow_agents import is_shadow
from judge.formatting import joined_names
from judge.season.accounts_fold import AccountsFold
from judge.season.arrays import account_arrays, hold_curve
from judge.season.assumptions import Assumptions
from judge.season.currencies import (
    IndexedAccounts,
    Openings,
    hold_index,
    indexed_accounts,
    settled_products,
)
from judge.season.rules_used import RulesUsed
from judge.season.types import FilledOrder, FloatArray

KnownRules = RulesUsed | Rules | None
"""The first rules of the season; before any order those of the roster, if there are any."""


def season_accounts(
    accounts: AccountsFold,
    fills: Sequence[Sequence[FilledOrder]],
    openings: Sequence[Openings],
    rules: KnownRules,
    known: Assumptions,
    quotes: tuple[FloatArray, FloatArray],
) -> tuple[IndexedAccounts, FloatArray]:
    """Return the accounts and the equal-weight market, as indices if there are several currencies.

    Args:
        accounts: The fold of the account log.
        fills: Filled orders of each ranked entry.
        openings: Starting cash of each ranked entry.
        rules: The first rules of the season.
        known: The assumptions, with products and currencies.
        quotes: Best bids and asks, [T+1, P] each.
    """
    products, costs = known.products, costs_of(rules)
    if not known.wallets:
        start = [own.get(known.currency, 0) for own in openings]
        cash, exposure = account_arrays(start, fills, products, quotes[0])
        hold = hold_curve(hold_cash(accounts, rules), *quotes, *costs)
        return IndexedAccounts(cash, exposure), hold
    traded = frozenset(fill.product_id for own in fills for fill in own)
    groups = settled_products(products, known.currencies, accounts.settled, traded)
    found = indexed_accounts(openings, fills, groups, products, quotes[0])
    market = {known.currency: hold_cash(accounts, rules)}
    market |= {unit: to_units(cash) for unit, cash in known.wallets}
    return found, hold_index(market, groups, products, quotes, costs)


def openings_of(
    accounts: AccountsFold, name: str, rules: KnownRules, roster_rules: Rules | None
) -> Openings:
    """Return currency -> starting cash, also of an account that is not open yet."""
    main = currency_of(rules)
    if (known := accounts.opened.get(name)) is not None:
        return {main: known} | accounts.wallets(name)
    further = roster_rules.wallets if roster_rules else {}
    cash = {currency: to_units(amount) for currency, amount in sorted(further.items())}
    return {main: hold_cash(accounts, roster_rules)} | cash


def currency_of(rules: KnownRules) -> str:
    """Return the currency of the main accounts."""
    return rules.currency if rules else DEFAULT_CURRENCY


def further_currencies(
    rules: KnownRules, openings: Sequence[Openings]
) -> tuple[tuple[str, Decimal], ...]:
    """Return the further currencies of rules and accounts, with the cash that wallets start with.

    The rules say it; for a currency that they lack, the largest wallet does.
    """
    found: dict[str, Decimal] = {}
    for own in openings:
        for currency, amount in list(own.items())[1:]:
            found[currency] = max(found.get(currency, Decimal(0)), from_units(amount))
    if rules is not None:
        found |= dict(rules.wallets.items() if isinstance(rules, Rules) else rules.wallets)
    return tuple(sorted(found.items()))


def fewer_currencies_note(names: Sequence[str], openings: Sequence[Openings]) -> str:
    """Return which entries hold fewer currencies than others; "" if all hold the same."""
    most = max((len(own) for own in openings), default=0)
    fewer = [
        f"{name} holds {joined_names(list(own), len(own))} alone"
        for name, own in zip(names, openings, strict=True)
        if len(own) < most
    ]
    if not fewer:
        return ""
    return f"{joined_names(fewer)}: its index is over that."


def hold_cash(accounts: AccountsFold, rules: KnownRules) -> int:
    """Return the main cash that the equal-weight market starts with, in units of 10^-8."""
    if rules is not None:
        return to_units(rules.starting_cash_usd)
    own = (cash for name, cash in accounts.opened.items() if not is_shadow(name))
    return max(own, default=0)


def costs_of(rules: KnownRules) -> tuple[float, float]:
    """Return fee and slippage as shares of a notional; zero if no rules are known."""
    return (float(rules.fee_bps) / BPS, float(rules.slippage_bps) / BPS) if rules else (0.0, 0.0)
