"""One simulated run: an arena under the faults of a plan, until it has come to rest."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from arena import topics
from arena.errors import ArenaError
from arena.messages import Halt, Resume
from arena.settings import Settings
from arena.tasks import run_until_first_ends
from operations.one_process import Member
from operations.simulation.bus import SimulatedBus
from operations.simulation.cluster import WORLD, SimulatedCluster
from operations.simulation.loop import SimulationLoop
from operations.simulation.members import ArenaPlan, members_of
from operations.simulation.network import Network
from operations.simulation.plan import Fault
from operations.simulation.process import Ends, HostClock, SimulatedProcess
from operations.simulation.readings import KeptBooks

Chosen = TypeVar("Chosen")
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
SEASON_S_MAX = 3_600.0
"""Most virtual seconds of a season."""
REST_S_MAX = 600.0
"""Most virtual seconds until the arena has come to rest."""
QUIET_S = 13.0
"""It is at rest when nothing but heartbeats was appended for so long."""
POLL_S = 1.0
HEARTBEAT_S = 10.0


class NotAtRest(ArenaError):
    """The season did not end, or the arena did not come to rest."""


@dataclass(slots=True)
class RunPlan:
    """All that a run depends on.

    Attributes:
        seed: Decides order and delays.
        arena: The arena.
        network: The delays.
        faults: The faults, oldest first.
        skew_s_max: By how many seconds the hosts' clocks are wrong at the start.
    """

    seed: int
    arena: ArenaPlan
    network: Network
    faults: tuple[Fault, ...]
    skew_s_max: float


class World:
    """Runs the processes of an arena and injects faults.

    Args:
        plan: The run.
        trace: Gets one line per event; None for none.
        books: The books, if the arena keeps them.

    Attributes:
        cluster: The brokers, with all records.
        processes: The processes, the connector first.
        injected: Kind of fault -> how often it hit something.
    """

    def __init__(
        self, plan: RunPlan, trace: list[str] | None = None, books: KeptBooks | None = None
    ) -> None:
        """Create the processes; `run` starts them."""
        self.loop = SimulationLoop(plan.seed)
        self._plan = plan
        self._trace = trace
        self._random = Random(f"world {plan.seed}")
        self._brokers_clock = HostClock(self.loop, BEGIN, 0.0)
        self.cluster = SimulatedCluster(
            lambda: int(self._brokers_clock.now().timestamp() * 1000),
            plan.network,
            Random(f"network {plan.seed}"),
            self._note,
        )
        for spec in (topics.EVENTS, topics.COMMANDS, topics.INTENTS):
            self.cluster.create(spec, plan.arena.shards)
        self.cluster.create(topics.CONTROL)
        self.cluster.on_append = self._after_append
        self._faults = list(plan.faults)
        self._ends = Ends()
        self._done = asyncio.Event()
        self.injected: dict[str, int] = {}
        settings = Settings(
            home=Path("/simulated"),
            log_level="ERROR",
            heartbeat_interval_s=HEARTBEAT_S,
            checkpoint_events=plan.arena.checkpoint_events,
        )
        make = partial(self._process, settings)
        self.processes = [make(*pair) for pair in members_of(plan.arena).items()]
        if books is not None:
            for number in range(1, plan.arena.books + 1):
                name = f"books-{number}"
                member = partial(books.member, name)
                self.processes.append(make(name, member, serve=books.serve, on_gone=books.end))
        self.processes[0].on_end = self._done.set

    def _process(
        self, settings: Settings, name: str, member: Callable[[], Member], **options: Any
    ) -> SimulatedProcess:
        clock = HostClock(self.loop, BEGIN, self._random.uniform(-1, 1) * self._plan.skew_s_max)
        random = Random(f"{name} {self._plan.seed}")
        return SimulatedProcess(
            member, name, settings, self.loop, self.cluster, clock, random, self._ends, **options
        )

    @property
    def errors(self) -> list[tuple[str, BaseException]]:
        """Name of a process and the error that ended one of its lives."""
        return self._ends.errors

    def run(self) -> None:
        """Run until the season has ended and the arena is at rest.

        Raises:
            ArenaError: It did not end: a deadlock, or too many steps or seconds.
        """
        try:
            self.loop.run_until_complete(self._season())
        finally:
            for process in self.processes:
                if process.life is not None:
                    process.life.dead = True

    async def _season(self) -> None:
        for process in self.processes:
            delay = self._random.random()
            self.loop.call_later(delay, process.start, context=WORLD)
        try:
            async with asyncio.timeout(SEASON_S_MAX):
                await run_until_first_ends(self._until_done(), self._until_unexpected())
        except TimeoutError:
            raise NotAtRest(f"the season did not end in {SEASON_S_MAX:.0f} s") from None
        if self._ends.unexpected.is_set():
            return  # The rest would show its consequences only.
        self._faults.clear()
        for process in self.processes:
            process.heal()
        await self._rest()

    async def _until_done(self) -> None:
        await self._done.wait()

    async def _until_unexpected(self) -> None:
        await self._ends.unexpected.wait()

    async def _rest(self) -> None:
        began, quiet_since, before = self.loop.time(), self.loop.time(), -1
        while self.loop.time() - quiet_since < QUIET_S:
            if self.loop.time() - began > REST_S_MAX:
                raise NotAtRest(f"the arena was not at rest after {REST_S_MAX:.0f} s")
            await asyncio.sleep(POLL_S)
            count = sum(
                len(part.log)
                for (topic, _), part in self.cluster.partitions.items()
                if topic != topics.HEARTBEATS.name
            )
            running = all(p.life is not None for p in self.processes if p.wanted)
            if count != before or not running:
                before, quiet_since = count, self.loop.time()

    # --- faults ---

    def _after_append(self) -> None:
        while self._faults and self._faults[0].at <= self.cluster.appended:
            fault = self._faults.pop(0)
            self.loop.call_soon(self._count_down, fault, fault.steps, context=WORLD)

    def _count_down(self, fault: Fault, steps: int) -> None:
        if steps:
            self.loop.call_soon(self._count_down, fault, steps - 1, context=WORLD)
        elif not self._done.is_set() and self._inject(fault):
            self.injected[fault.kind] = self.injected.get(fault.kind, 0) + 1

    def _inject(self, fault: Fault) -> bool:
        """Inject a fault; return False if there is nothing that it could hit."""
        if fault.kind == "leader":
            return self._change_leaders(fault)
        if fault.kind == "halt":
            self.loop.create_task(self._halt(fault.seconds), context=WORLD)
            return True
        if fault.kind in ("rebalance", "evict"):
            return self._disturb_group(fault)
        process = _chosen([p for p in self.processes if p.life is not None], fault.target)
        if process is None:
            return False
        if fault.kind in ("crash", "power"):
            process.crash(fault.seconds, power=fault.kind == "power")
        elif fault.kind == "freeze":
            process.freeze(fault.seconds)
        elif fault.kind == "cut":
            process.cut(fault.seconds)
        elif fault.kind == "clock":
            process.clock.shift_s = fault.seconds
        elif fault.kind == "full":
            process.disk.full = True
            self.loop.call_later(fault.seconds, process.disk.heal, context=WORLD)
        else:
            process.disk.rot(self._random)
        return True

    async def _halt(self, seconds: float) -> None:
        """Halt all agents, as an operator does, and resume them later."""
        bus = SimulatedBus(self.cluster, self._brokers_clock)
        await bus.start()
        for message in (Halt, Resume):
            at = self._brokers_clock.now()
            sent = message(reason="simulated", by="cli/simulation", at=at)
            await bus.append(topics.CONTROL.name, sent, key="all")
            await asyncio.sleep(seconds)
        await bus.close()

    def _change_leaders(self, fault: Fault) -> bool:
        """One of three brokers fails: every third partition gets another leader."""
        broker = int(fault.target * 3)
        for number, pair in enumerate(list(self.cluster.partitions)):
            if number % 3 == broker:
                self.cluster.change_leader(pair, fault.seconds, keeps=fault.keeps)
        return True

    def _disturb_group(self, fault: Fault) -> bool:
        members = [m for group in self.cluster.groups.values() for m in group.members]
        member = _chosen(members, fault.target)
        if member is None:
            return False
        group = next(g for g in self.cluster.groups.values() if member in g.members)
        if fault.kind == "evict":
            group.evict(member)
        else:
            group.rebalance()
        return True

    def _note(self, kind: str, place: str, content: bytes) -> None:
        self.loop.note(kind.encode(), place.encode(), content)
        if self._trace is not None:
            text = content[:300].decode("utf-8", "replace")
            time = (BEGIN + timedelta(seconds=self.loop.time())).strftime("%H:%M:%S.%f")
            self._trace.append(f"{time} step {self.loop.steps} {kind} {place} {text}")


def _chosen(found: Sequence[Chosen], share: float) -> Chosen | None:
    return found[int(share * len(found))] if found else None
