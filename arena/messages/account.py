"""The account log: one record per decision, the only truth about money.

`account.events` is written by the executor alone and folded by `arena.accounts`. A record is one
of the kinds of `AccountEvent`. Amounts in postings are whole units of 10^-8, as strings.
"""

from enum import StrEnum

from pydantic import Field

from arena.messages.base import Message, MessagePart, Utc, is_empty, is_none
from arena.messages.market import Side
from arena.messages.orders import (
    ExitRequested,
    OrderStatus,
    OrderTerms,
    OrderType,
    RiskVerdict,
    Trigger,
)
from arena.messages.risk import MarketChecked, RiskLimitsSet, RiskTripped
from arena.messages.tools import QuoteSeen
from arena.messages.turns import Rules
from arena.money import WireDecimal


class RejectReason(StrEnum):
    """Why an order was refused, in order of precedence: the first reason that applies counts."""

    MALFORMED_ARGUMENTS = "malformed_arguments"
    EXPIRED = "expired"
    CONTROL_UNKNOWN = "control_unknown"
    HALTED = "halted"
    UNKNOWN_PRODUCT = "unknown_product"
    NOT_TRADABLE = "not_tradable"
    INVALID_QUANTITY = "invalid_quantity"
    BAD_INCREMENT = "bad_increment"
    NO_PRICE = "no_price"
    STALE_PRICE = "stale_price"
    BEYOND_COLLAR = "beyond_collar"
    BAD_TERMS = "bad_terms"
    RISK_LIMIT = "risk_limit"
    BELOW_MINIMUM = "below_minimum"
    INSUFFICIENT_CASH = "insufficient_cash"
    INSUFFICIENT_POSITION = "insufficient_position"
    NOTHING_HELD = "nothing_held"
    UNKNOWN_ORDER = "unknown_order"
    TOO_MANY_ORDERS = "too_many_orders"


class Source(MessagePart):
    """Position in `account.commands` of the command that this event decides."""

    partition: int
    offset: int


class ListingUsed(MessagePart):
    """Position in `market.tickers` of the `Product` record with which an order was decided."""

    partition: int
    offset: int


class QuoteUsed(MessagePart):
    """The ticker an order was priced with.

    Attributes:
        partition: Partition of `market.tickers`.
        offset: Offset of the ticker in it.
        age_ms: Our wall time at the decision minus the ticker's last confirmation.
        event_time: Venue time of that ticker.
    """

    partition: int
    offset: int
    bid: WireDecimal
    ask: WireDecimal
    age_ms: int
    event_time: Utc


class Posting(MessagePart):
    """One leg of an entry; the legs of an event sum to zero per unit.

    Attributes:
        account: "agent/<name>/cash", "agent/<name>/position", "agent/<name>/scraped",
            "house/market" (at the best price), "house/slippage", "house/fees", "house/rounding" or
            "house/capital".
        unit: The accounts' currency, such as "USD", or the product's base currency.
        amount: Whole units of 10^-8, signed, as a string.
    """

    account: str
    unit: str
    amount: str


class Epoch(Message):
    """An executor takes over a shard. It counts if it is the next epoch and `prev` is the head.

    Attributes:
        rules: The rules of the owner until the next epoch; None in logs of older executors.
    """

    epoch: int
    owner: str
    seq: int
    prev: str
    rules: Rules | None = None
    at: Utc


class StateDigest(Message):
    """The owner of a shard states the hash of its state, so that a checkpoint can be proved.

    It counts like any other event, but moves no money and does not increase the sequence number.

    Attributes:
        seq: Sequence number of the last event that counted.
        prev: The head digest.
        format: `arena.checkpoint.FORMAT` of the hashed bytes.
        sha256: SHA-256 of `arena.checkpoint.pack_shard` of the state before this record, in hex.
    """

    epoch: int
    owner: str
    seq: int
    prev: str
    format: int
    sha256: str
    at: Utc


