"""`arena up` reports dead agents, and records them in the run's record."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arena import topics
from arena.agent_health import DEAD_DETAIL, DeadAgent
from arena.bus.base import Record
from arena.bus.kafka import KafkaBus
from arena.errors import UsageError
from arena.messages import Heartbeat
from arena.runs import RunRecord, find_run, read_run, write_run
from arena.settings import Settings
from arena.wire import encode
from operations.commands.heartbeat_watch import HeartbeatWatch
from operations.commands.up import _HealthReporter
from operations.supervisor.plan import CONNECTOR
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import Change

NOW = datetime(2026, 11, 29, tzinfo=UTC)
DEADLINE_S = 20.0


def beat(*dead: DeadAgent) -> Heartbeat:
    """A router's heartbeat."""
    details = {DEAD_DETAIL: [one.document() for one in dead]} if dead else {}
    return Heartbeat(
        node="router/mo@h#1",
        kind="router",
        name="mo",
        host="h",
        pid=1,
        started_at=NOW,
        at=NOW,
        details=details,
    )


def record(command: str, started_at: datetime = NOW) -> RunRecord:
    """A run's record."""
    return RunRecord(
        command=command,
        name="arena",
        folder=".",
        prefix="",
        bootstrap="",
        simulated=True,
        pid=1,
        pid_started_at=0.0,
        started_at=started_at,
    )


async def test_watch_follows_dead_and_recovered_agents(bus: KafkaBus, settings: Settings) -> None:
    """A router's newest heartbeat counts; a malformed record changes nothing."""
    topic = topics.HEARTBEATS
    await bus.ensure_topics([topic])
    watch = HeartbeatWatch(settings)
    watch.start()

    async def send(*dead: DeadAgent) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while watch.dead() != dead:
            assert time.monotonic() < deadline_s, watch.dead()
            # Again and again: the watch begins at the end of the topic.
            await bus.append(topic.name, beat(*dead), key="router/mo")
            await asyncio.sleep(0.1)

    mo = DeadAgent("mo", "401", 3, code="auth")
    try:
        await send(mo)
        acked = await bus.send_bytes(topic.name, b"{", key=b"x", partition=0, headers=())
        await acked
        await send()
    finally:
        await asyncio.to_thread(watch.stop)


class FakeWatch(HeartbeatWatch):
    """A watch that reads no topic: the test sets its state."""

    def __init__(self) -> None:
        """Start with living agents and a venue that sends prices."""
        self.now: tuple[DeadAgent, ...] = ()
        self.down = ""
        self.warning = ""

    def dead(self) -> tuple[DeadAgent, ...]:
        """The dead agents."""
        return self.now

    def feed_down(self) -> str:
        """Why the venue sends nothing."""
        return self.down

    def market_warning(self) -> str:
        """What else is wrong with the market data."""
        return self.warning


def test_death_and_recovery_are_reported_once_and_recorded(tmp_path: Path) -> None:
    """Two lines for four ticks; the record on disk lists the agent while it is dead."""
    changes: list[Change] = []
    run, health = ArenaRun(record("up"), tmp_path, (), spec_text=""), FakeWatch()
    reporter = _HealthReporter(run, health, changes.append)
    mo = DeadAgent("mo", "401", 3, code="auth", remedy="set the key")
    recorded = []
    for now in ((mo,), (mo,), (), ()):
        health.now = now
        reporter.tick()
        found = read_run(tmp_path)
        recorded.append(found is not None and bool(found.dead))

    assert [
        Change("mo", "is dead: 401; set the key"),
        Change("mo", "is alive again"),
    ] == changes
    assert [True, True, False, False] == recorded


def test_feed_outage_and_recovery_are_reported_once(tmp_path: Path) -> None:
    """One line with cause and remedy for any number of ticks, and one for the recovery."""
    changes: list[Change] = []
    run, health = ArenaRun(record("up"), tmp_path, (), spec_text=""), FakeWatch()
    reporter = _HealthReporter(run, health, changes.append)
    for down in (
        "",
        "cannot reach HOST; are you offline?",
        "cannot reach HOST; are you offline?",
        "",
    ):
        health.down = down
        reporter.tick()

    assert [
        Change(CONNECTOR, "cannot reach HOST; are you offline?"),
        Change(CONNECTOR, "receives prices again"),
    ] == changes


def test_market_warning_and_its_end_are_reported_once(tmp_path: Path) -> None:
    """It is not the outage of a venue: prices come."""
    changes: list[Change] = []
    run, health = ArenaRun(record("up"), tmp_path, (), spec_text=""), FakeWatch()
    reporter = _HealthReporter(run, health, changes.append)
    for warning in ("", "binance: banned", "binance: banned", ""):
        health.warning = warning
        reporter.tick()

    assert [
        Change(CONNECTOR, "binance: banned"),
        Change(CONNECTOR, "has no market warning any more"),
    ] == changes


def connector_beat(name: str, seconds: float, **details: str) -> Record:
    """A connector's heartbeat, some seconds later."""
    node = f"connector/{name}/h/1"
    at = NOW + timedelta(seconds=seconds)
    sent = Heartbeat(
        node=node,
        kind="connector",
        name=name,
        host="h",
        pid=1,
        started_at=NOW,
        at=at,
        details=dict(details),
    )
    encoded = encode(sent)
    at_ms = int(at.timestamp() * 1_000)
    headers = dict(encoded.headers)
    return Record(topics.HEARTBEATS.name, 0, 0, at_ms, node.encode(), encoded.value, headers)


def test_two_connectors_are_reported_together(settings: Settings) -> None:
    """The texts do not alternate with the heartbeats; one that is silent is left out."""
    watch = HeartbeatWatch(settings)
    texts = []
    for seconds in range(0, 60, 5):
        watch._apply(connector_beat("binance", seconds, other_connectors="coinbase too"))
        watch._apply(connector_beat("coinbase", seconds + 1, feed_down="cannot reach it"))
        texts.append((watch.feed_down(), watch.market_warning()))
    for seconds in range(60, 90, 5):
        watch._apply(connector_beat("coinbase", seconds))

    assert {("cannot reach it", "coinbase too")} == set(texts)
    assert ("", "") == (watch.feed_down(), watch.market_warning())


def test_last_is_the_newest_run(tmp_path: Path) -> None:
    """The name last~N counts back from the newest run, also among the runs of one command."""
    for age, command in enumerate(("up", "compete", "compete")):
        directory = tmp_path / "runs" / f"run-{age}"
        directory.mkdir(parents=True)
        write_run(directory, record(command, NOW - timedelta(hours=age)))

    assert "run-0" == find_run(tmp_path, "last")[0].name
    assert "run-1" == find_run(tmp_path, "last", command="compete")[0].name
    assert "run-2" == find_run(tmp_path, "last~1", command="compete")[0].name
    assert "run-1" == find_run(tmp_path, "run-1")[0].name
    with pytest.raises(UsageError, match="no run 'last~2'"):
        find_run(tmp_path, "last~2", command="compete")
