"""A short contest in lock-step as real processes, and what must be the same after every one."""

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
class Told:
    """What of a turn may not depend on time, processes or kills."""

    prompt_sha256: str
    messages: tuple[ChatMessage, ...]
    outcome: str
    memory: str
    portfolio: Portfolio | None
    skipped: int


@dataclass(frozen=True)
class Outcome:
    """A contest as its topics tell it.

    Attributes:
        turns: (agent, venue time) -> the effective turn. ended: `Turn` records per turn id.
        late_prices: Orders that were priced with a ticker newer than their snapshot's venue time.
    """

    digest: str
    turns: dict[tuple[str, str], Told]
    orders: tuple[OrderDecided, ...]
    calls: tuple[LlmCall, ...]
    late_prices: int
    replayed: int
    run_twice: int


@dataclass
class Contest:
    """The processes of one contest; each that ends with an error is started again.

    Attributes:
        settings: Broker and a prefix that no other contest has.
        folder: For logs. snapshots: how many. together: all agents in one process.
        replies: Further flags of the chat node. products: what is traded; empty for the default.
        fault: Gives the `ARENA_FAULT` of a process by its name, at each start.
    """

    settings: Settings
    folder: Path
    snapshots: int
    together: bool = True
    replies: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    fault: Callable[[str], str] = lambda _: ""
    ends: Counter[str] = field(default_factory=Counter)
    _living: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def commands(self) -> dict[str, list[str]]:
        """Process name -> its command."""
        lock_step = ["--pacing", "lock-step"]
        agents = [f"{name}={seat}" for name, seat in AGENTS.items()]
        bounds = [*lock_step, "--decision-deadline", f"{DECISION_S:g}"]
        seats = [[a] for a in agents] if not self.together else [agents]
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
        for number, group in enumerate(seats):
            flags = [word for agent in group for word in ("--agent", agent)]
            found[f"routers-{number}"] = ["routers", "--name", f"r{number}", *flags, *bounds]
        return found

    async def run(self, trouble: "Troublemaker | None" = None) -> Outcome:
        """Hold the contest and read what it left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in self.commands():
            self._start(name)
        bus = KafkaBus(self.settings, client_id="contest")
        await bus.start()
        try:
            await bus.ensure_topics(topics.fixed_topics())
            work = asyncio.create_task(trouble.make(self, bus)) if trouble else None
            await self._supervise()
            if work is not None:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            return await _read(bus)
        finally:
            self.stop()
            await bus.close()

    async def _supervise(self) -> None:
        """Start again whatever ends, until the market has."""
        until_s = time.monotonic() + DEADLINE_S * 2
        while True:
            for name, process in list(self._living.items()):
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
            self._living[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """SIGKILL one; the supervision starts it again."""
        self._living[name].kill()

    def run_again(self) -> int:
        """How many turns were cut off by a kill and run again."""
        logs = self.folder.glob("routers-*.log")
        return sum(log.read_bytes().count(b'"turn run again"') for log in logs)

    def stop(self) -> None:
        """End all of them."""
        for process in self._living.values():
            process.kill()
            process.wait()

    def _tail(self) -> str:
        parts = []
        for name in self._living:
            lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
            parts.append(f"--- {name}\n" + "\n".join(lines[-LOG_LINES_SHOWN:]))
        return "\n".join(parts)


class Troublemaker(Protocol):
    """What happens to a contest while it is held."""

    async def make(self, contest: Contest, bus: Bus) -> None:
        """Make trouble until cancelled."""


@dataclass
class Trouble:
    """Kills amid turns.

    Attributes:
        plan: (offset of a snapshot, seconds after the first turn on it was begun, who is killed).
    """

    plan: tuple[tuple[int, float, tuple[str, ...]], ...]

    async def make(self, contest: Contest, bus: Bus) -> None:
        """Kill as planned."""
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


async def _read(bus: Bus) -> Outcome:
    turns: dict[tuple[str, str], Told] = {}
    seen: Counter[str] = Counter()
    replayed = 0
    as_of: dict[str, str] = {}
    for record in await _records(bus, topics.TURNS.name):
        turn = _message(record)
        if not isinstance(turn, Turn):
            continue
        seen[turn.turn_id] += 1
        if seen[turn.turn_id] > 1:
            continue
        as_of[turn.turn_id] = turn.as_of.isoformat()
        replayed += turn.replayed
        turns[turn.agent, turn.as_of.isoformat()] = Told(
            turn.prompt_sha256,
            turn.messages,
            turn.outcome,
            turn.memory,
            turn.portfolio,
            turn.skipped_snapshots,
        )
    shard = Shard()
    orders = []
    for record in await _records(bus, topics.EVENTS.name):
        shard.apply(record.kind, record.value or b"", record.offset)
        message = _message(record)
        if isinstance(message, OrderDecided):
            orders.append(message)
    effective = [o for o in orders if o.order_id in shard.orders]
    late = sum(
        o.used is not None and o.used.event_time.isoformat() > as_of[o.turn_id] for o in effective
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
            while await reader.behind():
                found += await reader.read(timeout_s=0.2)
    finally:
        await reader.close()
    return found
