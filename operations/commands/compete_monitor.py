"""Holds a contest whose processes run: follows its topics, shows how far it is, sees its end.

Reads `arena.roster`, `market.snapshots`, `agent.turns`, `llm.calls` and `judge.evaluations`; looks
after the processes ten times a second.
"""

import time
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from signal import SIGINT

from arena import topics
from arena.agent_health import Dead, dead_process
from arena.bus.base import LogReader
from arena.bus.kafka import KafkaBus
from arena.errors import Malformed
from arena.settings import Settings
from operations.commands.compete_health import Health
from operations.commands.compete_progress import ContestProgress, progress_line
from operations.commands.live_line import LiveLine
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec
from operations.specs.competition import BASELINES
from operations.supervisor.plan import CONNECTOR, DASHBOARD, EXCHANGE, JUDGE
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import SAID, TICK_S

READ_MAX = 2_000
FOLLOWED = (
    topics.ROSTER.name,
    topics.SNAPSHOTS.name,
    topics.TURNS.name,
    topics.LLM_CALLS.name,
    topics.EVALUATIONS.name,
)
SPARE = (DASHBOARD, JUDGE)
"""A contest goes on without these."""
JUDGED_S_MAX = 10.0
"""After the last turn the judge's last evaluation is waited for so long: the report does not need
it, but the dashboard would be left with interim standings."""
OTHERS_HEARD_S = 3.0
"""After the first dead agent the others' first turns are waited for so long, to name them all."""


class End(Enum):
    """Why a contest is over, or only this part of it."""

    DONE = "done"
    SHORT = "short"
    BUDGET = "budget"
    FAILED = "failed"
    DEAD = "dead"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ContestEnd:
    """How it ended.

    Attributes:
        why: In one word. text: what goes on behind "stopped" or "cut short", "" after the end.
        elapsed_s: Of this part, wall time.
        dead: Who is dead, or never decided.
    """

    why: End
    text: str
    elapsed_s: float
    dead: tuple[Dead, ...] = ()

    @property
    def over(self) -> bool:
        """True where there is something to report: nothing more will come by itself."""
        return self.why in (End.DONE, End.SHORT, End.BUDGET)


