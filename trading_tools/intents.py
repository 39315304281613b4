"""Broadcasts approved orders on `trade.intents`, once their events are in the account log.

Reads the end of `trade.intents[shard]`, and at a start the newest events of the shard; appends to
`trade.intents[shard]`. An intent is sent when the event that approved it was acked at its place, so
it is never sent for an order that does not count. After a crash between the two, the next owner
sends it. A process that was frozen in between can send it again: readers count the first record of
an `intent_id`.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import orjson

from arena import topics
from arena.accounts import Shard
from arena.bus.base import EARLIEST, AppendAck
from arena.messages import TradeIntent
from arena.newest_events import EVENTS_REMEMBERED, Event
from arena.node import Node
from arena.read_topic import read_list
from arena.wire import Headers, headers_of
from trading_tools.outbox import within_ack_timeout

EVENTS = topics.EVENTS.name
INTENTS = topics.INTENTS.name
READ_S = 2.0
FIRST_AGE_MAX = timedelta(minutes=10)
"""Older orders are not broadcast in an empty topic: the log is older than the topic."""


class IntentOutbox:
    """Sends the intents of one shard, for its owner.

    Args:
        node: The process.
        partition: The number of the shard.
    """

    def __init__(self, node: Node, partition: int) -> None:
        """Take what `open` needs."""
        self._node = node
        self._shard = partition
        self._place = 0
        self._sent: list[asyncio.Future[AppendAck]] = []

    async def open(self, shard: Shard) -> None:
        """Send the intents that an earlier owner did not send.

        Args:
            shard: Folded to the end of its log.
        """
        await self._node.bus.ensure_topics([topics.INTENTS])
        self._place = self._shard % await self._node.bus.partitions(INTENTS)
        newest = await self._newest_seq()
        oldest_at = self._node.clock.now() - FIRST_AGE_MAX
        missing = {
            value
            for value in shard.recent.values()
            if (event := orjson.loads(value))["seq"] > newest
            and (newest or datetime.fromisoformat(event["at"]) >= oldest_at)
        }
        if missing:
            await self._send_again(shard, missing)
        await self.settle()

    async def send(self, events: Iterable[tuple[int, Event]]) -> None:
        """Send the intents of events that were acked.

        Args:
            events: Offset and body of `OrderDecided` events.
        """
        for offset, event in events:
            intent = intent_of(event, self._shard, offset)
            if intent is None:
                continue
            self._sent.append(
                await self._node.bus.send_bytes(
                    INTENTS,
                    orjson.dumps(intent),
                    key=intent["agent"].encode(),
                    partition=self._place,
                    headers=_headers(intent),
                )
            )

    async def settle(self) -> None:
        """Wait for the acks of what was sent.

        Raises:
            AppendFailed: They did not come in time.
        """
        sent, self._sent = self._sent, []
        await within_ack_timeout(self._node.clock, sent, INTENTS)

    async def _newest_seq(self) -> int:
        """Sequence number of the shard's newest intent; 0 without one among the newest records."""
        reader = await self._node.bus.partition_reader(INTENTS, self._place, EARLIEST)
        try:
            end = (await reader.end_offsets())[INTENTS, self._place]
            begin = reader.position(INTENTS, self._place)
            reader.seek(INTENTS, self._place, max(begin, end - EVENTS_REMEMBERED))
            found = [record.message_or_none() for record in await read_list(reader)]
        finally:
            await reader.close()
        return max(
            (
                one.seq
                for one in found
                if isinstance(one, TradeIntent) and one.event_partition == self._shard
            ),
            default=0,
        )

    async def _send_again(self, shard: Shard, missing: set[bytes]) -> None:
        reader = await self._node.bus.partition_reader(EVENTS, self._shard, EARLIEST)
        try:
            begin = reader.position(EVENTS, self._shard)
            first = shard.next_offset - 4 * EVENTS_REMEMBERED
            reader.seek(EVENTS, self._shard, max(begin, first))
            while reader.position(EVENTS, self._shard) < shard.next_offset:
                records = await reader.read(timeout_s=READ_S)
                if not records:
                    return
                await self.send(
                    (record.offset, orjson.loads(record.value))
                    for record in records
                    if record.value is not None and record.value in missing
                )
        finally:
            await reader.close()


# Any: JSON values, in the order of the fields of `TradeIntent`.
def intent_of(event: Event, partition: int, offset: int) -> dict[str, Any] | None:
    """The intent that an event approves; None if it approves none.

    Args:
        event: An `OrderDecided` event.
        partition: Its partition of `account.events`.
        offset: Its offset there.
    """
    kind = event.get("order_type", "market")
    is_first = not event.get("step", 0)
    fills = event["outcome"] in ("filled", "part_filled")
    if kind in ("market", "limit"):
        approves = is_first and (fills or event["outcome"] == "accepted")
    else:
        approves = fills
    if not approves:
        return None
    risk, terms = event.get("risk") or {}, event.get("terms") or {}
    found: dict[str, Any] = {
        "intent_id": event["order_id"],
        "agent": event["agent"],
        "turn_id": event["turn_id"],
        "snapshot_id": event["snapshot_id"],
        "product_id": event["product_id"],
        "action": event["action"],
        "quantity": terms.get("quantity") or event["quantity"],
    }
    if risk.get("decision") == "adjusted":
        found["asked"] = risk["asked"]
    found["order_type"] = kind
    if "limit_price" in terms:
        found["limit_price"] = terms["limit_price"]
    if event.get("exits"):
        found["exits"] = event["exits"]
    if risk:
        found["decision"] = risk["decision"]
    found["simulated"] = True
    if event.get("currency"):
        found["currency"] = event["currency"]
    return {
        **found,
        "seq": event["seq"],
        "event_partition": partition,
        "event_offset": offset,
        "at": event["at"],
    }


def _headers(intent: dict[str, Any]) -> Headers:
    return headers_of(TradeIntent, turn=intent["turn_id"] or None)
