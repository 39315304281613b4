"""Accounts in several currencies: amounts in each, and the wealth index over them. Pure.

No amount is converted. The index is the mean over an agent's currencies of its amount in one over
its opening cash in it, as the judge computes it; `INDEX_ONE` is the start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from arena.account_state import Account
from arena.currency import cash_digits
from arena.money import PriceUnits, divide_half_even
from dashboard.model.equity_curves import EquityCurve, Snapshots, Value

INDEX_ONE = 10**12
"""The wealth index at the opening of an account."""


@dataclass(frozen=True, slots=True)
class CurrencyRow:
    """An agent's account in one of several currencies; amounts are in it, in units of 10^-8.

    Attributes:
        digits: Decimals of its amounts.
    """

    currency: str
    opening: int
    equity: int
    cash: int
    scraped: int
    fees: int
    slippage: int
    latency_cost: int
    realised: int
    fills: int
    rejections: int
    digits: int


def currency_rows(
    currency: str, account: Account, wallets: Mapping[str, Account], bids: dict[str, PriceUnits]
) -> tuple[CurrencyRow, ...]:
    """An agent's accounts, the main one first; () if it has only one.

    Args:
        currency: Currency of the main account.
        account: The main account.
        wallets: Further currency -> account.
        bids: Product id -> best bid.
    """
    if not wallets:
        return ()
    return tuple(
        CurrencyRow(
            currency=unit,
            opening=one.opening,
            equity=one.equity(bids),
            cash=one.cash,
            scraped=one.scraped,
            fees=one.fees,
            slippage=one.slippage,
            latency_cost=one.latency_cost,
            realised=one.realised,
            fills=one.fills,
            rejections=one.rejections,
            digits=cash_digits(unit),
        )
        for unit, one in ((currency, account), *sorted(wallets.items()))
    )


def index_of(amounts: Iterable[tuple[int, int]]) -> int:
    """The mean of amounts over openings, times `INDEX_ONE`; 0 without an opening.

    Args:
        amounts: Amount and opening cash in each currency; one without opening cash is left out.
    """
    shares = [divide_half_even(n * INDEX_ONE, opening) for n, opening in amounts if opening > 0]
    return divide_half_even(sum(shares), len(shares)) if shares else 0


def index_values(
    curves: Sequence[EquityCurve], openings: Sequence[int], snapshots: Snapshots
) -> list[Value]:
    """The wealth index at each kept snapshot; None if the equity in any currency is unknown.

    Args:
        curves: Equity in each currency.
        openings: Opening cash in each.
        snapshots: The kept snapshots.
    """
    found: list[Value] = []
    for row in zip(*(curve.values(snapshots) for curve in curves), strict=True):
        known = [value for _, value in row if value is not None]
        whole = len(known) == len(row)
        found.append((row[0][0], index_of(zip(known, openings, strict=True)) if whole else None))
    return found
