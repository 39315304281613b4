"""The records of `account.events` as the fold reads them: typed, and only what the fold needs.

Reads one value's bytes. `arena.messages.account` says what the executor writes; a test holds the
two together. The fold of a long log spends most of its time here, so the structs are msgspec's: a
record is decoded and its types are checked in one pass, a third faster than into a dict.
"""

from typing import Literal, TypeAlias

import msgspec

from arena.errors import BrokenLog

Kind = Literal["Epoch", "StateDigest", "AccountOpened", "OrderDecided"]

STRUCTURAL = frozenset({"Epoch", "StateDigest"})
"""Kinds that move no money and use up no sequence number."""


class SourceRead(msgspec.Struct, gc=False):
    """Where in `account.commands` the decided command stood."""

    offset: int


class PostingRead(msgspec.Struct, gc=False):
    """One leg: `amount` is signed whole units of 10^-8, as text."""

    account: str
    unit: str
    amount: str


class QuoteRead(msgspec.Struct, gc=False):
    """The ticker an order was priced with: its venue time, ISO 8601."""

    event_time: str


class LogEvent(msgspec.Struct, gc=False, kw_only=True):
    """What every record carries: who wrote it, and where in the chain it stands."""

    epoch: int
    owner: str
    seq: int
    prev: str
    order_id: str = ""


class EpochEvent(LogEvent, gc=False, kw_only=True):
    """An executor takes over the shard."""


class StateDigestEvent(LogEvent, gc=False, kw_only=True):
    """The owner states the SHA-256 of its packed state before this record."""

    format: int
    sha256: str


class OpenedEvent(LogEvent, gc=False, kw_only=True):
    """An agent's account with its starting cash."""

    source: SourceRead
    agent: str
    scrape: str | None = None
    postings: list[PostingRead]
    at: str


class OrderEvent(LogEvent, gc=False, kw_only=True):
    """The terminal event of an order. Amounts are decimal texts; None where nothing was filled."""

    source: SourceRead
    agent: str
    snapshot_id: str
    outcome: Literal["filled", "rejected"]
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
    issued_at: str = ""


AccountLogEvent: TypeAlias = EpochEvent | StateDigestEvent | OpenedEvent | OrderEvent

_DECODE = {
    "Epoch": msgspec.json.Decoder(EpochEvent).decode,
    "StateDigest": msgspec.json.Decoder(StateDigestEvent).decode,
    "AccountOpened": msgspec.json.Decoder(OpenedEvent).decode,
    "OrderDecided": msgspec.json.Decoder(OrderEvent).decode,
}
_DECODE_UNKNOWN = msgspec.json.Decoder(LogEvent).decode


def decode_event(kind: str, value: bytes, offset: int) -> LogEvent:
    """The record of a kind, or a plain `LogEvent` where the kind is unknown.

    Raises:
        BrokenLog: The bytes are no such record; the message says which field is wrong.
    """
    try:
        return _DECODE.get(kind, _DECODE_UNKNOWN)(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BrokenLog(
            f"account.events@{offset} is no JSON of a {kind or 'message of a known type'}: {error}",
            remedy="`arena repair` shows the record, and passes over one that never counted",
        ) from None
