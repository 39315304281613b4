"""Assigns every order and turn of a season to its snapshot. Pure.

A judge may read an order or a turn before the snapshot that it answers. Its evaluation of a part of
the season must equal that of a judge that has read neither or both. So in a part, an agent's newest
records that name an unread snapshot count as after the last snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from judge.season.accounts_fold import IndexedOrder
from judge.season.market_fold import MarketFold
from judge.season.turns_fold import RecordedTurn
from judge.season.types import RejectedOrder

BEFORE = -1
"""Index of an order that was decided before the first retained snapshot."""


def deleted_snapshots(market: MarketFold, first_offsets: Mapping[int, int]) -> int:
    """Return how many records retention deleted from the snapshots' partition.

    Args:
        market: The snapshots that were read.
        first_offsets: Partition -> offset of the first record that was read.
    """
    return first_offsets.get(market.snapshots[0].partition, 0) if market.snapshots else 0


def unread_index(last: int, *, whole: bool, deleted: int) -> int:
    """Return the index to assume for a snapshot that was not read.

    Args:
        last: Index of the last snapshot that is evaluated.
        whole: True if the whole season is evaluated, not a part that other judges evaluate too.
        deleted: Number of deleted snapshots; if any were, an unread snapshot is one of them.
    """
    return 0 if whole or deleted else last + 1


def index_orders(
    market: MarketFold, orders: Sequence[IndexedOrder], *, whole: bool, deleted: int
) -> None:
    """Set the snapshot index of each order of an agent; if unknown, that of the previous order.

    Retention may have deleted the first snapshots. The season then starts with the accounts at that
    time: the orders that answered deleted snapshots are before its first row.

    Args:
        market: The snapshots.
        orders: Orders of one agent, in the order of the log.
        whole: As for `unread_index`.
        deleted: As for `unread_index`.
    """
    before = newest = BEFORE if deleted else 0
    for order, index in zip(
        orders,
        _indices(market, [o.snapshot_id for o in orders], before, whole=whole, deleted=deleted),
        strict=True,
    ):
        if not order.is_asked:
            index = max(index, newest)  # An exit comes after the entry that brought it.
        newest = index
        if market.snapshots:
            as_of = market.snapshots[min(max(index, 0), len(market.snapshots) - 1)].as_of
            if (order.event.index, order.event.as_of) != (index, as_of):
                order.event = replace(order.event, index=index, as_of=as_of)


def index_turns(
    market: MarketFold,
    orders: Sequence[IndexedOrder],
    turns: Sequence[RecordedTurn],
    *,
    whole: bool,
    deleted: int,
) -> None:
    """Set the snapshot index and the order outcomes of each turn of an agent.

    Args:
        market: The snapshots.
        orders: Orders of the agent, in the order of the log.
        turns: Turns of the agent, in the order of the log.
        whole: As for `unread_index`.
        deleted: As for `unread_index`.
    """
    rejected = {
        o.event.order_id: o.event.reason for o in orders if isinstance(o.event, RejectedOrder)
    }
    filled = {o.event.order_id for o in orders if not isinstance(o.event, RejectedOrder)}
    count: dict[str, int] = {}
    for order in orders:
        if not order.is_asked:
            continue
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
    market: MarketFold, snapshot_ids: Sequence[str], before: int, *, whole: bool, deleted: int
) -> list[int]:
    """Return the index of each record of an agent; if unknown, that of the previous record."""
    read = len(snapshot_ids) if whole else _read_until(market, snapshot_ids, deleted)
    found: list[int] = []
    for snapshot_id in snapshot_ids[:read]:
        before = market.index.get(snapshot_id, before)
        found.append(before)
    return found + [len(market.snapshots)] * (len(snapshot_ids) - read)


def _read_until(market: MarketFold, snapshot_ids: Sequence[str], deleted: int) -> int:
    """Return the number of an agent's records before the trailing ones with unread snapshots.

    A record without a snapshot was sent manually: it is as new as the previous record. If snapshots
    were deleted and none of the agent's is known, all of its records are old.
    """
    first = len(snapshot_ids)
    for n in range(len(snapshot_ids) - 1, -1, -1):
        if snapshot_ids[n] in market.index:
            return first
        if snapshot_ids[n]:
            first = n
    return len(snapshot_ids) if deleted else first
