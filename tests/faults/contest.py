"""Runs a short lock-step contest with real processes, and reads the parts that must be equal."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from arena import topics
from arena.accounts import Shard
from arena.bus.base import EARLIEST, Bus, Record
from arena.bus.kafka import KafkaBus
from arena.errors import Malformed
from arena.messages import (
    ChatMessage,
    LlmCall,
    Message,
    OrderDecided,
    Portfolio,
    SkippedSnapshots,
    Turn,
    TurnStarted,
)
from arena.settings import Settings

AGENTS = {
    "mo": "momentum@rules",
    "brain": "brainrot@rules",
    "scalp": "scalper@rules#1",
    "coin": "random@rules#2",
}
START = "2026-01-05T00:00:00"
DEADLINE_S = 90.0
DECISION_S = 60.0
POLL_S = 0.05
LOG_LINES_SHOWN = 12


@dataclass(frozen=True)
class TurnContent:
    """The parts of a turn that must not depend on time, processes or kills."""

    prompt_sha256: str
    messages: tuple[ChatMessage, ...]
    outcome: str
    memory: str
    portfolio: Portfolio | None
    skipped: int
    asked: str


@dataclass(frozen=True)
class Outcome:
    """The result of a contest, read from its topics.

    Attributes:
        digest: The digest of all accounts.
        turns: (agent, venue time) -> the effective turn.
        orders: The decided orders. calls: the model calls.
        skipped: (agent, venue time) -> why the agent was not asked on the snapshot.
        late_prices: Orders priced with a ticker newer than the venue time of their snapshot.
        replayed: Turns with replayed replies. run_twice: turns with several `Turn` records.
    """

    digest: str
    turns: dict[tuple[str, str], TurnContent]
    orders: tuple[OrderDecided, ...]
    calls: tuple[LlmCall, ...]
    late_prices: int
    replayed: int
    run_twice: int
    skipped: dict[tuple[str, str], dict[str, int]]


@dataclass
class Contest:
    """The processes of one contest; a process that fails is restarted.

    Attributes:
        settings: Broker, and a prefix for this contest alone.
        folder: The folder of the logs. snapshots: the number of snapshots.
        one_process: True if all agents run in one process.
        replies: Further flags of the chat node. gates: further flags of the routers.
        products: The products; empty for the default.
        fault: Returns the `ARENA_FAULT` of a process by its name, at each start.
        ends: How often each process ended, and how.
    """

    settings: Settings
    folder: Path
    snapshots: int
    one_process: bool = True
    replies: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    fault: Callable[[str], str] = lambda _: ""
    ends: Counter[str] = field(default_factory=Counter)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def commands(self) -> dict[str, list[str]]:
        """Process name -> its command."""
        lock_step = ["--pacing", "lock-step"]
        agents = [f"{name}={seat}" for name, seat in AGENTS.items()]
        bounds = [*lock_step, "--decision-deadline", f"{DECISION_S:g}"]
        groups = [[a] for a in agents] if not self.one_process else [agents]
        found = {
            "connector": [
                *("connector", "replay", "--lock-step", "--agents", ",".join(AGENTS)),
                *("--seed", "11", "--start", START, "--min-interval", "300"),
                *("--snapshots", str(self.snapshots), "--deadline", f"{DEADLINE_S:g}"),
                *(("--products", ",".join(self.products)) if self.products else ()),
            ],
            "tools": ["tools", *lock_step],
            "model": ["chat-node", "--name", "rules", "--model-id", "scripted", *self.replies],
        }
        for number, group in enumerate(groups):
            flags = [word for agent in group for word in ("--agent", agent)]
            name = f"routers-{number}"
            found[name] = ["routers", "--name", f"r{number}", *flags, *bounds, *self.gates]
        return found

    async def run(self, disturbance: "Disturbance | None" = None) -> Outcome:
        """Run the contest and read its topics."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in self.commands():
            self._start(name)
        bus = KafkaBus(self.settings, client_id="contest")
        await bus.start()
        try:
            await bus.ensure_topics(topics.fixed_topics())
            work = asyncio.create_task(disturbance.disturb(self, bus)) if disturbance else None
            await self._supervise()
            if work is not None:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            return await _read(bus)
        finally:
            self.stop()
            await bus.close()

    async def _supervise(self) -> None:
        """Restart processes that end, until the market has ended."""
        until_s = time.monotonic() + DEADLINE_S * 2
        while True:
            for name, process in list(self._processes.items()):
                code = process.poll()
                if name == "connector" and code == 0:
                    return
                if code is not None:
                    self.ends[f"{name} {'killed' if code == -signal.SIGKILL else code}"] += 1
                    self._start(name)
            assert time.monotonic() < until_s, f"the contest did not end\n{self._tail()}"
            await asyncio.sleep(POLL_S)

    def _start(self, name: str) -> None:
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "ARENA_PREFIX": self.settings.prefix,
            "ARENA_LOG_FORMAT": "json",
            "ARENA_FAULT": self.fault(name),
        }
        command = [sys.executable, "-m", "arena", *self.commands()[name]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        """SIGKILL a process; it is restarted."""
        self._processes[name].kill()

    def run_again(self) -> int:
        """Return how many turns were interrupted by a kill and resumed."""
        logs = self.folder.glob("routers-*.log")
        return sum(log.read_bytes().count(b'"turn run again"') for log in logs)

    def stop(self) -> None:
        """Kill all processes."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _tail(self) -> str:
        parts = []
        for name in self._processes:
            lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
            parts.append(f"--- {name}\n" + "\n".join(lines[-LOG_LINES_SHOWN:]))
        return "\n".join(parts)


class Disturbance(Protocol):
    """A disturbance of a running contest."""

    async def disturb(self, contest: Contest, bus: Bus) -> None:
        """Disturb the contest until cancelled."""


@dataclass
class KillPlan:
    """Kills processes during turns.

    Attributes:
        plan: (offset of a snapshot, seconds after the first turn on it began, processes to kill).
    """

    plan: tuple[tuple[int, float, tuple[str, ...]], ...]

    async def disturb(self, contest: Contest, bus: Bus) -> None:
        """Kill the processes of the plan."""
        reader = await bus.log_reader(topics.TURNS.name, start=EARLIEST)
        newest = -1
        try:
            for offset, delay_s, names in self.plan:
                while newest < offset:
                    for record in await reader.read(timeout_s=0.2):
                        turn = record.message()
                        if isinstance(turn, TurnStarted):
                            newest = max(newest, turn.snapshot_offset)
                await asyncio.sleep(delay_s)
                for name in names:
                    contest.kill(name)
        finally:
            await reader.close()


@dataclass
class QuietKills:
    """Kills the routers after skipped snapshots, when no turn is in progress.

    Attributes:
        after: Numbers of records of skipped snapshots.
    """

    after: tuple[int, ...]

    async def disturb(self, contest: Contest, bus: Bus) -> None:
        """Kill the routers after each of these records."""
        reader = await bus.log_reader(topics.TURNS.name, start=EARLIEST)
        seen = 0
        try:
            for count in self.after:
                while seen < count:
                    for record in await reader.read(timeout_s=0.2):
                        seen += isinstance(record.message(), SkippedSnapshots)
                contest.kill("routers-0")
        finally:
            await reader.close()


async def _read(bus: Bus) -> Outcome:
    turns: dict[tuple[str, str], TurnContent] = {}
    seen: Counter[str] = Counter()
    replayed = 0
    as_of: dict[str, str] = {}
    skipped: dict[tuple[str, str], dict[str, int]] = {}
    for record in await _records(bus, topics.TURNS.name):
        turn = _message(record)
        if isinstance(turn, SkippedSnapshots):
            skipped[turn.agent, turn.as_of.isoformat()] = turn.counts
        if not isinstance(turn, Turn):
            continue
        seen[turn.turn_id] += 1
        if seen[turn.turn_id] > 1:
            continue
        as_of[turn.turn_id] = turn.as_of.isoformat()
        replayed += turn.replayed
        turns[turn.agent, turn.as_of.isoformat()] = TurnContent(
            turn.prompt_sha256,
            turn.messages,
            turn.outcome,
            turn.memory,
            turn.portfolio,
            turn.skipped_snapshots,
            turn.asked,
        )
    shard = Shard()
    orders = []
    for record in await _records(bus, topics.EVENTS.name):
        shard.apply(record.kind, record.value or b"", record.offset)
        message = _message(record)
        if isinstance(message, OrderDecided):
            orders.append(message)
    effective = [o for o in orders if o.order_id in shard.orders]
    # Exits fill between turns; their ticker is checked by `tests.faults.exits`.
    late = sum(
        o.used is not None and o.used.event_time.isoformat() > as_of[o.turn_id]
        for o in effective
        if not o.cause
    )
    calls = [_message(r) for r in await _records(bus, topics.LLM_CALLS.name)]
    return Outcome(
        digest=shard.digest(),
        turns=turns,
        orders=tuple(effective),
        calls=tuple(c for c in calls if isinstance(c, LlmCall)),
        late_prices=late,
        replayed=replayed,
        run_twice=sum(count > 1 for count in seen.values()),
        skipped=skipped,
    )


def _message(record: Record) -> Message | None:
    try:
        return record.message()
    except Malformed:
        return None


async def _records(bus: Bus, topic: str) -> list[Record]:
    reader = await bus.log_reader(topic, start=EARLIEST)
    found: list[Record] = []
    try:
        async with asyncio.timeout(30):
            while await reader.lag():
                found += await reader.read(timeout_s=0.2)
    finally:
        await reader.close()
    return found
