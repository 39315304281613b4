"""One real contest in lock-step for all tests of the audit, as an export and as lists."""

import asyncio
import fcntl
import uuid
from pathlib import Path

import pytest

from arena.exports import read_manifest, read_records
from arena.settings import Settings
from ledger.audit.sources import export_arena
from tests.faults.contest import Contest
from tests.ledger.audit.world import World

SNAPSHOTS = 14
MEME_COIN = "BABYDOGE-USD"
"""Twelve decimals, at a price of which an account buys trillions."""
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD", "FARTCOIN-USD", MEME_COIN)


@pytest.fixture(scope="session")
def sound_records(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Path:
    """The exported records of a contest that was held by real processes on a real Kafka.

    The first of the workers that needs them makes them for all.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    records = shared / "sound-records"
    with (shared / "sound-records.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not records.exists():
            hold_contest(request.getfixturevalue("broker_address"), shared, records)
    return records


def hold_contest(broker_address: str, home: Path, records: Path) -> None:
    """Hold the contest, and export it in one step."""
    settings = Settings(
        bootstrap_servers=broker_address,
        prefix=f"t{uuid.uuid4().hex[:10]}.",
        home=home / "sound-home",
        heartbeat_interval_s=0.5,
    )
    half = home / f"{settings.prefix}records"
    contest = Contest(settings, home / "sound-logs", SNAPSHOTS, products=PRODUCTS)
    asyncio.run(contest.run())
    asyncio.run(export_arena(settings, half))
    half.rename(records)


@pytest.fixture(scope="session")
def sound(sound_records: Path) -> World:
    """The same in memory; to be copied before it is changed."""
    manifest = read_manifest(sound_records)
    spans = {topic: dict(found.partitions) for topic, found in manifest.topics.items()}
    return World.of(read_records(sound_records), spans)


@pytest.fixture
def world(sound: World) -> World:
    """A copy to break."""
    return sound.copy()
