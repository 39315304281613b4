"""`arena connector replay --lock-step` as a process over a real Kafka, killed at any moment."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.messages import Heartbeat, MarketSnapshot, Ticker
from arena.settings import Settings
from tests.connectors.builders import FIXTURES
from tests.connectors.lockstep_agents import ScriptedAgent, logged, running_agents
from tests.connectors.test_connector_kafka import ROOT
from tests.connectors.test_snapshot_replay import PRODUCTS, WALL, replay_of, snapshots_of
from tests.connectors.venue import eventually

DEADLINE_S = 60.0
SNAPSHOTS = 60


class ReplayProcess:
    """The command, which can be killed and started again.

    Attributes:
        starts: Number of starts.
        process: The newest process.
    """

    def __init__(self, settings: Settings, log: Path, *words: str) -> None:
        """Start the command with flags."""
        self.starts = 0
        self._environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "ARENA_PREFIX": settings.prefix,
        }
        self._log = log
        self._words = ("connector", "replay", "--lock-step", *words)
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the command."""
        self.starts += 1
        with self._log.open("a") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arena", *self._words],
                cwd=ROOT,
                env=self._environment,
                stderr=err,
            )
        return self.process

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    async def ended(self) -> int:
        """Wait for the process and return its exit code."""
        await eventually(lambda: self.process.poll() is not None, "the end", deadline_s=DEADLINE_S)
        return self.process.returncode


@asynccontextmanager
async def replaying(settings: Settings, log: Path, *words: str) -> AsyncIterator[ReplayProcess]:
    """Run the command until the block ends."""
    child = ReplayProcess(settings, log, *words)
    try:
        yield child
    finally:
        if child.process.poll() is None:
            child.kill()


def flags(*agents: str, snapshots: int = SNAPSHOTS) -> tuple[str, ...]:
    """The flags of `replay_of`."""
    words = ("--agents", ",".join(agents), "--products", ",".join(PRODUCTS))
    return (*words, "--snapshots", str(snapshots))


async def snapshots_in(bus: KafkaBus) -> list[MarketSnapshot]:
    """Every snapshot in the log, with the same time of publication."""
    messages = await logged(bus, topics.SNAPSHOTS.name)
    found = [m for m in messages if isinstance(m, MarketSnapshot)]
    return [snapshot.model_copy(update={"published_at": WALL}) for snapshot in found]


@pytest.mark.parametrize("seed", [1, 2])
async def test_kills_change_nothing(
    bus: KafkaBus, settings: Settings, tmp_path: Path, seed: int
) -> None:
    """After six kills at random moments every snapshot is there once, in order, and identical."""
    rng = random.Random(seed)
    a, b = ScriptedAgent("a"), ScriptedAgent("b", cadence=3)
    log = tmp_path / "log"
    async with replaying(settings, log, *flags("a", "b")) as child:
        await asyncio.sleep(rng.uniform(0.3, 2.0))  # a random moment of the start
        child.kill()
        child.start()
        async with running_agents(bus, a, b):
            for target in sorted(rng.sample(range(1, SNAPSHOTS), 5)):
                await eventually(
                    lambda target=target: len(a.seen) >= target,  # type: ignore[misc]
                    f"snapshot {target}: {log.read_text()[-2000:]}",
                    deadline_s=DEADLINE_S,
                )
                await asyncio.sleep(rng.uniform(0.0, 0.02))  # a random moment of a turn
                child.kill()
                child.start()
            assert 0 == await child.ended(), log.read_text()

    expected = list(snapshots_of(replay_of(snapshots=SNAPSHOTS), WALL))
    assert expected == await snapshots_in(bus)
    assert [s.snapshot_id for s in expected] == a.seen == a.answered
    assert [s.snapshot_id for s in expected[::3]] == b.answered
    assert 4 * SNAPSHOTS == len(await logged(bus, topics.TICKERS.name))
    assert 7 == child.starts
    beats = [m for m in await logged(bus, topics.HEARTBEATS.name) if isinstance(m, Heartbeat)]
    last = next(beat for beat in reversed(beats) if beat.pid == child.process.pid)
    assert (SNAPSHOTS, SNAPSHOTS) == (last.counters["snapshots"], last.gauges["snapshots_total"])
    assert ("stopping", 0.0) == (last.status, last.gauges["waiting_for"])
    assert 0 == sum(beat.counters.get("deadlines_missed", 0) for beat in beats)


async def test_two_real_days_are_replayed(
    bus: KafkaBus, settings: Settings, tmp_path: Path, shared_recordings: Path
) -> None:
    """Recorded candles are published at an interval of an hour, to the end of the files."""
    files = tuple(sorted((shared_recordings / "candles" / "normalized").glob("*.csv.gz")))
    words = ("--agents", "a", "--min-interval", "3600", "--prices", *map(str, files))
    async with (
        replaying(settings, tmp_path / "log", *words) as child,
        running_agents(bus, ScriptedAgent("a")),
    ):
        assert 0 == await child.ended(), (tmp_path / "log").read_text()

    replay = replay_of(products=(), prices=files, interval_s=3_600, snapshots=None)
    assert list(snapshots_of(replay, WALL)) == await snapshots_in(bus)
    assert 48 == replay.total


async def test_snapshot_is_appended_after_its_tickers(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """A reader at the named offset has every price of the snapshot, and no later one."""
    words = ("--agents", "a", "--prices", str(FIXTURES / "AAA-USD_1m.csv"))
    async with (
        replaying(settings, tmp_path / "log", *words) as child,
        running_agents(bus, ScriptedAgent("a")),
    ):
        assert 0 == await child.ended(), (tmp_path / "log").read_text()

    tickers = await logged(bus, topics.TICKERS.name)
    for snapshot in await snapshots_in(bus):
        before = [m for m in tickers[: snapshot.ticker_offsets[0]] if isinstance(m, Ticker)]
        assert snapshot.products[0].ticker == before[-1]
        assert snapshot.as_of == before[-1].confirmed_at


async def test_missing_agents_cause_exit_3(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """It warns every few seconds, then exits with the names of the missing agents."""
    log = tmp_path / "log"
    words = (*flags("ghost"), "--agents-timeout", "6")
    async with replaying(settings, log, *words) as child:
        assert 3 == await child.ended()

    text = log.read_text()
    assert "waiting for agents" in text
    assert "arena: after 6 s there is no router for ghost, no account for ghost" in text
    assert [] == await snapshots_in(bus)
