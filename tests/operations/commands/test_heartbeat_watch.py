"""`arena up` says who is dead, and keeps it in the run's record."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arena import topics
from arena.agent_health import DEAD_DETAIL, DeadAgent
from arena.bus.kafka import KafkaBus
from arena.errors import UsageError
from arena.messages import Heartbeat
from arena.runs import RunRecord, find_run, read_run, write_run
from arena.settings import Settings
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


async def test_heartbeats_say_who_is_dead_and_who_decides_again(
    bus: KafkaBus, settings: Settings
) -> None:
    """What a router said last counts; a record that cannot be read changes nothing."""
    topic = topics.HEARTBEATS
    await bus.ensure_topics([topic])
    watch = HeartbeatWatch(settings)
    watch.start()

    async def told(*dead: DeadAgent) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while watch.dead() != dead:
            assert time.monotonic() < deadline_s, watch.dead()
            # Again and again: the watch begins at the end of the topic.
            await bus.append(topic.name, beat(*dead), key="router/mo")
            await asyncio.sleep(0.1)

    mo = DeadAgent("mo", "401", 3, code="auth")
    try:
        await told(mo)
        acked = await bus.send_bytes(topic.name, b"{", key=b"x", partition=0, headers=())
        await acked
        await told()
    finally:
        await asyncio.to_thread(watch.stop)


class Told(HeartbeatWatch):
    """A watch that reads no topic: the test sets what it has heard."""

    def __init__(self) -> None:
        """Begin with every agent alive and the venue heard."""
        self.now: tuple[DeadAgent, ...] = ()
        self.down = ""

    def dead(self) -> tuple[DeadAgent, ...]:
        """Who is dead."""
        return self.now

    def feed_down(self) -> str:
        """Why the venue sends nothing."""
        return self.down


def test_a_death_and_a_return_are_said_once_and_kept(tmp_path: Path) -> None:
    """Two lines for four looks; the record on disk names the dead while they are."""
    changes: list[Change] = []
    run, health = ArenaRun(record("up"), tmp_path, (), spec_text=""), Told()
    noting = _HealthReporter(run, health, changes.append)
    mo = DeadAgent("mo", "401", 3, code="auth", remedy="set the key")
    kept = []
    for now in ((mo,), (mo,), (), ()):
        health.now = now
        noting.tick()
        found = read_run(tmp_path)
        kept.append(found is not None and bool(found.dead))

    assert [
        Change("mo", "is dead: 401; set the key"),
        Change("mo", "is alive again"),
    ] == changes
    assert [True, True, False, False] == kept


def test_a_feed_that_is_down_is_said_once_and_so_is_its_return(tmp_path: Path) -> None:
    """One line with cause and remedy, however often it is looked at, and one when it is back."""
    changes: list[Change] = []
    run, health = ArenaRun(record("up"), tmp_path, (), spec_text=""), Told()
    noting = _HealthReporter(run, health, changes.append)
    for down in (
        "",
        "cannot reach HOST; are you offline?",
        "cannot reach HOST; are you offline?",
        "",
    ):
        health.down = down
        noting.tick()

    assert [
        Change(CONNECTOR, "cannot reach HOST; are you offline?"),
        Change(CONNECTOR, "receives prices again"),
    ] == changes


def test_last_is_the_newest_run(tmp_path: Path) -> None:
    """The name "last" counts back from the newest, among the runs of one command if asked so."""
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
