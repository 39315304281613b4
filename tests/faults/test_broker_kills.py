"""The broker is killed and restarted under traffic."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from tests.faults.conftest import run_traffic
from tests.faults.harness import Executors

pytestmark = [pytest.mark.timeout(600)]

KILLS = 2


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    """A broker that may be killed; other tests use the one of the session."""
    with LocalBroker(tmp_path / "home", port=0, allow_fallback=False) as own:
        yield own


async def test_orders_survive_sigkill_of_the_broker(broker: LocalBroker, tmp_path: Path) -> None:
    """Orders in flight when the only broker dies are each decided once."""
    settings = Settings(bootstrap_servers=broker.start().bootstrap)
    bus = KafkaBus(settings, client_id="test")
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    executors = Executors(settings, tmp_path)
    executors.start("one")
    kills: list[int | None] = []

    async def disturb() -> None:
        await executors.wait_until_owned(0)
        for _ in range(KILLS):
            await asyncio.sleep(1.5)
            broker.kill()
            handle = await asyncio.to_thread(broker.start)
            kills.append(handle.pid)

    findings = await run_traffic(bus, executors, 5, disturb(), enough=lambda: len(kills) == KILLS)
    await bus.close()

    assert not findings.wrong, findings.summary()
    assert len(set(kills)) == KILLS
