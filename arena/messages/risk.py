"""Limits of accounts: settings, breaches, what operators ask for, and approved intents."""

from typing import Literal

from pydantic import Field, JsonValue

from arena.messages.base import Message, MessagePart, Utc, is_empty, is_none
from arena.messages.market import Side
from arena.messages.orders import ExitRequested, OrderType, Trigger
from arena.money import WireDecimal

LimitSource = Literal["arena", "agent", "request"]
"""Where limits were set: `[risk]`, the agent's own table, or `arena risk set`."""


class RiskLimitsSet(Message):
    """The limits of an agent from now on, appended before the first order that they govern.

    Attributes:
        limits: The limits by name, as `arena.risk_limits` writes them; {} for none.
        preset: The preset that they started from; "" for none.
        lift: True if a breach that stopped buys is lifted, too.
        by, reason: Of the request; "" for settings from files.
        request_offset: Offset of the request in `arena.control`; None for settings from files.
    """

    epoch: int
    owner: str
    seq: int
    prev: str
    order_id: str
    agent: str
    limits: dict[str, JsonValue]
    preset: str = Field(default="", exclude_if=is_empty)
    set_by: LimitSource
    lift: bool = Field(default=False, exclude_if=is_empty)
    by: str = Field(default="", exclude_if=is_empty)
    reason: str = Field(default="", exclude_if=is_empty)
    request_offset: int | None = Field(default=None, exclude_if=is_none)
    at: Utc


class RiskTripped(Message):
    """An account lost more than a limit allows: it may only sell until `until`, or until lifted.

    Attributes:
        currency: Currency of the wallet; "" for the main account.
        limit: "max_daily_loss_pct" or "max_drawdown_pct".
        value, threshold: Percent.
        until: Venue time; None until it is lifted.
        flatten: True if all positions of the account are sold.
        equity: Equity at the breach.
        snapshot_id: The snapshot at whose end it was found.
    """

    epoch: int
    owner: str
    seq: int
    prev: str
    order_id: str
    agent: str
    currency: str = Field(default="", exclude_if=is_empty)
    limit: str
    value: WireDecimal
    threshold: WireDecimal
    until: Utc | None = None
    flatten: bool = False
    equity: WireDecimal
    snapshot_id: str
    at: Utc


class AccountMark(MessagePart):
    """Equity of an account that limits are measured against.

    Attributes:
        account: The agent, or "<agent> <currency>" for a wallet.
        day: UTC day in venue time, "2026-11-30".
        day_equity: Equity when the day was first seen.
        peak_equity: The highest equity so far.
    """

    account: str
    day: str
    day_equity: WireDecimal
    peak_equity: WireDecimal


class MarketChecked(Message):
    """The owner checked all open orders and limits of its shard against the market.

    It counts like any other event, but moves no money and does not increase the sequence number.

    Attributes:
        offsets: Partition of `market.tickers` -> offset before which every ticker was checked.
        snapshot_id: The snapshot that ends there.
        as_of: Its venue time.
        peaks: Order id of a trailing stop -> highest bid since it was placed.
        marks: Equity of the accounts under limits of loss.
        waiting: Order id -> what triggered it, of orders that wait for a ticker to fill at: their
            product has no fresh price, or cannot be traded at the venue.
    """

    epoch: int
    owner: str
    seq: int
    prev: str
    offsets: dict[int, int]
    snapshot_id: str
    as_of: Utc
    peaks: dict[str, WireDecimal] = Field(default_factory=dict, exclude_if=is_empty)
    marks: tuple[AccountMark, ...] = Field(default=(), exclude_if=is_empty)
    waiting: dict[str, Trigger] = Field(default_factory=dict, exclude_if=is_empty)
    at: Utc


class RiskRequest(Message):
    """Asks the executor for other limits, on `arena.control` under "risk/<agent>" or "risk/all".

    Attributes:
        agent: The agent; None for every agent without limits of its own.
        limits: Limits by name that replace those in force; None leaves them as they are.
        preset: A preset to start from; "" for none.
        lift: Allow buys again after a breach.
        reset: Go back to the settings of the arena's files.
    """

    agent: str | None = None
    limits: dict[str, JsonValue] | None = None
    preset: str = ""
    lift: bool = False
    reset: bool = False
    reason: str = ""
    by: str
    at: Utc


class RiskAdjustment(Message):
    """Scales an agent's limits of exposure for a while, on `arena.control` under "adjust/<agent>".

    It only tightens: the limits that are in force otherwise are multiplied, and one that is off
    counts as 100 %. The newest of an agent counts; after `expires_at` nothing is left of it.

    Attributes:
        factor: What `max_symbol_exposure_pct` and `max_portfolio_exposure_pct` are multiplied by.
        expires_at: Venue time; an order decided at it or later is not adjusted.
        reason: Why, with the figures.
    """

    agent: str
    factor: WireDecimal = Field(gt=0, le=1)
    expires_at: Utc
    reason: str = Field(default="", max_length=500)
    by: str
    at: Utc


class TradeIntent(Message):
    """An approved order on its way to the market, once per order, on `trade.intents`.

    A market order that filled, a limit order that was accepted, and an exit that fired. Followers
    count the first record of an `intent_id`.

    Attributes:
        intent_id: The order id.
        quantity: Base units, after risk cut it.
        asked: The quantity asked for, if risk cut it.
        decision: What risk said; "" without limits.
        simulated: True: the arena filled it itself.
        seq: Sequence number of the event that approved it.
        event_partition, event_offset: Place of that event in `account.events`.
    """

    intent_id: str
    agent: str
    turn_id: str
    snapshot_id: str
    product_id: str
    action: Side
    quantity: WireDecimal | None = None
    asked: WireDecimal | None = Field(default=None, exclude_if=is_none)
    order_type: OrderType = "market"
    limit_price: WireDecimal | None = Field(default=None, exclude_if=is_none)
    exits: tuple[ExitRequested, ...] = Field(default=(), exclude_if=is_empty)
    decision: str = Field(default="", exclude_if=is_empty)
    simulated: bool = True
    currency: str = Field(default="", exclude_if=is_empty)
    seq: int
    event_partition: int
    event_offset: int
    at: Utc
