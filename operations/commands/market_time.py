"""Before `arena up` starts a simulated market: is its time before that of the topics?

The market keeps its time in a file of the home. Homes of 0.1.0 have none, a file can be lost, and
another home's is older than the topics. Time would go back then, so the file is rewritten from
the newest snapshot: a market from a seed begins its prices again at that time, one from files
continues there. `connectors/exchange/standing.py` reads the file.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import orjson

from arena import topics
from arena.atomic_files import write_atomic
from arena.bounded_files import NotReadable, read_regular
from arena.bus.base import EARLIEST, Bus, Record
from arena.errors import Malformed
from arena.messages import MarketSnapshot
from arena.output import print_note
from arena.settings import Settings
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec

NEWEST_MAX = 64
"""Records of each partition that are looked at from the end: room for what is not a snapshot."""
FILE_BYTES_MAX = 64 << 10
MINUTE_S = 60


def restore_market_time(spec: ArenaSpec, settings: Settings, path: Path) -> None:
    """See that a simulated market does not begin before the newest snapshot of its topics.

    Args:
        spec: The arena.
        settings: Broker and prefix; the topics are there.
        path: The file in which the market keeps its time.
    """
    if spec.market.source != "exchange":
        return
    with StopSignals() as signals:
        newest = asyncio.run(_read(settings))
    signals.raise_received()
    files = [file.name for file in map(Path, spec.market.prices)]
    text = restored_state(_state(path), newest, datetime.now(UTC), files)
    if text is not None and newest is not None:
        print_note(
            f"the newest snapshot is of {newest:%Y-%m-%d %H:%M:%S} UTC: the market begins there"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)


def restored_state(
    kept: dict[str, object], newest: datetime | None, now: datetime, files: Iterable[str]
) -> str | None:
    """What a market's file must say, or None if it may stay as it is. Pure.

    Args:
        kept: What it says now; empty if it cannot be read.
        newest: Market time of the newest snapshot.
        now: Wall time, at which a market from a seed begins without a file.
        files: Names of the files with its prices; none for a seed.
    """
    if newest is None:
        return None
    venue_s = newest.timestamp()
    kept_s = kept.get("venue_s")
    if isinstance(kept_s, int | float):
        if kept_s >= venue_s:
            return None
        return _line(kept | {"venue_s": venue_s})
    tape = " ".join(files)
    if not tape and venue_s <= now.timestamp():
        return None
    began_s = int(venue_s) - int(venue_s) % MINUTE_S
    return _line({"tape": tape, "began_s": began_s, "venue_s": venue_s})


def _line(found: dict[str, object]) -> str:
    return orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE).decode()


async def newest_market_time(bus: Bus) -> datetime | None:
    """Market time of the newest snapshot, or None if the topic has none.

    Args:
        bus: Connected; the topic is there.
    """
    name, found = topics.SNAPSHOTS.name, list[datetime]()
    for partition in range(await bus.partitions(name)):
        pair = (name, partition)
        reader = await bus.partition_reader(*pair, EARLIEST)
        try:
            end = (await reader.end_offsets())[pair]
            reader.seek(*pair, max(reader.position(*pair), end - NEWEST_MAX))
            while reader.position(*pair) < end:
                found += filter(None, map(_as_of, await reader.read()))
        finally:
            await reader.close()
    return max(found, default=None)


def _as_of(record: Record) -> datetime | None:
    try:
        message = record.message()
    except Malformed:
        return None
    return message.as_of if isinstance(message, MarketSnapshot) else None


async def _read(settings: Settings) -> datetime | None:
    from arena.bus.kafka import KafkaBus

    bus = KafkaBus(settings, client_id="arena-up-market")
    await bus.start()
    try:
        return await newest_market_time(bus)
    finally:
        await bus.close()


def _state(path: Path) -> dict[str, object]:
    try:
        found = orjson.loads(read_regular(path, FILE_BYTES_MAX))
    except (OSError, ValueError, NotReadable):
        return {}
    return found if isinstance(found, dict) else {}
