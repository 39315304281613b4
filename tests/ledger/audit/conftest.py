"""One real lock-step contest for all tests of the audit, as an export and in memory."""

import asyncio
import fcntl
import uuid
from pathlib import Path

import pytest

from arena.exports import read_manifest, read_records
from arena.settings import Settings
from ledger.audit.sources import export_arena
from tests.faults.contest import Contest
from tests.ledger.audit.contest_log import ContestLog

SNAPSHOTS = 14
MEME_COIN = "BABYDOGE-USD"
"""A product with twelve decimals, so cheap that an account buys trillions."""
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD", "FARTCOIN-USD", MEME_COIN)


@pytest.fixture(scope="session")
def sound_records(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Path:
    """The exported records of a contest between real processes on a real Kafka.

    The first test worker that needs them creates them for all.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    records = shared / "sound-records"
    with (shared / "sound-records.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not records.exists():
            run_contest(request.getfixturevalue("broker_address"), shared, records)
    return records


def run_contest(broker_address: str, home: Path, records: Path) -> None:
    """Run the contest, export it, and move the export into place."""
    settings = Settings(
        bootstrap_servers=broker_address,
        prefix=f"t{uuid.uuid4().hex[:10]}.",
        home=home / "sound-home",
        heartbeat_interval_s=0.5,
    )
    unfinished = home / f"{settings.prefix}records"
    contest = Contest(settings, home / "sound-logs", SNAPSHOTS, products=PRODUCTS)
    asyncio.run(contest.run())
    asyncio.run(export_arena(settings, unfinished))
    unfinished.rename(records)


@pytest.fixture(scope="session")
def sound_log(sound_records: Path) -> ContestLog:
    """The records in memory; tests change a copy."""
    manifest = read_manifest(sound_records)
    spans = {topic: dict(found.partitions) for topic, found in manifest.topics.items()}
    return ContestLog.of(read_records(sound_records), spans)


@pytest.fixture
def log(sound_log: ContestLog) -> ContestLog:
    """A copy to change."""
    return sound_log.copy()
