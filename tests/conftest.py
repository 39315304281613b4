"""Fixtures for every test: settings with a unique topic prefix, a bus to a real Kafka."""

import os

# NumPy reads it when it is loaded; several threads per worker cost three times the processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.settings import Settings

LONG = (
    "tests/operations/storm/test_storm.py",
    "tests/test_readme.py",
    "tests/operations/commands/test_compete.py",
    "tests/operations/commands/test_compete_models.py",
    "tests/faults/",
    "tests/operations/commands/",
    "tests/security/",
)
"""Slow files that mostly wait, the slowest first, so that no worker is left with one alone."""
SUITE = Path(__file__).resolve().parent
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first, in the order of the list; the others stay in their order."""
    for path in LONG:
        assert (SUITE.parent / path).exists(), f"{path} has another name now"
    places = {path: place for place, path in enumerate(LONG)}

    def place_of(item: pytest.Item) -> int:
        first = next((path for path in LONG if item.nodeid.startswith(path)), "")
        return places.get(first, len(LONG))

    items.sort(key=place_of)


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """Reset the log configuration after each test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def broker_address() -> Iterator[str]:
    """Bootstrap servers of one real Kafka for the whole session."""
    from tests.broker_fixture import start_session_broker

    with start_session_broker() as address:
        os.environ["KAFKA_BOOTSTRAP_SERVERS"] = address
        yield address


@pytest.fixture
def settings(broker_address: str, tmp_path: Path) -> Settings:
    """Settings with a topic prefix that is unique to the test."""
    return Settings(
        bootstrap_servers=broker_address,
        prefix=f"t{uuid.uuid4().hex[:10]}.",
        home=tmp_path,
        heartbeat_interval_s=0.5,
    )


@pytest.fixture
async def bus(settings: Settings) -> AsyncIterator[KafkaBus]:
    """A connected bus with every fixed topic."""
    connected = KafkaBus(settings, client_id="test")
    await connected.start()
    await connected.ensure_topics(topics.fixed_topics())
    yield connected
    await connected.close()


@pytest.fixture
async def memory_bus() -> MemoryBus:
    """A bus in memory with every fixed topic."""
    memory = MemoryBus()
    await memory.start()
    await memory.ensure_topics(topics.fixed_topics())
    return memory


@pytest.fixture
def shared_recordings() -> Path:
    """The folder of real recordings beside the project; skips the test if it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no recordings at {SHARED}")
    return SHARED
