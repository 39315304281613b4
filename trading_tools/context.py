"""The context that a tool gets besides its arguments, and what it returns.

A tool that touches no account returns an `Answer`; it may use the candles up to the agent's
snapshot (`MarketContext`). A tool that touches an account runs in that account's single writer: it
returns an `Answer` from what it reads there, or an `AccountRequest` (`Order`, `SetExits`,
`CancelOrder`), which the executor decides by the rules. No tool changes an account itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from arena.messages import Side
from arena.money import decimal_text, parse_decimal, to_price_units, to_units
from trading_tools.account_records import AccountRecords
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
    _records: Callable[[], AccountRecords] = AccountRecords

    def records(self) -> AccountRecords:
        """The caller's account, orders, fills and limits, for tools that measure them."""
        return self._records()

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


PERCENT_DIGITS = 6
TAKE_PROFIT_PCT_MAX = 1_000
EXIT_SECONDS_MAX = 30 * 86_400
ALL_ORDERS = "all"
"""`CancelOrder.order_id` for every open order of the agent."""


class RefusedArguments(ValueError):
    """Arguments that fit the schema and cannot be used together; the message has the remedy."""


@dataclass(frozen=True, slots=True)
class Share:
    """A quantity as a share: of the position for a sell, of the cash for a buy, fee included.

    Attributes:
        part: Above 0, at most 1 (everything), with at most eight decimals.
    """

    part: Decimal

    def __post_init__(self) -> None:
        """Refuse a share out of range.

        Raises:
            ValueError: It is not above 0 and at most 1, or has more than eight decimals.
        """
        if not 0 < self.part <= 1:
            raise ValueError(f"the share {decimal_text(self.part)} is not above 0 and at most 1")
        to_units(self.part)

    @property
    def text(self) -> str:
        """The share as agents write it: "all" or "50%"."""
        return "all" if self.part == 1 else f"{decimal_text((self.part * 100).normalize())}%"


@dataclass(frozen=True, slots=True)
class ExitRequest:
    """Exits for a position, with an entry or for what is held.

    Percentages are measured from the price of the entry's fill, or, for what is held, from the
    current bid.

    Attributes:
        stop_loss_pct: Sell when the bid is this many percent lower, or less.
        take_profit_pct: Sell when the bid is this many percent higher, or more.
        trailing_pct: Sell when the bid is this many percent below its highest since, or less.
        stop_loss_price, take_profit_price: The same as a price; not beside a percentage.
        exit_after_s: Sell this many seconds of venue time later.
    """

    stop_loss_pct: Decimal | None = None
    take_profit_pct: Decimal | None = None
    trailing_pct: Decimal | None = None
    stop_loss_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    exit_after_s: int | None = None

    def __post_init__(self) -> None:
        """Refuse values out of range and contradictions.

        Raises:
            RefusedArguments: With the argument, its value and the remedy.
        """
        check_percent("stop_loss_pct", self.stop_loss_pct, below=100)
        check_percent("take_profit_pct", self.take_profit_pct, below=TAKE_PROFIT_PCT_MAX)
        check_percent("trailing_pct", self.trailing_pct, below=100)
        check_price("stop_loss_price", self.stop_loss_price)
        check_price("take_profit_price", self.take_profit_price)
        check_seconds("exit_after", self.exit_after_s)
        for name in ("stop_loss", "take_profit"):
            if None not in (getattr(self, f"{name}_pct"), getattr(self, f"{name}_price")):
                raise RefusedArguments(f"give {name}_pct or {name}_price, not both")

    @property
    def is_empty(self) -> bool:
        """True if it asks for no exit."""
        return self == NO_EXITS


def check_percent(name: str, value: Decimal | None, *, below: int) -> None:
    """Check a distance in percent: 3 is 3 %.

    Raises:
        RefusedArguments: It is not above 0 and below the bound, or has too many decimals.
    """
    if value is None:
        return
    if not 0 < value < below:
        raise RefusedArguments(
            f"{name} was {decimal_text(value)}; send a percentage above 0 and below {below:,},"
            " such as 3 for 3 %, or leave it out"
        )
    if value != round(value, PERCENT_DIGITS):
        raise RefusedArguments(
            f"{name} was {decimal_text(value)}; send at most {PERCENT_DIGITS} decimals"
        )


def check_price(name: str, value: Decimal | None) -> None:
    """Check a price.

    Raises:
        RefusedArguments: It is not positive, or has more decimals than a price.
    """
    if value is None:
        return
    if value <= 0:
        raise RefusedArguments(
            f"{name} was {decimal_text(value)}; send a positive price, or leave it out"
        )
    try:
        to_price_units(value)
    except ValueError as error:
        raise RefusedArguments(f"{name}: {error}") from None


def check_seconds(name: str, value: int | None) -> None:
    """Check a time.

    Raises:
        RefusedArguments: It is not from 1 second to `EXIT_SECONDS_MAX`.
    """
    if value is not None and not 1 <= value <= EXIT_SECONDS_MAX:
        raise RefusedArguments(
            f"{name} was {value} s; send 1 second to {EXIT_SECONDS_MAX // 86_400} days, such as"
            ' "30m" or "4h", or leave it out'
        )


NO_EXITS = ExitRequest()


@dataclass(frozen=True, slots=True)
class Order:
    """A market or limit order for the executor to decide.

    Attributes:
        quantity: Base units, as asked for: any finite number, the executor checks it; or a share.
        limit_price: The worst price it may fill at; None for a market order.
        exits: The exits that a buy brings; None for none.
        expires_after_s: Seconds of venue time after which what is left of a limit order expires;
            None for never.
    """

    product_id: str
    quantity: Decimal | Share
    action: Side
    limit_price: Decimal | None = None
    exits: ExitRequest | None = None
    expires_after_s: int | None = None

    def __post_init__(self) -> None:
        """Refuse a quantity that is not an amount, and terms that contradict each other.

        Raises:
            ValueError: The quantity is not finite or out of range.
            RefusedArguments: The terms cannot be used; with the remedy.
        """
        if not isinstance(self.quantity, Share):
            parse_decimal(self.quantity)
        check_price("limit_price", self.limit_price)
        check_seconds("expires_after", self.expires_after_s)
        if self.expires_after_s is not None and self.limit_price is None:
            raise RefusedArguments(
                "expires_after was given without limit_price: a market order fills at once; leave"
                " it out, or give a limit_price"
            )
        if self.exits is not None and self.action != "buy":
            raise RefusedArguments(
                "exits were given with a sell: they sell what a buy brought; leave them out"
            )


@dataclass(frozen=True, slots=True)
class SetExits:
    """Exits for a position that is held; each replaces the position's exit of the same type."""

    product_id: str
    exits: ExitRequest

    def __post_init__(self) -> None:
        """Refuse a request without an exit.

        Raises:
            RefusedArguments: It asks for nothing.
        """
        if self.exits.is_empty:
            raise RefusedArguments(
                "no exit was given; give at least one, such as stop_loss_pct 3 for 3 % below the"
                " current bid"
            )


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancels an open order of the agent.

    Attributes:
        order_id: The order, as `list_orders` names it, or `ALL_ORDERS`.
    """

    order_id: str


AccountRequest = Order | SetExits | CancelOrder
"""What a tool can ask the executor for: every call of such a tool is decided by one event."""
