"""A member of a group whose questions about its log are answered late, or whose log was cut."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaTimeoutError

from arena import topics
from arena.bus import Record, kafka_group
from arena.bus.commit_marks import CommitMark
from arena.bus.kafka_group import GroupConfig, KafkaGroupReader
from arena.errors import BrokenLog

COMMANDS = topics.COMMANDS.name
TP = TopicPartition(COMMANDS, 0)
HANDLED_AT = 4
DEADLINE_S = 10.0


def record(offset: int, value: bytes = b"old") -> Record:
    """A record of the partition."""
    return Record(COMMANDS, 0, offset, 5, b"k", value)


class Log:
    """The group's consumer, its lookup client and the log; offset 5 is committed.

    Attributes:
        records: The records in the log.
        position: The consumer's position.
        silent: Requests about the log are not answered.
        fetches: The number of fetches.
        leader_lookups: The number of failures after which the leaders were looked up.
    """

    _client = SimpleNamespace(
        cluster=SimpleNamespace(leader_for_partition=lambda _: 0),
        _conns={(0, ConnectionGroup.DEFAULT): object()},
    )

    def __init__(self, records: list[Record]) -> None:
        """Take a log."""
        self._coordinator = self
        self.records = records
        self.position = HANDLED_AT + 1
        self.silent = False
        self.fetches = 0
        self.leader_lookups = 0

    # Any: aiokafka's consumers are not typed, and this stands in for two of them.
    async def fetch_committed_offsets(self, partitions: list[TopicPartition]) -> dict[Any, Any]:
        """What the group handled is in a log that is not this one, if that one has changed."""
        mark = CommitMark.of(record(HANDLED_AT)).text()
        return {TP: SimpleNamespace(offset=HANDLED_AT + 1, metadata=mark)}

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[Any, int]:
        """It begins at 0."""
        if self.silent:
            raise KafkaTimeoutError
        return {TP: 0}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[Any, int]:
        """The offset after its last record."""
        if self.silent:
            raise KafkaTimeoutError
        return {TP: len(self.records)}

    async def offsets_for_times(self, times: Mapping[Any, int]) -> dict[Any, Any]:
        """Everything is as new as what was handled."""
        return {TP: SimpleNamespace(offset=0)}

    async def records_at(
        self, offsets: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], Record]:
        """As a log reader: an offset that does not exist yet is waited for."""
        if self.silent:
            raise KafkaTimeoutError
        (pair, offset) = next(iter(offsets.items()))
        if offset >= len(self.records):
            raise TimeoutError
        return {pair: self.records[offset]}

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        """What comes at the position."""
        self.fetches += 1
        found = self.records[self.position : self.position + max_records]
        self.position += len(found)
        raw = [
            SimpleNamespace(**r._asdict() | {"timestamp": r.timestamp_ms, "headers": ()})
            for r in found
        ]
        return {TP: raw} if raw else {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue elsewhere."""
        self.position = offset

    def assignment(self) -> set[TopicPartition]:
        """The one partition."""
        return {TP}

    def member(self) -> KafkaGroupReader:
        """A member that reads it."""
        # Any: aiokafka's consumers are not typed.
        consumer: Any = self
        group = GroupConfig(
            "g", "earliest", self.records_at, lambda: self.leader_lookups, lambda *_: None
        )
        return KafkaGroupReader(consumer, consumer, "", None, group)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks run one after another."""
    monkeypatch.setattr(kafka_group, "CHECK_S", 0.05)
    monkeypatch.setattr(kafka_group, "CHECK_AGAIN_S", 0.0)
    monkeypatch.setattr(kafka_group, "SHORT_PROOF_S", 0.0)


async def test_fetched_records_are_dropped_after_move() -> None:
    """If its offset was checked between two reads, all of the new log is delivered in order."""
    log = Log([record(n, b"new") for n in range(9)])
    member = log.member()
    log.silent = True
    await member.on_partitions_assigned([TP])
    for _ in range(3):
        assert [] == await member.read(timeout_s=0, max_records=2)
    fetches = log.fetches
    log.silent = False
    await asyncio.wait_for(member._checked.wait(), DEADLINE_S)
    found = [r.offset for _ in range(5) for r in await member.read(timeout_s=0, max_records=2)]

    assert list(range(9)) == found
    assert 1 == fetches, "what waits for a check is not added to"


async def test_truncated_log_ends_member(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The record that would come there is not waited for: the log stays too short."""
    monkeypatch.setattr(kafka_group, "SHORT_PROOFS_MAX", 3)
    log = Log([record(n) for n in range(9)])
    member = log.member()
    log.position = 0
    await member.on_partitions_assigned([TP])
    assert HANDLED_AT + 1 == len(await member.read(timeout_s=0, max_records=HANDLED_AT + 1))
    member.on_partitions_revoked([TP])
    del log.records[HANDLED_AT:]
    await member.on_partitions_assigned([TP])
    with pytest.raises(BrokenLog, match="offset 4, which was handled, is gone"):
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await member.read(timeout_s=0)
                await asyncio.sleep(0)


async def after_a_failed_fetch() -> tuple[Log, KafkaGroupReader]:
    """A log of six records that a member has read, and then a fetch that failed."""
    log = Log([record(n) for n in range(6)])
    member = log.member()
    log.position = 0
    await member.on_partitions_assigned([TP])
    assert 6 == len(await member.read(timeout_s=0))
    log.leader_lookups += 1
    return log, member


async def test_log_recreated_during_a_failed_fetch_ends_member() -> None:
    """The same connection, and the new log has grown past the offset: only the failure is seen."""
    log, member = await after_a_failed_fetch()
    log.records = [record(n, b"new") for n in range(9)]
    with pytest.raises(BrokenLog, match="offset 5, which was handled, has changed"):
        await member.read(timeout_s=0)


async def test_failed_fetch_of_an_unchanged_log_loses_nothing() -> None:
    """The records after the failure are delivered."""
    log, member = await after_a_failed_fetch()
    log.records += [record(n) for n in range(6, 8)]

    assert [6, 7] == [r.offset for r in await member.read(timeout_s=0)]
