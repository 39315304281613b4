"""Decodes the records of `account.events` for the fold: typed, with only the fields it needs.

Reads the bytes of one value, writes nothing. `arena.messages.account` defines what the executor
writes; a test checks that both agree. The fold of a long log spends most of its time here, so the
structs are msgspec's: decoding and type checks are one pass, a third faster than into a dict.
"""

from typing import Literal, TypeAlias

import msgspec

from arena.errors import BrokenLog
from arena.messages.orders import OrderStatus
from arena.money import SCALE_DIGITS

Kind = Literal[
    "Epoch",
    "StateDigest",
    "AccountOpened",
    "OrderDecided",
    "RiskLimitsSet",
    "RiskTripped",
    "MarketChecked",
]

STRUCTURAL = frozenset({"Epoch", "StateDigest", "MarketChecked"})
"""Kinds that move no money and do not increase the sequence number."""
SETTINGS = frozenset({"RiskLimitsSet", "RiskTripped"})
"""Kinds about limits of risk: they move no money and increase the sequence number."""


class SourceRead(msgspec.Struct, gc=False):
    """Offset of the decided command in `account.commands`."""

    offset: int


class PostingRead(msgspec.Struct, gc=False):
    """One leg: `amount` is signed whole units of 10^-8, as text."""

    account: str
    unit: str
    amount: str


class QuoteRead(msgspec.Struct, gc=False):
    """The ticker that an order was priced with: its place, bid and venue time (ISO 8601)."""

    event_time: str
    bid: str = ""
    partition: int = 0
    offset: int = -1


class LogEvent(msgspec.Struct, gc=False, kw_only=True):
    """Fields of every record: its writer and its position in the chain."""

    epoch: int
    owner: str
    seq: int
    prev: str
    order_id: str = ""


class EpochEvent(LogEvent, gc=False, kw_only=True):
    """An executor takes over the shard."""


class StateDigestEvent(LogEvent, gc=False, kw_only=True):
    """SHA-256 of the owner's packed state before this record."""

    format: int
    sha256: str


class OpenedEvent(LogEvent, gc=False, kw_only=True):
    """An agent's account with its starting cash."""

    source: SourceRead
    agent: str
    scrape: str | None = None
    postings: list[PostingRead]
    at: str


class TermsRead(msgspec.Struct, gc=False, kw_only=True):
    """Terms of a limit order or an exit; prices and quantities are decimal texts."""

    quantity: str | None = None
    limit_price: str | None = None
    trigger_price: str | None = None
    trailing_pct: str | None = None
    expires_at: str | None = None
    exits_at: str | None = None
    parent: str = ""
    placed_after: tuple[int, int] | None = None


class ExitRead(msgspec.Struct, gc=False, kw_only=True):
    """An exit that an entry or a call brings."""

    order_id: str
    order_type: str
    trigger_price: str | None = None
    trailing_pct: str | None = None
    exits_at: str | None = None
    exit_after_s: int | None = None


class RiskRead(msgspec.Struct, gc=False, kw_only=True):
    """The equity that limits of loss were measured against."""

    day_equity: str
    peak_equity: str


class OrderEvent(LogEvent, gc=False, kw_only=True):
    """One step of an order. Amounts are decimal texts; None if nothing was filled."""

    source: SourceRead
    agent: str
    snapshot_id: str
    turn_id: str = ""
    round: int = 0
    index: int = 0
    outcome: OrderStatus
    reason: str | None = None
    product_id: str
    action: str | None = None
    quantity: str | None = None
    used: QuoteRead | None = None
    price: str | None = None
    fee: str | None = None
    slippage: str | None = None
    latency_cost: str | None = None
    realised: str | None = None
    scraped: str | None = None
    postings: list[PostingRead]
    cash_after: str | None = None
    position_after: str | None = None
    currency: str = ""
    step: int = 0
    order_type: str = "market"
    terms: TermsRead | None = None
    exits: list[ExitRead] = []
    cause: str = ""
    by_call: str = ""
    risk: RiskRead | None = None
    issued_at: str = ""

    @property
    def is_fill(self) -> bool:
        """True for a step that moves money."""
        return self.outcome == "filled" or self.outcome == "part_filled"


class LimitsSetEvent(LogEvent, gc=False, kw_only=True):
    """The limits of an agent from now on."""

    agent: str
    limits: msgspec.Raw
    preset: str = ""
    set_by: str
    lift: bool = False
    request_offset: int | None = None


class TrippedEvent(LogEvent, gc=False, kw_only=True):
    """An account may only sell."""

    agent: str
    currency: str = ""
    limit: str
    until: str | None = None
    flatten: bool = False


class MarkRead(msgspec.Struct, gc=False, kw_only=True):
    """Equity of an account that limits of loss are measured against, decimal texts."""

    account: str
    day: str
    day_equity: str
    peak_equity: str


class MarketCheckedEvent(LogEvent, gc=False, kw_only=True):
    """The owner checked all open orders and limits up to the end of a snapshot."""

    offsets: dict[int, int]
    snapshot_id: str
    as_of: str
    peaks: dict[str, str] = {}
    marks: list[MarkRead] = []
    waiting: dict[str, msgspec.Raw] = {}


AccountLogEvent: TypeAlias = (
    EpochEvent
    | StateDigestEvent
    | OpenedEvent
    | OrderEvent
    | LimitsSetEvent
    | TrippedEvent
    | MarketCheckedEvent
)

_STEPS = tuple(int(10**digits) for digits in range(SCALE_DIGITS, -1, -1))

_DECODE = {
    "Epoch": msgspec.json.Decoder(EpochEvent).decode,
    "StateDigest": msgspec.json.Decoder(StateDigestEvent).decode,
    "AccountOpened": msgspec.json.Decoder(OpenedEvent).decode,
    "OrderDecided": msgspec.json.Decoder(OrderEvent).decode,
    "RiskLimitsSet": msgspec.json.Decoder(LimitsSetEvent).decode,
    "RiskTripped": msgspec.json.Decoder(TrippedEvent).decode,
    "MarketChecked": msgspec.json.Decoder(MarketCheckedEvent).decode,
}
_DECODE_UNKNOWN = msgspec.json.Decoder(LogEvent).decode


def decode_event(kind: str, value: bytes, offset: int) -> LogEvent:
    """Decode a record of a kind; a plain `LogEvent` if the kind is unknown.

    Raises:
        BrokenLog: The bytes are not such a record; the message names the wrong field.
    """
    try:
        return _DECODE.get(kind, _DECODE_UNKNOWN)(value)
    except (ValueError, RecursionError) as error:
        raise BrokenLog(
            f"account.events@{offset} is not JSON of a {kind or 'known message type'}: {error}",
            remedy="`arena repair` shows the record, and skips it if it never counted",
        ) from None


def read_units(text: str) -> int:
    """The units of 10^-8 in an amount as decimal text.

    Raises:
        BrokenLog: It has more decimals than an amount.
    """
    whole, _, decimals = text.partition(".")
    if len(decimals) > SCALE_DIGITS:
        raise BrokenLog(f"the amount {text} has more than {SCALE_DIGITS} decimals")
    return int(whole + decimals) * _STEPS[len(decimals)]
