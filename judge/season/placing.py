"""To which snapshot of a season each order and turn belongs. Pure.

A judge may have read an order or a turn before the snapshot that it answers. What it says of a part
of the season must be what another judge says that has read neither, or both: in a part, the newest
records of an agent that name a snapshot which was not read are after the last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from judge.season.books import Order
from judge.season.market import Market
from judge.season.model import Fill, Rejection
from judge.season.thinking import TurnRead

BEFORE = -1
"""Index of an order that was decided before the first snapshot that is kept."""


def deleted_before(market: Market, first_offsets: Mapping[int, int]) -> int:
    """How many records of the snapshots' partition are no longer kept.

    Args:
        market: What was read of the snapshots.
        first_offsets: Partition -> offset of the first record that was read.
    """
    return first_offsets.get(market.points[0].partition, 0) if market.points else 0


def unread_index(last: int, *, whole: bool, deleted: int) -> int:
    """Index that a snapshot which was not read is taken to have.

    Args:
        last: Of the last snapshot that is judged.
        whole: Everything that is known is judged, not a part that others judge as well.
        deleted: How many snapshots are no longer kept: one that was not read is one of those.
    """
    return 0 if whole or deleted else last + 1


def place_orders(market: Market, orders: Sequence[Order], *, whole: bool, deleted: int) -> None:
    """Give each order of an agent the index of its snapshot; if unknown, of the order before.

    The topic's retention may have deleted the first snapshots. The season then begins with the
    accounts as they were: the orders that answered those are before its first row.

    Args:
        market: The snapshots.
        orders: Of one agent, in the order of the log.
        whole: As for `unread_index`.
        deleted: Likewise.
    """
    before = BEFORE if deleted else 0
    for order, index in zip(
        orders,
        _indices(market, [o.snapshot_id for o in orders], before, whole=whole, deleted=deleted),
        strict=True,
    ):
        if market.points:
            as_of = market.points[min(max(index, 0), len(market.points) - 1)].as_of
            if (order.event.index, order.event.as_of) != (index, as_of):
                order.event = replace(order.event, index=index, as_of=as_of)


def place_turns(
    market: Market, orders: Sequence[Order], turns: Sequence[TurnRead], *, whole: bool, deleted: int
) -> None:
    """Give each turn of an agent the index of its snapshot, and what became of its orders.

    Args:
        market: The snapshots.
        orders: Of the agent, in the order of the log.
        turns: Likewise.
        whole: As for `unread_index`.
        deleted: Likewise.
    """
    rejected = {o.event.order_id: o.event.reason for o in orders if isinstance(o.event, Rejection)}
    filled = {o.event.order_id for o in orders if isinstance(o.event, Fill)}
    count: dict[str, int] = {}
    for order in orders:
        count[order.event.turn_id] = count.get(order.event.turn_id, 0) + 1
    for turn, index in zip(
        turns,
        _indices(market, [t.snapshot_id for t in turns], 0, whole=whole, deleted=deleted),
        strict=True,
    ):
        if turn.decision.index != index:
            turn.decision = replace(turn.decision, index=index)
        turn.complete(count.get(turn.decision.turn_id, 0), rejected, filled)


def _indices(
    market: Market, snapshot_ids: Sequence[str], before: int, *, whole: bool, deleted: int
) -> list[int]:
    """The index of each record of an agent; if unknown, of the one before."""
    read = len(snapshot_ids) if whole else _read_until(market, snapshot_ids, deleted)
    found: list[int] = []
    for snapshot_id in snapshot_ids[:read]:
        before = market.index.get(snapshot_id, before)
        found.append(before)
    return found + [len(market.points)] * (len(snapshot_ids) - read)


def _read_until(market: Market, snapshot_ids: Sequence[str], deleted: int) -> int:
    """After how many of an agent's records all name a snapshot that was not read.

    A record without a snapshot was sent by hand: it is as new as the one before it. If snapshots
    were deleted and none of the agent's is known, all of them are old.
    """
    first = len(snapshot_ids)
    for n in range(len(snapshot_ids) - 1, -1, -1):
        if snapshot_ids[n] in market.index:
            return first
        if snapshot_ids[n]:
            first = n
    return len(snapshot_ids) if deleted else first
