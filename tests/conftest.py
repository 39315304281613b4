"""Fixtures for every test: settings with a unique topic prefix, a bus to a real Kafka."""

import gc
import logging
import os

# NumPy reads it when it is loaded; several threads per worker cost three times the processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import structlog

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.settings import Settings

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController  # type: ignore[import-untyped]  # has no types

    from tests.browser import Browser

LONG = (
    "tests/operations/storm/test_storm.py",
    "tests/test_readme.py",
    "tests/operations/commands/test_compete.py",
    "tests/operations/commands/test_compete_models.py",
    "tests/operations/backtest/",
    "tests/faults/",
    "tests/operations/commands/",
    "tests/security/",
)
"""Slow files that mostly wait, the slowest first, so that no worker is left with one alone."""
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")  # a slow machine is not a fault

SUITE = Path(__file__).resolve().parent
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
BROKER = "session_broker"
"""A worker's input of this name says how it asks for the session's broker."""
LOCATION = pytest.StashKey[tuple[str, int, bytes]]()
"""Where the workers ask."""
RUNNING = pytest.StashKey[ExitStack]()
"""What the process that controls the workers ends when the session ends."""


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "WorkerController") -> None:
    """Let a worker of pytest-xdist ask this process for the broker that all workers share."""
    from operations.processes.stop_signals import terminate_as_interrupt
    from tests.broker_fixture import start_session_broker
    from tests.shared_broker import SharedBroker

    stash = node.config.stash
    if RUNNING not in stash:
        stash[RUNNING] = running = ExitStack()
        running.enter_context(terminate_as_interrupt())
        shared = running.enter_context(closing(SharedBroker(start_session_broker)))
        stash[LOCATION] = shared.location
    node.workerinput[BROKER] = stash[LOCATION]


def pytest_collection() -> None:
    """Collect no garbage while tests are imported: they all stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what was imported out of the collections that follow."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the broker that the workers shared, however the session ended."""
    if RUNNING in config.stash:
        config.stash[RUNNING].close()


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
    root = logging.getLogger()
    level = root.level
    yield
    structlog.reset_defaults()
    root.setLevel(level)


@pytest.fixture(scope="session")
def broker_address(pytestconfig: pytest.Config) -> Iterator[str]:
    """Bootstrap servers of one real Kafka for the whole session; all workers have the same."""
    from tests.broker_fixture import start_session_broker
    from tests.shared_broker import ask_for_broker

    location = getattr(pytestconfig, "workerinput", {}).get(BROKER)
    broker = nullcontext(ask_for_broker(location)) if location else start_session_broker()
    with broker as address:
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
    """A connected bus with every fixed topic.

    The broker shows a topic a moment after its creation, later if other tests create many.
    """
    connected = KafkaBus(settings, client_id="test")
    await connected.start()
    await connected.ensure_topics(topics.fixed_topics())
    await connected.all_partitions_now(spec.name for spec in topics.fixed_topics())
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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Browser"]:
    """A headless Chromium with its own profile."""
    from tests.browser import headless_browser

    with headless_browser(tmp_path_factory.mktemp("profile")) as found:
        yield found
