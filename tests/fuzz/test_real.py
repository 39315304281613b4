"""A contest of real processes on a real broker survives hostile records.

It takes a minute, so it runs only on request:

    ARENA_FUZZ_REAL=1 ARENA_FUZZ_SEED=7 .venv/bin/python -m pytest -n0 tests/fuzz/test_real.py
"""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import pytest

from arena import topics
from arena.bus.base import Bus, Record, Start, plain_headers
from arena.errors import Malformed
from arena.settings import Settings
from ledger.audit.checker import InvariantStatus
from ledger.audit.replay import replay
from ledger.audit.sources import RecordSource, export_arena
from ledger.audit.verify import audit
from tests.faults.contest import AGENTS, Contest
from tests.fuzz.hostile_records import hostile_records

SEED = int(os.environ.get("ARENA_FUZZ_SEED", "1"))
SNAPSHOTS = int(os.environ.get("ARENA_FUZZ_SNAPSHOTS", "30"))
PER_ROUND = 8
"""Hostile records per topic and round."""
GOOD = 40
"""Newest records of a topic from which hostile ones are made."""
PAUSE_S = 0.2
ANY_RECORDS = (
    topics.COMMANDS.name,
    topics.TOOL_CALLS.name,
    topics.prompted("rules"),
    topics.LLM_CALLS.name,
    topics.TURNS.name,
    topics.EVALUATIONS.name,
    topics.DEAD_LETTERS.name,
    *(topics.inbox(agent) for agent in AGENTS),
)
UNREADABLE_ONLY = (
    topics.TICKERS.name,
    topics.ROSTER.name,
    topics.CONTROL.name,
    topics.HEARTBEATS.name,
)
"""Topics whose readable records rightly change the market, the prompts, the halts or the model of a
baseline, so they get unreadable ones only. A record among the snapshots fences a lock-step replay,
and one in `account.events` stops its readers; other tests cover these."""

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif("ARENA_FUZZ_REAL" not in os.environ, reason="set ARENA_FUZZ_REAL=1"),
]


@dataclass
class HostileWriter:
    """Appends hostile copies of the newest records of the arena.

    Attributes:
        counts: Topic -> number of records appended.
    """

    counts: Counter[str] = field(default_factory=Counter)

    async def disturb(self, contest: Contest, bus: Bus) -> None:
        """Append until cancelled."""
        rng = Random(SEED)
        await bus.ensure_topics([topics.spec_of(name) for name in (*ANY_RECORDS, *UNREADABLE_ONLY)])
        for number in count():
            for name in (*ANY_RECORDS, *UNREADABLE_ONLY):
                good = await newest(bus, name)
                if good:
                    await self._append(bus, name, good, SEED * 1_000_003 + number, rng)
            await asyncio.sleep(PAUSE_S)

    async def _append(
        self, bus: Bus, name: str, good: list[Record], seed: int, rng: Random
    ) -> None:
        partitions = await bus.partitions(name)
        for one in hostile_records(good, PER_ROUND, seed):
            headers = plain_headers(one.headers)
            record = Record(name, 0, 0, 0, one.key, one.value, headers)
            if name in UNREADABLE_ONLY and is_message(record):
                continue
            if name == topics.CONTROL.name and record.key_text.startswith(("all", "agent/")):
                continue  # It would be a halt, which other tests cover.
            key = one.key or b"x"
            partition = rng.randrange(partitions)
            named = tuple(headers.items())
            sent = await bus.send_bytes(
                name, one.value or b"", key=key, partition=partition, headers=named
            )
            await sent
            self.counts[name] += 1


def is_message(record: Record) -> bool:
    """True if a record can be read."""
    try:
        record.message()
    except Malformed:
        return False
    return True


async def newest(bus: Bus, name: str) -> list[Record]:
    """Return the newest records of a topic that are messages with a body."""
    found: list[Record] = []
    for partition in range(await bus.partitions(name)):
        start = Start(offsets={(name, partition): 0})
        reader = await bus.partition_reader(name, partition, start)
        try:
            end = (await reader.end_offsets())[name, partition]
            reader.seek(name, partition, max(reader.position(name, partition), end - GOOD))
            while reader.position(name, partition) < end:
                found += await reader.read(timeout_s=0.2)
        finally:
            await reader.close()
    return [r for r in found if r.value and r.value[:1] == b"{" and is_message(r)]


async def test_contest_survives_hostile_records(settings: Settings, tmp_path: Path) -> None:
    """No process ends, every snapshot is answered, and every invariant holds."""
    writer = HostileWriter()
    contest = Contest(settings, tmp_path / "logs", SNAPSHOTS)
    await contest.run(writer)
    await export_arena(settings, tmp_path / "records")
    found = await asyncio.to_thread(
        audit, RecordSource("fuzzed", tmp_path / "records"), replay=replay
    )
    print(f"\nappended: {dict(writer.counts)}\nends: {dict(contest.ends)}")
    for result in found.results:
        print(result.number, result.status.value, result.counts, result.notes)
        print(*(f"    {violation}" for violation in result.violations[:10]), sep="\n")

    assert {} == dict(contest.ends)
    assert [] == [f"{v.number}: {f}" for v in found.results for f in v.violations]
    assert InvariantStatus.FAIL not in {result.status for result in found.results}