class AccountOpened(Message):
    """An agent's account with its starting cash.

    Attributes:
        scrape: Share of every realised profit that is set aside, such as 0.2; None for none.
    """

    epoch: int
    owner: str
    seq: int
    prev: str
    source: Source
    order_id: str
    agent: str
    cash_usd: WireDecimal
    scrape: WireDecimal | None = None
    postings: tuple[Posting, ...]
    at: Utc


def _is_market(value: object) -> bool:
    return value == "market"


class OrderDecided(Message):
    """One step of an order: a market order has one, a limit order or an exit has several.

    Attributes:
        seq: Sequence number of the last event that counted, + 1.
        prev: The log's head digest before this event.
        order_id: The `call_id` of the call that placed it; derived from that for an exit. Order id
            and step are unique together.
        outcome: What the step makes of the order. One of filled, rejected, cancelled or expired is
            its last step.
        product_id: As in the order; "" if the arguments could not be read, like action, quantity.
        detail: For a rejection: the rule, the requested value, the possible value.
        seen: Prices in the agent's snapshot.
        used: Prices with which the order was decided.
        listing: Position of the product's trading rules; None if none were known, and in events
            of older executors.
        price: Fill price with slippage.
        notional: Price times quantity, to a step of cash.
        fee: Fee in cash.
        slippage: Cash lost against the best price.
        latency_cost: Cash lost against the price seen; negative for a gain.
        realised: Profit of a sell after fees.
        scraped: Part of the profit that was set aside; None for none.
        cash_after: Cash after this event.
        position_after: Position after this event, base units.
        currency: Currency of the wallet that the order is settled in; "" for the main account.
        step: 0 for the first record of an order, then 1, 2, ...
        order_type: Type of the order.
        terms: Terms of a limit order or an exit, in its first record.
        exits: The exits that a filled entry or a call of `set_exit` brings.
        filled_quantity: Sum of all fills so far, for an order of several steps.
        trigger: The ticker that met the condition of a limit order or an exit.
        cause: Why the executor took a step that no command asked for; "" otherwise.
        by_call: Id of the call that cancelled the order, on the last order that it cancels.
        risk: What the risk engine said; None for accounts without limits.
        venue_at: Venue time of the decision, where it depends on it.
    """

    epoch: int
    owner: str
    seq: int
    prev: str
    source: Source
    order_id: str
    agent: str
    turn_id: str
    round: int
    index: int
    snapshot_id: str
    outcome: OrderStatus
    reason: RejectReason | None = None
    detail: str = ""
    product_id: str = ""
    action: Side | None = None
    quantity: WireDecimal | None = None
    seen: QuoteSeen | None = None
    used: QuoteUsed | None = None
    listing: ListingUsed | None = Field(default=None, exclude_if=is_none)
    price: WireDecimal | None = None
    notional: WireDecimal | None = None
    fee: WireDecimal | None = None
    fee_bps: WireDecimal | None = None
    slippage: WireDecimal | None = None
    latency_cost: WireDecimal | None = None
    realised: WireDecimal | None = None
    scraped: WireDecimal | None = None
    postings: tuple[Posting, ...] = ()
    cash_after: WireDecimal | None = None
    position_after: WireDecimal | None = None
    currency: str = Field(default="", exclude_if=is_empty)
    step: int = Field(default=0, exclude_if=is_empty)
    order_type: OrderType = Field(default="market", exclude_if=_is_market)
    terms: OrderTerms | None = Field(default=None, exclude_if=is_none)
    exits: tuple[ExitRequested, ...] = Field(default=(), exclude_if=is_empty)
    filled_quantity: WireDecimal | None = Field(default=None, exclude_if=is_none)
    trigger: Trigger | None = Field(default=None, exclude_if=is_none)
    cause: str = Field(default="", exclude_if=is_empty)
    by_call: str = Field(default="", exclude_if=is_empty)
    risk: RiskVerdict | None = Field(default=None, exclude_if=is_none)
    venue_at: Utc | None = Field(default=None, exclude_if=is_none)
    issued_at: Utc
    at: Utc


AccountEvent = (
    Epoch | StateDigest | AccountOpened | OrderDecided | RiskLimitsSet | RiskTripped | MarketChecked
)
