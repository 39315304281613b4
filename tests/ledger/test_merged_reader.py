"""Several topics are merged into one stream in order of time, without losing records."""

import asyncio

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from arena.bus.base import LogReader, Record
from ledger.merged_reader import MergedReader

TOPICS = ("account.events", "market.snapshots", "llm.calls")


class ListReader(LogReader):
    """A reader of a list that returns a few records at a time."""

    def __init__(self, records: list[Record], step: int) -> None:
        """Read a list.

        Args:
            records: The records.
            step: Records per read.
        """
        self.records = records
        self.step = step
        self.at = 0

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """Return the next records."""
        await asyncio.sleep(0)
        found = self.records[self.at : self.at + self.step]
        self.at += len(found)
        if not found:
            await asyncio.sleep(timeout_s)
        return found

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset."""
        return self.at

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """Return the length of the list."""
        topic = self.records[0].topic if self.records else "none"
        return {(topic, 0): len(self.records)}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue at another offset."""
        self.at = offset

    async def close(self) -> None:
        """Nothing to stop."""


times = st.lists(st.integers(0, 50), max_size=30)


@given(st.tuples(times, times, times), st.booleans(), st.integers(1, 7), st.integers(1, 9))
@hypothesis_settings(deadline=None, max_examples=80)
def test_records_are_in_order(
    stamps: tuple[list[int], ...], steady: bool, step: int, max_records: int
) -> None:
    """Always by offset within a topic; between topics by time, if timestamps increase."""
    stamps = tuple(sorted(found) if steady else found for found in stamps)
    logs = {
        topic: [Record(topic, 0, n, at, None, None) for n, at in enumerate(found)]
        for topic, found in zip(TOPICS, stamps, strict=True)
    }
    total = sum(map(len, logs.values()))

    async def read_all() -> list[Record]:
        merged = MergedReader({topic: ListReader(records, step) for topic, records in logs.items()})
        found: list[Record] = []
        while len(found) < total:
            found += await merged.read(timeout_s=0.01, max_records=max_records)
        await merged.close()
        return found

    found = asyncio.run(read_all())

    if steady:
        assert sorted(record.timestamp_ms for record in found) == [r.timestamp_ms for r in found]
    for topic, records in logs.items():
        assert records == [record for record in found if record.topic == topic]


class SlowReader(ListReader):
    """A reader whose position moves before it returns the records."""

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """Return the next records, some time after the position moved."""
        found = await super().read(timeout_s=timeout_s, max_records=max_records)
        await asyncio.sleep(0.02)
        return found


async def test_end_is_reached_after_the_last_record_was_returned() -> None:
    """The positions of the readers alone do not show it."""
    logs = {topic: [Record(topic, 0, n, n, None, None) for n in range(3)] for topic in TOPICS[:2]}
    merged = MergedReader({topic: SlowReader(records, 3) for topic, records in logs.items()})
    ends, found = await merged.ends(), []
    while not merged.has_reached(ends):
        found += await merged.read(timeout_s=0.001)
    await merged.close()

    assert 6 == len(found)
