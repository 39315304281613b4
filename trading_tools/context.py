"""The context that a tool gets besides its arguments, and what it returns.

A tool that touches no account returns an `Answer`; it may use the candles up to the agent's
snapshot (`MarketContext`). A tool that touches an account runs in that account's single writer: it
returns an `Answer` from what it reads there, or an `Order`, which the executor decides by the
rules. No tool changes an account itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from arena.messages import Side
from arena.money import parse_decimal
from trading_tools.candle_store import CandleView
from trading_tools.portfolio import PortfolioView


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The caller and the time; the agent comes from the message's envelope, never from a model.

    Attributes:
        agent: The calling agent.
        turn_id: The turn of the call.
        call_id: The call.
        snapshot_id: The snapshot that the agent saw.
        now: Wall time of the call, UTC.
    """

    agent: str
    turn_id: str
    call_id: str
    snapshot_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class MarketContext(ToolContext):
    """The context of a tool that uses candles, also of a plugin's: annotate `ctx` with it.

    Attributes:
        candles: The closed minutes up to the agent's snapshot, and none after it.
        shown: Granularity -> names of the indicators in snapshots.
    """

    candles: CandleView
    shown: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class AccountContext(ToolContext):
    """The context of a tool that touches the account: it can read it, and never change it."""

    _portfolio: Callable[[], PortfolioView]

    def portfolio(self) -> PortfolioView:
        """The caller's account after everything decided before this call, at the newest bids."""
        return self._portfolio()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a tool.

    Attributes:
        text: For the model.
        value: The same for programs.
        error: A listed word such as "bad_expression"; empty for success.
    """

    text: str
    value: JsonValue = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A market order for the executor to decide.

    Attributes:
        quantity: Base units, as asked for; any finite number, the executor checks it.
    """

    product_id: str
    quantity: Decimal
    action: Side

    def __post_init__(self) -> None:
        """Refuse a quantity that is not an amount.

        Raises:
            ValueError: It is not finite or out of range.
        """
        parse_decimal(self.quantity)
