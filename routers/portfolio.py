"""What an agent knows about its account: its last tool results, valued at a snapshot.

The executor owns the account; the router only repeats the last result of `get_portfolio` or
`execute_trade`. Pure: reads and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from arena.currency import DEFAULT_CURRENCY
from arena.messages import MarketSnapshot, Portfolio, ToolResult, Turn

POSITIONS_MAX = 30
"""At most so many positions are repeated in a prompt; the agent can ask for all of them."""


@dataclass(frozen=True, slots=True)
class KnownPortfolio:
    """A portfolio, and the venue time of the snapshot of the turn that it comes from."""

    portfolio: Portfolio
    as_of: datetime


@dataclass(frozen=True, slots=True)
class MarkedPosition:
    """A position valued at a snapshot's bid.

    Attributes:
        bid: From the snapshot, else from the portfolio; None if neither has one.
        unrealised_usd: Value at the bid less cost; None without a bid.
        held_s: Venue seconds up to the snapshot; None if unknown.
    """

    product_id: str
    quantity: Decimal
    average_cost: Decimal
    bid: Decimal | None
    unrealised_usd: Decimal | None
    held_s: float | None


@dataclass(frozen=True, slots=True)
class MarkedPortfolio:
    """A portfolio valued at a snapshot; a position without a bid counts at its cost.

    Attributes:
        wallets: The accounts in further currencies.
    """

    cash_usd: Decimal
    scraped_usd: Decimal
    equity_usd: Decimal
    positions: tuple[MarkedPosition, ...]
    currency: str = DEFAULT_CURRENCY
    wallets: "tuple[MarkedPortfolio, ...]" = ()


def portfolio_of_result(result: ToolResult) -> Portfolio | None:
    """The portfolio in a tool result, or None.

    The value of `get_portfolio` is one; `execute_trade` has it under the key "portfolio".
    """
    value = result.value
    if not isinstance(value, Mapping):
        return None
    found = value.get("portfolio", value)
    if not isinstance(found, Mapping) or "cash_usd" not in found:
        return None
    try:
        return Portfolio.model_validate(found)
    except ValidationError:
        return None


def portfolio_after(turn: Turn, before: KnownPortfolio | None) -> KnownPortfolio | None:
    """What the agent knows about its account after a turn, from the turn's record.

    Args:
        turn: The recorded turn.
        before: What the agent knew when the turn started.

    Returns:
        None if nothing is known, and after an aborted turn: one of its orders may have been
        carried out, so the portfolio from before may be outdated.
    """
    if turn.outcome == "aborted":
        return None
    if turn.portfolio is None or turn.portfolio_as_of is None:
        return before
    return KnownPortfolio(turn.portfolio, turn.portfolio_as_of)


def mark(known: KnownPortfolio, snapshot: MarketSnapshot) -> MarkedPortfolio:
    """The portfolio valued at the bids of a snapshot, as of its venue time."""
    elapsed_s = max(0.0, (snapshot.as_of - known.as_of).total_seconds())
    bids = {v.product_id: v.ticker.best_bid for v in snapshot.products if v.ticker is not None}
    return _mark(known.portfolio, bids, elapsed_s)


def _mark(last: Portfolio, bids: Mapping[str, Decimal], elapsed_s: float) -> MarkedPortfolio:
    equity = last.cash_usd + last.scraped_usd
    marked = []
    for position in last.positions:
        bid = bids.get(position.product_id, position.bid)
        cost = position.quantity * position.average_cost
        value = cost if bid is None else position.quantity * bid
        equity += value
        marked.append(
            MarkedPosition(
                product_id=position.product_id,
                quantity=position.quantity,
                average_cost=position.average_cost,
                bid=bid,
                unrealised_usd=None if bid is None else value - cost,
                held_s=None if position.held_s is None else position.held_s + elapsed_s,
            )
        )
    return MarkedPortfolio(
        last.cash_usd,
        last.scraped_usd,
        equity,
        tuple(marked),
        last.currency,
        tuple(_mark(wallet, bids, elapsed_s) for wallet in last.wallets),
    )
