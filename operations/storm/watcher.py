"""Follows the account topics while a storm rages: which orders were placed, which were decided.

Only for the progress line and for the rest afterwards, which ends when nothing is open; the verdict
is the checker's.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from arena import topics
from operations.storm.cast import PREFIX
from operations.storm.trouble import TROUBLE

COMMANDS = TopicPartition(PREFIX + topics.COMMANDS.name, 0)
EVENTS = TopicPartition(PREFIX + topics.EVENTS.name, 0)
START_TIMEOUT_S = 15.0


@dataclass
class Watcher:
    """What was seen so far.

    Attributes:
        options: Address and login, as aiokafka takes them.
        open: Orders that were placed and not seen decided.
        decided: Ids of decided orders. moved_at: when anything came, monotonic seconds.
        decided_at: When an order was seen decided for the last time, monotonic seconds; 0 before.
        still_s_max: The longest time between two decisions.
        commands_end, events_end: One past the newest offset seen.
    """

    options: dict[str, Any]  # Any: what aiokafka takes
    open: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    moved_at: float = 0.0
    decided_at: float = 0.0
    still_s_max: float = 0.0
    commands_end: int = 0
    events_end: int = 0

    def quiet_s(self) -> float:
        """Seconds since anything came."""
        return time.monotonic() - self.moved_at

    def still_s(self) -> float:
        """Seconds since an order was seen decided."""
        return time.monotonic() - self.decided_at

    async def run(self) -> None:
        """Follow until cancelled, over any loss of the brokers."""
        while True:
            try:
                await self._follow()
            except TROUBLE:
                await asyncio.sleep(0.3)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **self.options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await consumer.start()
            consumer.assign([COMMANDS, EVENTS])
            consumer.seek(COMMANDS, self.commands_end)
            consumer.seek(EVENTS, self.events_end)
            while True:
                batches = await consumer.getmany(timeout_ms=200, max_records=5_000)
                for place, records in batches.items():
                    for record in records:
                        self._take(place, record.value)
                    if place == EVENTS:
                        self.events_end = records[-1].offset + 1
                    else:
                        self.commands_end = records[-1].offset + 1
                    self.moved_at = time.monotonic()
        finally:
            await consumer.stop()

    def _note_decision(self, now_s: float) -> None:
        if self.decided_at:
            self.still_s_max = max(self.still_s_max, now_s - self.decided_at)
        self.decided_at = now_s

    def _take(self, place: TopicPartition, value: bytes | None) -> None:
        try:
            body = orjson.loads(value or b"")
            if place == EVENTS:
                order_id = body["order_id"]
                self.decided.add(order_id)
                self.open.discard(order_id)
                if "outcome" in body:
                    self._note_decision(time.monotonic())
            elif body["tool"] == "execute_trade" and body["call_id"] not in self.decided:
                self.open.add(str(body["call_id"]))
        except (ValueError, KeyError, TypeError):
            return
