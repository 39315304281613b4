"""What an agent knows of its own account: from its last tool results, marked at a snapshot.

The executor owns the account; the router only repeats what `get_portfolio` or `execute_trade` said
last. Pure: reads and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import Field, ValidationError

from arena.messages import MarketSnapshot, Part, ToolResult
from arena.money import WireDecimal

POSITIONS_MAX = 30
"""More positions than this are not repeated in a prompt; the agent can ask for all of them."""


class HeldPosition(Part):
    """One position as the executor told it.

    Attributes:
        quantity: Base units. average_cost: USD per base unit, fees included.
        bid: What a seller got when it was told; None where no price was known.
        held_s: Venue seconds since entry, weighted by quantity; None where unknown.
    """

    product_id: str = Field(max_length=64)
    quantity: WireDecimal
    average_cost: WireDecimal
    bid: WireDecimal | None = None
    held_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Portfolio(Part):
    """An account as the executor told it.

    Attributes:
        cash_usd: What the agent may spend.
        positions: Products it holds.
    """

    cash_usd: WireDecimal
    positions: tuple[HeldPosition, ...] = ()


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
    equity_usd: Decimal
    positions: tuple[MarkedPosition, ...]


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


def mark(known: KnownPortfolio, snapshot: MarketSnapshot) -> MarkedPortfolio:
    """The portfolio valued at the bids of a snapshot, as of its venue time."""
    elapsed_s = max(0.0, (snapshot.as_of - known.as_of).total_seconds())
    bids = {v.product_id: v.ticker.best_bid for v in snapshot.products if v.ticker is not None}
    equity = known.portfolio.cash_usd
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
    return MarkedPortfolio(known.portfolio.cash_usd, equity, tuple(marked))
