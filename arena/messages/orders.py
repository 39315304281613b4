"""Parts of an order's records: terms of a limit order or an exit, its trigger, what risk said.

Prices are in quote units, quantities in base units, percentages in percent: 10 is 10 %.
"""

from typing import Literal

from pydantic import Field

from arena.messages.base import MessagePart, Utc, is_empty, is_none
from arena.money import WireDecimal

OrderType = Literal["market", "limit", "stop_loss", "take_profit", "trailing_stop", "time_exit"]
ExitType = Literal["stop_loss", "take_profit", "trailing_stop", "time_exit"]
EXIT_TYPES: tuple[ExitType, ...] = ("stop_loss", "take_profit", "trailing_stop", "time_exit")
"""Every type of exit, in the order in which exits that a ticker triggers are filled."""

OrderStatus = Literal["filled", "rejected", "accepted", "part_filled", "cancelled", "expired"]
"""What a step makes of an order; after filled, rejected, cancelled and expired it is closed."""


class OrderTerms(MessagePart):
    """The terms of a limit order, or of an exit of a position.

    Attributes:
        quantity: Of a limit order; None for an exit, which sells all that is held.
        limit_price: The worst price that a limit order fills at.
        trigger_price: A stop-loss fires at this bid or below, a take-profit at it or above.
        trailing_pct: A trailing stop fires this far below the highest bid since it was placed.
        expires_at: Venue time at which an order that has not filled expires.
        exits_at: Venue time at which a time exit fires.
        parent: Order id of the entry, or id of the call, that brought an exit.
        placed_after: Partition and offset of the product's newest ticker when it was placed: only
            later ones can trigger it.
    """

    quantity: WireDecimal | None = Field(default=None, exclude_if=is_none)
    limit_price: WireDecimal | None = Field(default=None, exclude_if=is_none)
    trigger_price: WireDecimal | None = Field(default=None, exclude_if=is_none)
    trailing_pct: WireDecimal | None = Field(default=None, exclude_if=is_none)
    expires_at: Utc | None = Field(default=None, exclude_if=is_none)
    exits_at: Utc | None = Field(default=None, exclude_if=is_none)
    parent: str = Field(default="", exclude_if=is_empty)
    placed_after: tuple[int, int] | None = Field(default=None, exclude_if=is_none)


class ExitRequested(MessagePart):
    """An exit that an entry, or a call of `set_exit`, brings; each becomes an order of its own.

    Attributes:
        exits_at: Venue time at which a time exit fires; None while its limit order has not filled.
        exit_after_s: Seconds of venue time from the first fill of a limit order.
    """

    order_id: str
    order_type: ExitType
    trigger_price: WireDecimal | None = Field(default=None, exclude_if=is_none)
    trailing_pct: WireDecimal | None = Field(default=None, exclude_if=is_none)
    exits_at: Utc | None = Field(default=None, exclude_if=is_none)
    exit_after_s: int | None = Field(default=None, exclude_if=is_none)


class Trigger(MessagePart):
    """The ticker that met the condition of an order.

    Attributes:
        partition, offset: Its place in `market.tickers`.
        bid, ask: Its prices.
        level: The price that it reached; None for a time exit.
        event_time: Its venue time.
    """

    partition: int
    offset: int
    bid: WireDecimal
    ask: WireDecimal
    level: WireDecimal | None = Field(default=None, exclude_if=is_none)
    event_time: Utc


CheckState = Literal["ok", "near", "breached", "unknown", "exempt"]
"""`near`: above 80 % of a limit. `unknown`: it cannot be computed, and does not block. `exempt`:
the order reduces risk, so the limit does not apply."""


class RiskCheck(MessagePart):
    """One limit that was looked at.

    Attributes:
        limit: Its name, such as "max_symbol_exposure_pct".
        threshold: Its value; None for a veto.
        before: The measured value before the order.
        after: The value after the order as it was asked for.
        detail: Why the value is unknown, and how it was measured.
    """

    limit: str
    state: CheckState
    threshold: WireDecimal | None = Field(default=None, exclude_if=is_none)
    before: WireDecimal | None = Field(default=None, exclude_if=is_none)
    after: WireDecimal | None = Field(default=None, exclude_if=is_none)
    detail: str = Field(default="", exclude_if=is_empty)


class RiskVerdict(MessagePart):
    """What the risk engine said about an order, and all that it was computed from.

    Attributes:
        decision: "adjusted": cut to the largest quantity that passes.
        asked: The quantity asked for, in base units.
        limit: The limit that cut or rejected the order; "" for an approved one.
        checks: Every limit in force, in the order in which they are looked at.
        equity: Equity of the account before the order.
        day_equity: Equity at the start of the UTC day.
        peak_equity: The highest equity so far.
        bids: Product -> bid at which a held position counts.
        value_at_risk: How value at risk was computed; None without that limit.
    """

    decision: Literal["approved", "adjusted", "rejected"]
    asked: WireDecimal
    limit: str = Field(default="", exclude_if=is_empty)
    checks: tuple[RiskCheck, ...] = ()
    equity: WireDecimal
    day_equity: WireDecimal
    peak_equity: WireDecimal
    bids: dict[str, WireDecimal] = Field(default_factory=dict, exclude_if=is_empty)
    value_at_risk: "ValueAtRiskBasis | None" = Field(default=None, exclude_if=is_none)


class ValueAtRiskBasis(MessagePart):
    """How the value at risk of a day was computed.

    Attributes:
        level_pct: Confidence level in percent.
        window_hours: Hours of closed candles asked for.
        hours_used: Hours for which all products had candles.
        candle_offsets: Partition -> offset of `market.candles` before which candles were used.
    """

    method: Literal["historical", "parametric"]
    level_pct: WireDecimal
    window_hours: int
    hours_used: int
    candle_offsets: dict[int, int] = Field(default_factory=dict)


RiskVerdict.model_rebuild()
