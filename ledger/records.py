"""Events of the account log with the fields that the books store. Pure.

`arena.messages` defines the full messages; a test compares the two. Times become microseconds,
amounts whole units of 10^-8.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from arena.account_log import PostingRead, QuoteRead, SourceRead
from arena.errors import BrokenLog
from arena.money import units_text
from ledger.amounts import AMOUNT_MAX, INT64_MAX, split_amount

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MARKET = "market"
FILLED = ("filled", "part_filled")
"""Outcomes of the steps that move money."""


class BookedRead(msgspec.Struct, gc=False, kw_only=True):
    """An event of `account.events` of any kind; amounts are decimal texts."""

    epoch: int
    seq: int
    at: str
    source: SourceRead | None = None
    order_id: str | None = None
    agent: str | None = None
    turn_id: str = ""
    snapshot_id: str = ""
    outcome: str = ""
    reason: str | None = None
    product_id: str = ""
    action: str | None = None
    quantity: str | None = None
    used: QuoteRead | None = None
    price: str | None = None
    notional: str | None = None
    fee: str | None = None
    slippage: str | None = None
    latency_cost: str | None = None
    realised: str | None = None
    scraped: str | None = None
    postings: list[PostingRead] = []
    cash_after: str | None = None
    position_after: str | None = None
    currency: str = ""
    step: int = 0
    order_type: str = MARKET
    cause: str = ""


_decode = msgspec.json.Decoder(BookedRead).decode


def read_booked(value: bytes, offset: int) -> BookedRead:
    """Decode an event.

    Raises:
        BrokenLog: The bytes are not an event.
    """
    try:
        return _decode(value)
    except ValueError as error:
        raise BrokenLog(f"account.events@{offset} cannot be booked: {error}") from None


def checked_columns(amount: int, offset: int) -> tuple[int, int]:
    """Return the two columns of an amount; `offset` is that of its event, for the error.

    Raises:
        BrokenLog: The amount is too large.
    """
    if -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        return split_amount(amount)
    raise BrokenLog(
        f"account.events@{offset} has an amount of {units_text(amount)}: the limit of the"
        f" books is {INT64_MAX:.1e}"
    )


def micros(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_of(text: str) -> int:
    """Return an ISO 8601 time as microseconds since 1970."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def without_nul(text: str) -> str:
    """Replace NUL, which PostgreSQL does not store."""
    return text.replace("\0", "�") if "\0" in text else text
