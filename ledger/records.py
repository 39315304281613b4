"""Records as the books read them: typed, and only what the books keep. Pure.

`arena.messages` says what is written; a test holds the two together. Times become microseconds,
amounts whole units of 10^-8.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from arena.account_log import PostingRead, QuoteRead, SourceRead
from arena.errors import BrokenLog
from arena.money import units_text
from ledger.amounts import AMOUNT_MAX, INT64_MAX, split

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UsedRead(QuoteRead, gc=False):
    """The ticker a fill was priced with, and where it stands in `market.tickers`."""

    partition: int
    offset: int


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
    used: UsedRead | None = None
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


_decode = msgspec.json.Decoder(BookedRead).decode


def read_booked(value: bytes, offset: int) -> BookedRead:
    """An event as the books keep it.

    Raises:
        BrokenLog: The bytes are no such event.
    """
    try:
        return _decode(value)
    except msgspec.DecodeError as error:
        raise BrokenLog(f"account.events@{offset} cannot be booked: {error}") from None


def checked_columns(amount: int, offset: int) -> tuple[int, int]:
    """The two columns of an amount; `offset` is where it stands in the log.

    Raises:
        BrokenLog: They do not hold it.
    """
    if -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        return split(amount)
    raise BrokenLog(
        f"account.events@{offset} has an amount of {units_text(amount)}: the books hold"
        f" {INT64_MAX:.1e}"
    )


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_of(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 time."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def without_nul(text: str) -> str:
    """The text as every database takes it: PostgreSQL holds no NUL."""
    return text.replace("\0", "�") if "\0" in text else text
