"""Follows a storm while it rages: which orders were placed and decided, which turns have no end.

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
from arena.bus.kafka_access import stop_client
from operations.storm.checker_run import partitions_of
from operations.storm.client_errors import CLIENT_ERRORS
from operations.storm.storm_commands import AGENTS, PREFIX

COMMANDS = TopicPartition(PREFIX + topics.COMMANDS.name, 0)
EVENTS = TopicPartition(PREFIX + topics.EVENTS.name, 0)
TURNS = PREFIX + topics.TURNS.name
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
        turns: Turns that were begun and not seen to end -> when they were seen, monotonic seconds.
        ends: One past the newest offset seen.
    """

    options: dict[str, Any]  # Any: what aiokafka takes
    open: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    last_record_s: float = 0.0
    last_decision_s: float = 0.0
    decision_gap_s_max: float = 0.0
    turns: dict[str, float] = field(default_factory=dict)
    next_offsets: dict[TopicPartition, int] = field(default_factory=dict)

    @property
    def events_end(self) -> int:
        """One past the newest event seen."""
        return self.next_offsets.get(EVENTS, 0)

    def quiet_s(self) -> float:
        """Seconds since anything came."""
        return time.monotonic() - self.last_record_s

    def since_decision_s(self) -> float:
        """Seconds since an order was seen decided."""
        return time.monotonic() - self.last_decision_s

    def has_open_turn_before(self, at_s: float) -> bool:
        """True while a turn has no end that was begun before a time, monotonic seconds."""
        return any(begun_s < at_s for begun_s in self.turns.values())

    async def run(self) -> None:
        """Follow until cancelled, over any loss of the brokers."""
        while True:
            try:
                await self._follow()
            except CLIENT_ERRORS:
                await asyncio.sleep(0.3)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **self.options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                found = await partitions_of(self.options, lambda name: name == TURNS)
                await consumer.start()
            partitions = [COMMANDS, EVENTS, *(TopicPartition(TURNS, n) for n in found[TURNS])]
            consumer.assign(partitions)
            for partition in partitions:
                consumer.seek(partition, self.next_offsets.get(partition, 0))
            while True:
                batches = await consumer.getmany(timeout_ms=200, max_records=5_000)
                for partition, records in batches.items():
                    for record in records:
                        self._read_record(partition, record.value)
                    self.next_offsets[partition] = records[-1].offset + 1
                    self.last_record_s = time.monotonic()
        finally:
            await stop_client(consumer)

    def _note_decision(self, now_s: float) -> None:
        if self.last_decision_s:
            self.decision_gap_s_max = max(self.decision_gap_s_max, now_s - self.last_decision_s)
        self.last_decision_s = now_s

    def _read_record(self, partition: TopicPartition, value: bytes | None) -> None:
        try:
            body = orjson.loads(value or b"")
            if partition.topic == TURNS:
                self._read_turn(body)
            elif partition == EVENTS:
                order_id = body["order_id"]
                self.decided.add(order_id)
                self.open.discard(order_id)
                if "outcome" in body:
                    self._note_decision(time.monotonic())
            elif body["tool"] == "execute_trade" and body["call_id"] not in self.decided:
                self.open.add(str(body["call_id"]))
        except (ValueError, KeyError, TypeError):
            return

    def _read_turn(self, body: dict[str, Any]) -> None:  # Any: decoded JSON
        if body["agent"] not in AGENTS:
            return
        if "outcome" in body:
            self.turns.pop(body["turn_id"], None)
        else:
            self.turns.setdefault(body["turn_id"], time.monotonic())
