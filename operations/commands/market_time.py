"""Keeps a simulated market's time from going back before `arena up` starts it.

The market keeps its time in a file of the home. That file can be missing (homes of 0.1.0 have none)
or older than the topics (if another home ran the arena). Then it is rewritten from the newest
snapshot: a market from a seed starts its prices again at that time, one from files continues there.
`connectors/simulator/simulator_state.py` reads the file. Of several venues, each has a file.
"""

import asyncio
import importlib
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
from arena.read_topic import read_list
from arena.settings import Settings
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec
from operations.specs.venues import by_venue

NEWEST_MAX = 64
"""Records of each partition that are read from the end; some may not be snapshots."""
FILE_BYTES_MAX = 64 << 10
MINUTE_S = 60
STATE_MODULE = "connectors.simulator.simulator_state"
"""Loaded by name: `operations` imports no room."""


def restore_market_time(spec: ArenaSpec, settings: Settings, path: Path) -> None:
    """Make a simulated market start at or after the newest snapshot of its topics.

    Args:
        spec: The arena.
        settings: Broker and prefix; the topics exist.
        path: The file in which the market keeps its time.
    """
    if spec.market.source != "exchange":
        return
    with StopSignals() as signals:
        newest = asyncio.run(_read(settings))
    signals.raise_received()
    now, restored = datetime.now(UTC), False
    for file, source in market_files(spec, path):
        text = restored_state(stored_state(file), newest, now, source)
        if text is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, text)
            restored = True
    if restored:
        print_note(f"the market starts at the newest snapshot, {newest:%Y-%m-%d %H:%M:%S} UTC")


def market_files(spec: ArenaSpec, path: Path) -> list[tuple[Path, str]]:
    """The file of each venue, and the description of its price files in it; "" for a seed.

    Args:
        spec: The arena.
        path: The file of an exchange of one venue.
    """
    state = importlib.import_module(STATE_MODULE)
    products, found = spec.arena.products, list[tuple[Path, str]]()
    names = [Path(text).name for text in spec.market.prices]
    named = dict(zip(products, names, strict=False))
    venues = by_venue(products)
    for venue, own in venues.items():
        files = [named[p] for p in own if p in named] if len(venues) > 1 else names
        file = state.state_of_venue(path, venue) if len(venues) > 1 else path
        found.append((file, state.source_on_venue(" ".join(files), venue) if files else ""))
    return found


def restored_state(
    stored: dict[str, object], newest: datetime | None, now: datetime, source: str
) -> str | None:
    """Return the new text of a market's file, or None if it may stay unchanged. Pure.

    Args:
        stored: Its values now; empty if it cannot be read.
        newest: Market time of the newest snapshot.
        now: Wall time, at which a market from a seed starts without a file.
        source: Description of its price files, as the exchange writes it; "" for a seed.
    """
    if newest is None:
        return None
    venue_s = newest.timestamp()
    stored_s = stored.get("venue_s")
    if isinstance(stored_s, int | float):
        if stored_s >= venue_s:
            return None
        return _line(stored | {"venue_s": venue_s})
    if not source and venue_s <= now.timestamp():
        return None
    began_s = int(venue_s) - int(venue_s) % MINUTE_S
    return _line({"tape": source, "began_s": began_s, "venue_s": venue_s})


def _line(found: dict[str, object]) -> str:
    return orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE).decode()


async def newest_market_time(bus: Bus) -> datetime | None:
    """Market time of the newest snapshot, or None if the topic has none.

    Args:
        bus: Connected; the topic exists.
    """
    name, found = topics.SNAPSHOTS.name, list[datetime]()
    for partition in range(await bus.partitions(name)):
        pair = (name, partition)
        reader = await bus.partition_reader(*pair, EARLIEST)
        try:
            end = (await reader.end_offsets())[pair]
            reader.seek(*pair, max(reader.position(*pair), end - NEWEST_MAX))
            found += filter(None, map(_as_of, await read_list(reader, {pair: end})))
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


def stored_state(path: Path) -> dict[str, object]:
    """The values in a market's file; empty if the exchange could not continue from it."""
    try:
        content = read_regular(path, FILE_BYTES_MAX)
        importlib.import_module(STATE_MODULE).decode_state(content)
    except (OSError, ValueError, NotReadable):
        return {}
    found: dict[str, object] = orjson.loads(content)
    return found
