"""What a tool gets beside its arguments, and what it gives back.

A tool that touches no account answers with an `Answer`. A tool that touches an account runs in
that account's single writer: it answers from what it reads there, or returns an `Order`, and the
executor decides the order by the rules. No tool ever changes an account itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from arena.account_state import Account
from arena.currency import DEFAULT_CURRENCY
from arena.messages import Side
from arena.money import parse_decimal
from trading_tools.portfolio import PortfolioView, portfolio_of
from trading_tools.quotes import Listing, Quote


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who calls, and when; the agent comes from the message's envelope, never from a model.

    Attributes:
        agent: The calling agent.
        turn_id: The turn that asked. call_id: this call. snapshot_id: what the agent saw.
        now: Wall time of the call, UTC.
    """

    agent: str
    turn_id: str
    call_id: str
    snapshot_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class AccountContext(ToolContext):
    """The context of a tool that touches the account: it may look, never change."""

    _account: Account
    _quotes: Mapping[str, Quote]
    _currency: str = DEFAULT_CURRENCY
    _listings: Mapping[str, Listing] = field(default_factory=dict)

    def portfolio(self) -> PortfolioView:
        """The caller's account after everything decided before this call, at the newest bids."""
        return portfolio_of(self._account, self._quotes, self._currency, self._listings)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says.

    Attributes:
        text: For the model. value: the same for programs.
        error: Empty where all is well, else a listed word such as "bad_expression".
    """

    text: str
    value: JsonValue = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A market order for the executor to decide.

    Attributes:
        quantity: Base units, as asked; any finite number, the executor refuses what it must.
    """

    product_id: str
    quantity: Decimal
    action: Side

    def __post_init__(self) -> None:
        """Refuse a quantity that is not an amount at all.

        Raises:
            ValueError: It is not finite or out of range.
        """
        parse_decimal(self.quantity)
