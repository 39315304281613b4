"""What an agent knows of its own account: from its last tool results, marked at a snapshot.

The executor owns the account; the router only repeats what `get_portfolio` or `execute_trade` said
last. Pure: reads and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from arena.currency import DEFAULT_CURRENCY
from arena.messages import MarketSnapshot, Portfolio, ToolResult, Turn

POSITIONS_MAX = 30
"""More positions than this are not repeated in a prompt; the agent can ask for all of them."""


@dataclass(frozen=True, slots=True)
class KnownPortfolio:
    """A portfolio and the venue time of the snapshot the agent answered when it was told."""

    portfolio: Portfolio
    as_of: datetime


@dataclass(frozen=True, slots=True)
class MarkedPosition:
    """A position valued at a snapshot's bid.

    Attributes:
        bid: From the snapshot, else as it was told; None where neither knows one.
        unrealised_usd: Value at the bid less cost; None without a bid.
        held_s: Venue seconds up to the snapshot; None where unknown.
    """

    product_id: str
    quantity: Decimal
    average_cost: Decimal
    bid: Decimal | None
    unrealised_usd: Decimal | None
    held_s: float | None


@dataclass(frozen=True, slots=True)
class MarkedPortfolio:
    """A portfolio valued at a snapshot; a position without any bid counts at its cost."""

    cash_usd: Decimal
    scraped_usd: Decimal
    equity_usd: Decimal
    positions: tuple[MarkedPosition, ...]
    currency: str = DEFAULT_CURRENCY


def portfolio_in(result: ToolResult) -> Portfolio | None:
    """The portfolio a tool result carries, or None.

    `get_portfolio` answers with it; `execute_trade` has it under the key "portfolio".
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
    """What the agent knows of its account after a turn, from the turn's record.

    Args:
        turn: As it was recorded.
        before: What the agent knew when the turn began.

    Returns:
        None where it was never told, and after a turn that was cut off: an order of it may have
        been carried out, so what was known before is no longer known.
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
    equity = known.portfolio.cash_usd + known.portfolio.scraped_usd
    marked = []
    for position in known.portfolio.positions:
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
    told = known.portfolio
    return MarkedPortfolio(told.cash_usd, told.scraped_usd, equity, tuple(marked), told.currency)
