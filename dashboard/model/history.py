"""Pages of turns and trades, the newest first.

The view keeps the newest turns of every agent and the newest orders of every shard. Older turns are
read back from `agent.turns`, in blocks from the end, so a reader that started late gives the same
pages as one that was there from the start. Orders are those that counted, by the index of the fold.
"""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import NamedTuple

import orjson

from arena import topics
from arena.bus.base import Bus, LogReader, Record, Start
from arena.errors import BrokerUnavailable, Malformed, UsageError
from arena.messages import Turn
from arena.topics import partition_of
from dashboard.model.accounts_view import Event
from dashboard.model.order_index import OrderPlace, newest_places
from dashboard.model.queries import UnknownName
from dashboard.model.recent_turns import TURNS_KEPT
from dashboard.model.results import TradePage, TurnDetail, TurnPage, TurnSummary
from dashboard.model.turn_results import trade, turn_detail, turn_summary
from dashboard.model.view import ArenaView

TOPIC = topics.TURNS.name
EVENTS = topics.EVENTS.name
PAGE_MAX = 100
"""Most turns or trades of one page."""
BLOCK = 64
"""Records that are read at once; a turn is two records of 10 to 50 KB in total."""
BLOCKS_MAX = 64
"""Most blocks read for one page; a page may be short, and its cursor continues."""
READERS_MAX = 4
"""Most pages that are read at the same time."""
TIMEOUT_S = 10.0
ANSWER_S = 15.0
"""Longest time for a page, a turn or a trace, with the wait for a reader."""


class FoundTurn(NamedTuple):
    """A turn and the place of its record in `agent.turns`."""

    turn: Turn
    partition: int
    offset: int


