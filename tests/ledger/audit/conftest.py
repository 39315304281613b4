"""One real contest in lock-step for all tests of the audit, as an export and as lists."""

import asyncio
import uuid
from pathlib import Path

import pytest

from arena.exports import read_manifest, read_records
from arena.settings import Settings
from ledger.audit.sources import export_arena
from tests.faults.contest import Contest
from tests.ledger.audit.world import World

SNAPSHOTS = 14


@pytest.fixture(scope="session")
def sound_records(broker_address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported records of a contest that was held by real processes on a real Kafka."""
    home = tmp_path_factory.mktemp("contest")
    settings = Settings(
        bootstrap_servers=broker_address,
        prefix=f"t{uuid.uuid4().hex[:10]}.",
        home=home,
        heartbeat_interval_s=0.5,
    )
    asyncio.run(Contest(settings, home / "logs", SNAPSHOTS).run())
    asyncio.run(export_arena(settings, home / "records"))
    return home / "records"


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
