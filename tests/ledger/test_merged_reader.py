"""Several topics come out as one stream in the order of time, and nothing is held back."""

import asyncio

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from arena.bus.base import LogReader, Record
from ledger.merged_reader import MergedReader

TOPICS = ("account.events", "market.snapshots", "llm.calls")


class Listed(LogReader):
    """A reader of a list, a few records at a time."""

    def __init__(self, records: list[Record], step: int) -> None:
        """Begin at the first."""
        self.records = records
        self.step = step
        self.at = 0

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next few."""
        await asyncio.sleep(0)
        found = self.records[self.at : self.at + self.step]
        self.at += len(found)
        if not found:
            await asyncio.sleep(timeout_s)
        return found

    def position(self, topic: str, partition: int) -> int:
        """The next."""
        return self.at

    async def end_offsets(self) -> dict[tuple[str, int], int]:
        """The length of the list."""
        topic = self.records[0].topic if self.records else "none"
        return {(topic, 0): len(self.records)}

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on elsewhere."""
        self.at = offset

    async def close(self) -> None:
        """Nothing to stop."""


times = st.lists(st.integers(0, 50), max_size=30)


@given(st.tuples(times, times, times), st.booleans(), st.integers(1, 7), st.integers(1, 9))
@hypothesis_settings(deadline=None, max_examples=80)
def test_everything_comes_in_order(
    stamps: tuple[list[int], ...], steady: bool, step: int, max_records: int
) -> None:
    """Within a topic by offset, always; between topics by time, where the clocks were steady."""
    stamps = tuple(sorted(found) if steady else found for found in stamps)
    logs = {
        topic: [Record(topic, 0, n, at, None, None) for n, at in enumerate(found)]
        for topic, found in zip(TOPICS, stamps, strict=True)
    }
    total = sum(map(len, logs.values()))

    async def read_all() -> list[Record]:
        merged = MergedReader({topic: Listed(records, step) for topic, records in logs.items()})
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


class Slow(Listed):
    """A reader that is at the end before it hands over the records."""

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next few, some time after they were passed."""
        found = await super().read(timeout_s=timeout_s, max_records=max_records)
        await asyncio.sleep(0.02)
        return found


async def test_the_end_is_reached_when_the_last_record_was_given_out() -> None:
    """The positions of the readers alone do not tell."""
    logs = {topic: [Record(topic, 0, n, n, None, None) for n in range(3)] for topic in TOPICS[:2]}
    merged = MergedReader({topic: Slow(records, 3) for topic, records in logs.items()})
    ends, found = await merged.ends(), []
    while not merged.has_reached(ends):
        found += await merged.read(timeout_s=0.001)
    await merged.close()

    assert 6 == len(found)