class History:
    """Reads pages of turns and trades.

    Args:
        bus: The connected bus.
    """

    def __init__(self, bus: Bus) -> None:
        """Open no reader yet."""
        self._bus = bus
        self._slots = asyncio.Semaphore(READERS_MAX)

    async def turns(
        self, view: ArenaView, agent: str, limit: int = 20, cursor: str | None = None
    ) -> TurnPage:
        """A page of an agent's turns.

        Args:
            view: The view.
            agent: Name of the agent.
            limit: Most turns of the page, 1 to `PAGE_MAX`.
            cursor: `TurnPage.cursor` of the page before; None for the newest.

        Raises:
            UnknownName: There is no such agent.
            UsageError: The cursor is not one of a page.
            BrokerUnavailable: The records did not come in time.
        """
        require_agent(view, agent)
        before = _offset_of(cursor) if cursor is not None else None
        async with in_time(self._bus):
            return await self._turns(view, agent, max(1, min(limit, PAGE_MAX)), before)

    async def _turns(self, view: ArenaView, agent: str, limit: int, before: int | None) -> TurnPage:
        kept = view.turns.agents.get(agent)
        newest = list(reversed(kept.newest_turns.values())) if kept else []
        partition = partition_of(agent, await self._bus.partitions(TOPIC))
        if kept and before is None and (len(newest) >= limit or len(newest) < TURNS_KEPT):
            found = [
                FoundTurn(turn, partition, kept.outcomes[turn.turn_id][0])
                for turn in newest[:limit]
            ]
            is_all = len(found) == kept.count and view.turns.window.complete
            next_cursor = None if is_all else str(found[-1].offset)
        else:
            found, next_cursor = await self._read_back(agent, partition, limit, before)
        summaries = tuple(turn_summary(*one) for one in found)
        return TurnPage(agent=agent, turns=summaries, cursor=next_cursor)

    async def turns_between(self, partition: int, first: int, end: int) -> list[TurnSummary]:
        """The turns of all agents whose records are in a stretch of a partition, in their order.

        Args:
            partition: Partition of `agent.turns`.
            first: Offset of the first record.
            end: Offset after the last one.

        Raises:
            BrokerUnavailable: The records did not come in time.
        """
        found: dict[str, TurnSummary] = {}
        async with in_time(self._bus):
            for at in range(first, end, BLOCK):
                for one in _turns(await self._block(partition, at, min(end, at + BLOCK)), None):
                    found.pop(one.turn.turn_id, None)  # A later record replaces an earlier one.
                    found[one.turn.turn_id] = turn_summary(*one)
        return list(found.values())

    async def turn(self, view: ArenaView, agent: str, turn_id: str) -> TurnDetail:
        """A whole turn of an agent.

        Args:
            view: The view.
            agent: Name of the agent.
            turn_id: Id of the turn.

        Raises:
            UnknownName: There is no such agent, or it has no such turn.
            BrokerUnavailable: The records did not come in time.
        """
        require_agent(view, agent)
        async with in_time(self._bus):
            return await self._turn(view, agent, turn_id)

    async def _turn(self, view: ArenaView, agent: str, turn_id: str) -> TurnDetail:
        partition = partition_of(agent, await self._bus.partitions(TOPIC))
        kept = view.turns.agents.get(agent)
        if kept is not None and turn_id in kept.newest_turns:
            offset = kept.outcomes[turn_id][0]
            return turn_detail(kept.newest_turns[turn_id], partition, offset)
        if kept is not None and turn_id in kept.outcomes:
            offset = kept.outcomes[turn_id][0]
            found = _turns(await self._block(partition, offset, offset + 1), agent)
        else:
            found = await self._search(agent, partition, turn_id)
        for one in found:
            if one.turn.turn_id == turn_id:
                return turn_detail(*one)
        raise UnknownName(f"{agent} has no turn {turn_id!r}", remedy="list its turns")

    async def trades(
        self, view: ArenaView, agent: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> TradePage:
        """A page of decided orders.

        Args:
            view: The view.
            agent: Name of the agent; None for all but shadow agents.
            limit: Most orders of the page, 1 to `PAGE_MAX`.
            cursor: `TradePage.cursor` of the page before; None for the newest.

        Raises:
            UnknownName: There is no such agent.
            UsageError: The cursor is not one of a page.
            BrokerUnavailable: The records did not come in time.
        """
        if agent is not None:
            require_agent(view, agent)
        limit = max(1, min(limit, PAGE_MAX))
        before = _place_of(cursor) if cursor is not None else None
        orders = view.accounts.orders
        leave_out = view.is_shadow if agent is None else None
        places = list(islice(newest_places(orders, agent, before, leave_out), limit + 1))
        async with in_time(self._bus):
            events = await self._events(view, places[:limit])
        return TradePage(
            agent=agent,
            trades=tuple(trade(event, view.currency) for event in events),
            cursor=":".join(map(str, places[limit - 1])) if len(places) > limit else None,
            complete=all(index.complete for index in orders.values()),
        )

    async def _events(self, view: ArenaView, places: list[OrderPlace]) -> list[Event]:
        """The events at places of `account.events`; those that the fold keeps are not read."""
        found: dict[OrderPlace, Event] = {}
        for place in places:
            recent = view.accounts.shards[place.partition].recent
            offsets = view.accounts.orders[place.partition].offsets
            i = bisect_left(offsets, place.offset) - len(offsets)
            if -i <= len(recent):
                found[place] = recent[i]
        missing = [place for place in places if place not in found]
        for partition in sorted({place.partition for place in missing}):
            async with self._reader(EVENTS, partition) as reader:
                for place in sorted(one for one in missing if one.partition == partition):
                    record = await reader.record_at(
                        EVENTS, partition, place.offset, timeout_s=TIMEOUT_S
                    )
                    if record is None or record.offset != place.offset:
                        raise BrokerUnavailable(
                            f"{EVENTS}[{partition}] gave no record at offset {place.offset}"
                        )
                    found[place] = orjson.loads(record.value or b"")
        return [found[place] for place in places]

    async def _search(self, agent: str, partition: int, turn_id: str) -> list[FoundTurn]:
        end: int | None = None
        for _ in range(BLOCKS_MAX):
            first, records = await self._block_before(partition, end)
            if found := [one for one in _turns(records, agent) if one.turn.turn_id == turn_id]:
                return found
            if not records:
                break
            end = first
        return []

    async def _read_back(
        self, agent: str, partition: int, limit: int, before: int | None
    ) -> tuple[list[FoundTurn], str | None]:
        """The newest turns before an offset, and the cursor of the next page."""
        found: dict[str, FoundTurn] = {}
        end = before
        for _ in range(BLOCKS_MAX):
            first, records = await self._block_before(partition, end)
            if not records:
                return list(found.values()), None
            for one in reversed(_turns(records, agent)):
                found.setdefault(one.turn.turn_id, one)  # A later record replaces an earlier one.
                if len(found) == limit:
                    return list(found.values()), str(one.offset)
            end = first
        return list(found.values()), str(end)

    async def _block_before(self, partition: int, end: int | None) -> tuple[int, list[Record]]:
        """The offset of the first record of the block that ends before an offset, and the block."""
        async with self._reader(TOPIC, partition) as reader:
            ends = await reader.end_offsets()
            end = ends[TOPIC, partition] if end is None else min(end, ends[TOPIC, partition])
        while end > 0:
            first = max(0, end - BLOCK)
            if records := await self._block(partition, first, end):
                return records[0].offset, records
            end = first  # Only markers, or deleted records.
        return 0, []

    async def _block(self, partition: int, first: int, end: int) -> list[Record]:
        async with self._reader(TOPIC, partition) as reader:
            return await read_block(reader, TOPIC, partition, first, end, at_once=BLOCK)

    @asynccontextmanager
    async def _reader(self, topic: str, partition: int) -> AsyncIterator[LogReader]:
        """A reader of one partition, for one page."""
        async with self._slots:
            reader = await self._bus.partition_reader(topic, partition, Start("latest"))
            try:
                yield reader
            finally:
                await reader.close()


@asynccontextmanager
async def in_time(bus: Bus) -> AsyncIterator[None]:
    """Limit a block that reads records for an answer to `ANSWER_S`.

    Raises:
        BrokerUnavailable: It took longer.
    """
    try:
        async with bus.clock.timeout(ANSWER_S):
            yield
    except TimeoutError:
        raise BrokerUnavailable(
            f"the broker did not give the records in {ANSWER_S:.0f} s",
            remedy="check the broker with `arena topics describe`",
        ) from None


async def read_block(
    reader: LogReader, topic: str, partition: int, first: int, end: int, *, at_once: int
) -> list[Record]:
    """The records of a partition from an offset to before another one.

    Args:
        reader: A reader of this partition alone.
        topic: The topic.
        partition: The partition.
        first: Offset of the first record.
        end: Offset after the last one.
        at_once: Most records that are read at once.

    Raises:
        BrokerUnavailable: The records did not come in time.
    """
    found: list[Record] = []
    reader.seek(topic, partition, first)
    while reader.position(topic, partition) < end:
        records = await reader.read(timeout_s=TIMEOUT_S, max_records=at_once)
        if not records:
            raise BrokerUnavailable(
                f"{topic}[{partition}] gave no records after offset {first} in {TIMEOUT_S:.0f} s",
                remedy="check the broker with `arena topics describe`",
            )
        found += records
    return [one for one in found if first <= one.offset < end]


def require_agent(view: ArenaView, agent: str) -> None:
    """Check that an agent is on the roster, had a turn or has an account.

    Raises:
        UnknownName: It is none of these.
    """
    if agent in view.roster or agent in view.turns.agents or agent in view.accounts.by_agent:
        return
    known = ", ".join(view.agents) or "none yet"
    raise UnknownName(f"unknown agent {agent!r}", remedy=f"agents: {known}")


def _turns(records: list[Record], agent: str | None) -> list[FoundTurn]:
    """The readable turns of an agent, or of all, among records, in their order."""
    found = []
    for record in records:
        if record.kind != Turn.type_name() or agent not in (None, record.key_text):
            continue
        try:
            message = record.message()
        except Malformed:
            continue
        if isinstance(message, Turn) and message.agent == record.key_text:
            found.append(FoundTurn(message, record.partition, record.offset))
    return found


def _offset_of(cursor: str) -> int:
    """The offset that a cursor holds.

    Raises:
        UsageError: It holds none.
    """
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= 19:
        return int(cursor)
    raise UsageError(f"the cursor {cursor!r} is not one of a page", remedy="leave it out")


def _place_of(cursor: str) -> OrderPlace:
    """The place that a cursor holds.

    Raises:
        UsageError: It holds none.
    """
    parts = cursor.split(":")
    if len(parts) != len(OrderPlace._fields):
        raise UsageError(f"the cursor {cursor!r} is not one of a page", remedy="leave it out")
    return OrderPlace(*(_offset_of(part) for part in parts))
