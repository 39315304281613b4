"""Notes in the account log how far open orders and limits were checked against the market.

Pure. After a restart the owner continues there, so no ticker is missed and none is checked twice
against a limit that changes with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from arena.accounts import Shard
from arena.messages import AccountMark, MarketChecked, Trigger
from arena.money import PriceUnits, from_price_units
from arena.wire import encode
from trading_tools.context import Order, SetExits
from trading_tools.events import PendingEvent
from trading_tools.orders.records import Json
from trading_tools.schema import InvalidArguments

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Checked:
    """How far a shard was checked in this process.

    Attributes:
        offsets: Partition of `market.tickers` -> offset before which tickers were checked.
        snapshot_id: The snapshot that ends there; "" before the first.
        as_of: Its venue time.
        partition: The number of the shard.
    """

    offsets: dict[int, int] = field(default_factory=dict)
    snapshot_id: str = ""
    as_of: datetime = LONG_AGO
    partition: int = 0


def is_watched(shard: Shard) -> bool:
    """True if the shard has anything to check: open orders, or limits."""
    return bool(shard.risk) or any(orders.open for orders in shard.standing.values())


def needs_mark(shard: Shard, checked: Checked) -> bool:
    """True if a check must be noted before the shard gets its first order or limit to check."""
    return checked.snapshot_id not in ("", shard.checked_at[0]) and not is_watched(shard)


def first_mark(
    shard: Shard, checked: Checked, now: datetime, request: Order | SetExits | InvalidArguments
) -> list[PendingEvent]:
    """The check to note before a request that may bring the first order to check, folded."""
    if isinstance(request, InvalidArguments):
        return []
    may_stay_open = isinstance(request, SetExits) or request.limit_price or request.exits
    if not may_stay_open or not needs_mark(shard, checked):
        return []
    return [mark_of(shard, checked, now).fold_into(shard)]


def mark_of(
    shard: Shard,
    checked: Checked,
    now: datetime,
    peaks: Mapping[str, PriceUnits] | None = None,
    marks: Iterable[AccountMark] = (),
    waiting: Mapping[str, Json] | None = None,
) -> PendingEvent:
    """The record of a check.

    Args:
        shard: The shard before the record.
        checked: How far it was checked.
        now: Wall time.
        peaks: Order id of a trailing stop -> highest bid since it was placed.
        marks: Equities of the accounts under limits of loss.
        waiting: Order id -> what triggered it, of orders that wait for a fresh ticker.
    """
    event = MarketChecked(
        epoch=shard.epoch,
        owner=shard.owner,
        seq=shard.seq,
        prev=shard.head,
        offsets=checked.offsets,
        snapshot_id=checked.snapshot_id,
        as_of=checked.as_of,
        peaks={one: from_price_units(peak) for one, peak in sorted((peaks or {}).items())},
        marks=tuple(marks),
        waiting={one: Trigger.model_validate(trigger) for one, trigger in (waiting or {}).items()},
        at=now,
    )
    encoded = encode(event)
    key = f"shard/{checked.partition}"
    return PendingEvent(shard.next_offset, "MarketChecked", key, encoded.value, encoded.headers)