class ContestMonitor:
    """One contest, from its start to its end.

    Args:
        run: Its processes, started.
        spec: Its specification.
        line: Where progress is shown.
        seconds: Stop after so many, wall time; None goes on to the end.
    """

    def __init__(
        self, run: ArenaRun, spec: ArenaSpec, line: LiveLine, *, seconds: float | None
    ) -> None:
        """Count nothing yet."""
        assert spec.competition is not None, "the specification holds no contest"
        self._run = run
        self._spec = spec
        self._contest = spec.competition
        self._line = line
        self._seconds = seconds
        self._started_s = time.monotonic()
        self._last_seen_s: float | None = None
        wanted = spec.competition.snapshot_count(spec.arena.interval_s)
        names = [agent.name for agent in spec.agents]
        baselines = [agent.name for agent in spec.agents if agent.chat_node == BASELINES]
        health = Health(names, baselines, since=run.record.started_at)
        self.tally = ContestProgress(wanted, names, health=health)
        self._doomed_s: float | None = None

    async def hold(self, settings: Settings, signals: StopSignals) -> ContestEnd:
        """Follow the contest until it ends, a signal comes, or it cannot go on."""
        bus = KafkaBus(settings, client_id="arena-compete")
        await bus.start()
        try:
            reader = await bus.log_reader(*FOLLOWED)
            try:
                return await self._follow(reader, signals)
            finally:
                await reader.close()
        finally:
            await bus.close()

    async def _follow(self, reader: LogReader, signals: StopSignals) -> ContestEnd:
        await self._catch_up(reader)
        began_at, began_s = self.tally.snapshots, 0.0
        while True:
            self._run.tick()
            await self._read(reader)
            elapsed_s = time.monotonic() - self._started_s
            if not began_s and self.tally.snapshots > began_at:
                # The rate is that of the contest, without the seconds the processes started in.
                began_at, began_s = self.tally.snapshots, elapsed_s
            self._tell_health()
            self._line.show(progress_line(self.tally, elapsed_s - began_s, began_at))
            if (ending := self._ending(signals, elapsed_s)) is not None:
                await self._catch_up(reader)
                if ending.why is End.DONE:
                    await self._await_judge(reader, signals)
                self._tell_health()
                self._line.end(progress_line(self.tally, elapsed_s - began_s, began_at))
                return self._with_dead(ending)

    async def _await_judge(self, reader: LogReader, signals: StopSignals) -> None:
        """Let a judge that runs say what it makes of the whole contest."""
        deadline_s = time.monotonic() + JUDGED_S_MAX
        while not self.tally.is_judged and self._state_of(JUDGE) == "running":
            if signals.received is not None or time.monotonic() >= deadline_s:
                return
            self._run.tick()
            await self._read(reader)

    def _tell_health(self) -> None:
        """Say what became of agents, and keep it in the run's record."""
        for text in self.tally.health.news():
            self._line.say(text)
        self._run.note_dead(self.tally.health.dead())

    def _with_dead(self, ending: ContestEnd) -> ContestEnd:
        dead = self.tally.health.dead_at_end(self.tally.snapshots if ending.over else None)
        self._run.note_dead(dead)
        text = ending.text
        if ending.why is End.DEAD and not self._given_up():  # of the last turns too
            text = self.tally.health.stop_words() or text
        return replace(ending, dead=dead, text=text)

    async def _catch_up(self, reader: LogReader) -> None:
        while await reader.behind():
            await self._read(reader)

    async def _read(self, reader: LogReader) -> None:
        for record in await reader.read(timeout_s=TICK_S, max_records=READ_MAX):
            try:
                message = record.message()
            except Malformed:
                continue  # its readers bury it; here it only counts nothing
            self.tally.apply(message, record.offset)

    def _ending(self, signals: StopSignals, elapsed_s: float) -> ContestEnd | None:
        """The first of the reasons to end that holds now."""
        budget = self._contest.llm_budget_usd
        if signals.received is not None:
            name = "Ctrl-C" if signals.received == SIGINT else signals.received.name
            return ContestEnd(End.STOPPED, f"by {name}", elapsed_s)
        if self._run.supervisor.foreground_ended:
            return ContestEnd(End.STOPPED, "at the dashboard", elapsed_s)
        if self._is_done():
            return ContestEnd(End.DONE, "", elapsed_s)
        if lost := self._given_up():
            why = End.DEAD if self.tally.health.dead() else End.FAILED
            return ContestEnd(why, lost, elapsed_s)
        if dead := self._dead_words(elapsed_s):
            return ContestEnd(End.DEAD, dead, elapsed_s)
        if budget is not None and self.tally.cost_usd >= budget:
            return ContestEnd(End.BUDGET, self._budget_words(budget), elapsed_s)
        if self._state_of(EXCHANGE) == "finished":
            text = f"the prices ended after {self.tally.snapshots} of {self.tally.wanted} snapshots"
            return ContestEnd(End.SHORT, text, elapsed_s)
        if self._seconds is not None and elapsed_s >= self._seconds:
            return ContestEnd(End.STOPPED, f"after {self._seconds:g} s, as asked", elapsed_s)
        return None

    def _is_done(self) -> bool:
        """In lock-step the connector ends after the last turns; else they have their deadline."""
        if self._contest.lock_step:
            return self._state_of(CONNECTOR) == "finished"
        if self.tally.last is None:
            return False
        now_s = time.monotonic()
        self._last_seen_s = self._last_seen_s or now_s
        late = now_s - self._last_seen_s >= self._contest.decision_deadline_s
        return self.tally.all_in or late

    def _dead_words(self, elapsed_s: float) -> str:
        """Why no more of it is worth its time and money; "" while it is."""
        health = self.tally.health
        if not (words := health.stop_words()):
            self._doomed_s = None
            return ""
        if self._doomed_s is None:
            self._doomed_s = elapsed_s
        late = elapsed_s - self._doomed_s >= OTHERS_HEARD_S
        return words if health.all_heard or late else ""

    def _given_up(self) -> str:
        for process in self._run.record.processes:
            if process.state == "given_up" and process.name not in SPARE:
                said = self._run.supervisor.last_words(process.name)
                words = f"{process.name} could not be kept up: {process.note}{said}"
                agents = self._agents_of(process.name)
                cause = said.removeprefix(SAID).removeprefix("arena: ") or words
                self.tally.health.lost(dead_process(agents, cause))
                return f"{words}; read {process.log}"
        return ""

    def _agents_of(self, process: str) -> list[str]:
        """The agents that a router's process plays, or a chat node's answers."""
        own = [agent.name for agent in self._spec.processes().get(process, ())]
        node = process.removeprefix("chat-node-") if process.startswith("chat-node-") else None
        return own or [agent.name for agent in self._spec.agents if agent.chat_node == node]

    def _state_of(self, name: str) -> str:
        found = (p.state for p in self._run.record.processes if p.name == name)
        return next(found, "")

    def _budget_words(self, budget: Decimal) -> str:
        return (
            f"the models have cost ${self.tally.cost_usd:.4f}, the budget was ${budget}: "
            f"{self.tally.snapshots} of {self.tally.wanted} snapshots"
        )
