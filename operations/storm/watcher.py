"""Follows orders and turns during a storm: which are open.

For the progress line and for the wait after the faults, until nothing is open; the checks are done
by the checker.
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
    """The orders and turns seen so far.

    Attributes:
        options: Address and login, as arguments of aiokafka's clients.
        open: Ids of orders that were placed and not seen decided.
        decided: Ids of decided orders.
        last_record_s: Monotonic seconds of the last record of any topic.
        last_decision_s: Monotonic seconds when an order was last seen decided; 0 before the first.
        decision_gap_s_max: The longest time between two decisions.
        turns: Open turns -> when they were seen, monotonic seconds.
        next_offsets: Partition -> the offset after the newest record seen.
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
        """The offset after the newest event seen."""
        return self.next_offsets.get(EVENTS, 0)

    def quiet_s(self) -> float:
        """Return the seconds since the last record."""
        return time.monotonic() - self.last_record_s

    def since_decision_s(self) -> float:
        """Return the seconds since an order was seen decided."""
        return time.monotonic() - self.last_decision_s

    def has_open_turn_before(self, at_s: float) -> bool:
        """True while a turn is open that started before a time in monotonic seconds."""
        return any(begun_s < at_s for begun_s in self.turns.values())

    async def run(self) -> None:
        """Follow until cancelled, also across losses of the brokers."""
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
