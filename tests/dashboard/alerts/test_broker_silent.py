"""Alerts about a broker that does not answer, on a Kafka of its own that is suspended."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from arena import topics
from arena.broker_state import local_state
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from arena.messages import Halt
from arena.node import Node, serve_node
from arena.settings import Settings
from dashboard.alerts import conditions
from dashboard.alerts.conditions import find_broker_silent, find_ended
from dashboard.alerts.process import AlertOptions, serve
from dashboard.model import topic_follower
from operations.localbroker.home_broker import open_home_broker
from tests.dashboard.alerts.situations import limits, situation_of
from tests.dashboard.scenario import Scenario

pytestmark = pytest.mark.timeout(180)
DEADLINE_S = 60.0


@contextmanager
def own_broker(home: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a broker until the block ends."""
    with open_home_broker(home, port=0) as broker:
        address = broker.start().bootstrap
        state = local_state(home)
        assert state is not None
        try:
            yield address, state.pid
        finally:
            os.kill(state.pid, signal.SIGCONT)


async def until(ready: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not ready():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("silent_s", "kinds", "count"),
    [
        (None, (), 0),
        (14.0, (), 0),
        (16.0, (), 1),
        (16.0, ("halt",), 0),
        (90.0, ("broker-silent",), 1),
    ],
)
def test_broker_is_silent_after_a_while(
    silent_s: float | None, kinds: tuple[str, ...], count: int
) -> None:
    """A restart of the broker takes less; every pass finds the same key."""
    found = find_broker_silent(silent_s, limits(*kinds))

    assert count == len(found)
    assert [("broker-silent:broker", "broker-silent:broker@now")] * count == [
        (one.subject, one.key) for one in found
    ]
    if silent_s == 90.0:
        assert found[0].text.startswith("the broker has not answered for 90 s: nothing is decided")


def test_broker_that_answers_is_back() -> None:
    """Other conditions are looked at only while it answers."""
    scenario = Scenario().run(2)
    situation = situation_of(scenario.records, scenario.wall)

    (ended,) = find_ended(
        situation, {"broker-silent:broker": scenario.wall - timedelta(seconds=120)}
    )

    assert ended.text.startswith("the broker answers again, 2 min later")


async def test_silent_broker_is_reported_once_and_its_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also if it is silent for several limits; afterwards everything is reported as before."""
    monkeypatch.setattr(conditions, "BROKER_SILENT_S", 1.0)
    monkeypatch.setattr(topic_follower, "POLL_EVERY_S", 0.2)
    monkeypatch.setattr(topic_follower, "POLL_TIMEOUT_S", 1.0)
    printed = ""

    def has(text: str) -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return text in printed

    with own_broker(tmp_path / "home") as (address, pid):
        settings = Settings(bootstrap_servers=address, home=tmp_path / "alerts")
        bus = KafkaBus(settings, client_id="alerts")
        node = Node("alerts", "", settings, bus, SystemClock())
        chosen = limits("halt", "broker-silent")
        alerts = asyncio.create_task(serve_node(node, serve, AlertOptions((), chosen)))
        await until(lambda: node.status == "running")
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: has("broker-silent: the broker has not answered for"))
        await asyncio.sleep(2.5)  # two more limits
        os.kill(pid, signal.SIGCONT)
        await until(lambda: has("broker-silent resolved: the broker answers again, "))
        other = KafkaBus(settings, client_id="test")
        await other.start()
        halt = Halt(agent=None, reason="", by="test", at=node.clock.now())
        await other.append(topics.CONTROL.name, halt, key="all")
        await other.close()
        await until(lambda: has("halt: all agents are halted"))
        alerts.cancel()
        await asyncio.gather(alerts, return_exceptions=True)

    assert 1 == printed.count("broker-silent: ")
    assert 1 == printed.count("broker-silent resolved: ")
