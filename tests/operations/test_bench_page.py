"""The measurement of the page, on a real Kafka and a real page."""

import asyncio
import itertools

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.settings import Settings
from operations.bench import page as page_module
from operations.bench.page import RunningPage, page_figures
from operations.bench.page_clients import REQUESTS_PER_S, PageAddress
from operations.commands.bench import page_lines
from operations.localbroker.ports import choose_ports
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.test_web_process import page

VIEWERS = 3
STEP_S = 0.2


async def test_page_is_measured(
    bus: KafkaBus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure is found; a latency is positive and less than the measurement took."""
    monkeypatch.setattr(page_module, "LATE_S", 1.0)
    await bus.ensure_topics(topics.fixed_topics())
    scenario = Scenario().run(3)
    count = await publish(bus, scenario)
    port = choose_ports(0).client

    async def continue_publishing() -> None:
        written = count
        for _ in itertools.count():
            scenario.step()
            written = await publish(bus, scenario, written)
            await asyncio.sleep(STEP_S)

    with page(settings, port) as process:
        publishing = asyncio.create_task(continue_publishing())
        running = RunningPage(PageAddress("127.0.0.1", port), process.pid, settings)
        figures = await page_figures(running, seconds=1.0, viewers=VIEWERS)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)

    assert REQUESTS_PER_S == figures["rest_count"]
    for name in ("turn", "leaderboard", "rest", "viewers_turn", "viewers_leaderboard"):
        assert figures[f"{name}_count"] > 0, name
        assert 0 < figures[f"{name}_p50_ms"] <= figures[f"{name}_p99_ms"] < 20_000, name
    assert figures["turn_count"] >= len(scenario.agents)
    assert 20 < figures["memory_mb"] < 1_000
    assert figures["rest_cpu"] > figures["idle_cpu"] >= 0
    assert f"{VIEWERS} viewers: " in page_lines(figures)[-1]


def test_nothing_is_printed_without_figures() -> None:
    """The other parts of the bench do not measure the page."""
    assert [] == page_lines({})
