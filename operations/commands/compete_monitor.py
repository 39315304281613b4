"""Monitors a contest whose processes run: follows its topics, shows progress, detects its end.

Reads `arena.roster`, `market.snapshots`, `agent.turns`, `llm.calls` and `judge.evaluations`;
checks the processes ten times a second.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from signal import SIGINT

from arena import topics
from arena.agent_health import DeadAgent, dead_with_process
from arena.bus.base import LogReader
from arena.bus.kafka import KafkaBus
from arena.errors import BrokerUnavailable, Malformed
from arena.settings import Settings
from operations.commands.compete_health import ContestHealth
from operations.commands.compete_progress import ContestProgress, progress_line
from operations.commands.live_line import LiveLine
from operations.commands.resume_check import deleted_snapshots
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import ArenaSpec
from operations.specs.competition import BASELINES
from operations.supervisor.log_tail import LAST_LINE_LEAD
from operations.supervisor.plan import ALERTS, CONNECTOR, DASHBOARD, EXCHANGE, JUDGE, TRIALS, WEB
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import TICK_S

READ_MAX = 2_000
FOLLOWED_TOPICS = (
    topics.ROSTER.name,
    topics.SNAPSHOTS.name,
    topics.TURNS.name,
    topics.LLM_CALLS.name,
    topics.EVALUATIONS.name,
)
OPTIONAL_PROCESSES = (ALERTS, DASHBOARD, JUDGE, TRIALS, WEB)
"""A contest continues without these processes."""
JUDGE_WAIT_S_MAX = 10.0
"""How long to wait for the judge's last evaluation after the last turn. The report does not need
it, but without it the dashboard would keep interim standings."""
POLL_EVERY_S = 2.0
POLL_TIMEOUT_S = 4.0
REST_TIMEOUT_S = 10.0
"""How long to read what the routers recorded while they stopped."""
NO_ANSWER = (TimeoutError, OSError, RuntimeError, BrokerUnavailable)
"""The errors of a broker that does not answer; every Kafka error is a RuntimeError."""
SILENT_S = 8.0
"""After this time without an answer the broker is reported as silent; before, it may be busy."""
FIRST_TURNS_WAIT_S = 3.0
"""How long to wait for the others' first turns after the first dead agent, to name all dead."""


class EndReason(Enum):
    """Why a contest, or this part of it, ended."""

    DONE = "done"
    SHORT = "short"
    BUDGET = "budget"
    FAILED = "failed"
    DEAD = "dead"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ContestEnd:
    """How a contest, or this part of it, ended.

    Attributes:
        reason: The reason in one word. text: The rest of the sentence that begins with "stopped"
            or "cut short"; "" for a complete contest.
        elapsed_s: Wall time of this part.
        dead: The agents that are dead or never decided.
    """

    reason: EndReason
    text: str
    elapsed_s: float
    dead: tuple[DeadAgent, ...] = ()

    @property
    def is_complete(self) -> bool:
        """True if a report can be made: a resume would add nothing."""
        return self.reason in (EndReason.DONE, EndReason.SHORT, EndReason.BUDGET)


class ContestMonitor:
    """Follows one contest from its start to its end.

    Args:
        run: The started processes.
        spec: The specification of the contest.
        line: The line that shows progress.
        seconds: Stop after this wall time; None follows to the end.
    """

    def __init__(
        self, run: ArenaRun, spec: ArenaSpec, line: LiveLine, *, seconds: float | None
    ) -> None:
        """Create the monitor; call `follow` to begin."""
        assert spec.competition is not None, "the specification holds no contest"
        self._run = run
        self._spec = spec
        self._contest = spec.competition
        self._line = line
        self._seconds = seconds
        self._started_s = time.monotonic()
        self._last_seen_s: float | None = None
        planned = spec.competition.snapshot_count(spec.arena.interval_s)
        names = [agent.name for agent in spec.agents]
        baselines = [agent.name for agent in spec.agents if agent.chat_node == BASELINES]
        health = ContestHealth(names, baselines, since=run.record.started_at)
        self.progress = ContestProgress(planned, names, health=health)
        self._dead_since_s: float | None = None
        self._silent_since_s: float | None = None
        self._silence_reported = False
        self._turns_read: dict[tuple[str, int], int] = {}

    async def follow(self, settings: Settings, signals: StopSignals) -> ContestEnd:
        """Follow the contest until it is complete, a signal arrives, or it cannot continue."""
        bus = KafkaBus(settings, client_id="arena-compete")
        await bus.start()
        try:
            # The processes create them too, later on a slow machine than a reader would wait.
            with contextlib.suppress(BrokerUnavailable):  # This login may not create them.
                await bus.ensure_topics([topics.spec_of(name) for name in FOLLOWED_TOPICS])
            reader = await bus.log_reader(*FOLLOWED_TOPICS)
            polling = asyncio.create_task(self._poll_broker(reader))
            try:
                return await self._follow(reader, signals)
            finally:
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)
                await reader.close()
        finally:
            await bus.close()

    async def read_rest(self, settings: Settings) -> None:
        """Count what the routers recorded while they stopped: the last snapshots that they skipped.

        Nothing is counted if the broker does not answer in time.
        """
        if not self._turns_read:
            return
        bus = KafkaBus(settings, client_id="arena-compete")
        with contextlib.suppress(*NO_ANSWER):
            async with asyncio.timeout(REST_TIMEOUT_S):
                await bus.start()
                try:
                    reader = await bus.log_reader(topics.TURNS.name)
                    for (topic, partition), offset in self._turns_read.items():
                        reader.seek(topic, partition, offset)
                    await self._catch_up(reader)
                    await reader.close()
                finally:
                    await bus.close()

    async def _follow(self, reader: LogReader, signals: StopSignals) -> ContestEnd:
        self.progress.snapshots += await deleted_snapshots(reader)
        await self._catch_up(reader)
        done_before, began_s = self.progress.snapshots, 0.0
        while True:
            self._run.tick()
            await self._read(reader)
            elapsed_s = time.monotonic() - self._started_s
            if not began_s and self.progress.snapshots > done_before:
                # The rate does not count the seconds in which the processes started.
                done_before, began_s = self.progress.snapshots, elapsed_s
            self._report_health()
            self._report_silence()
            if self._silent_since_s is None:
                self._line.show(progress_line(self.progress, elapsed_s - began_s, done_before))
            if (ending := self._ending(signals, elapsed_s)) is not None:
                if self._silent_since_s is None:
                    await self._catch_up(reader)
                    self._turns_read = await _positions(reader, topics.TURNS.name)
                if ending.reason is EndReason.DONE:
                    await self._await_judge(reader, signals)
                self._report_health()
                self._line.end(progress_line(self.progress, elapsed_s - began_s, done_before))
                return self._with_dead(ending)

    async def _poll_broker(self, reader: LogReader) -> None:
        """Fetch the ends of the logs regularly, to see whether the broker answers."""
        while True:
            asked_s = time.monotonic()
            try:
                async with asyncio.timeout(POLL_TIMEOUT_S):
                    await reader.end_offsets()
                self._silent_since_s = None
            except NO_ANSWER:
                self._silent_since_s = self._silent_since_s or asked_s
            await asyncio.sleep(POLL_EVERY_S)

    def _report_silence(self) -> None:
        """Print once that the broker does not answer, and once that it answers again."""
        since_s = self._silent_since_s
        if since_s is None and self._silence_reported:
            self._line.print_above("the broker answers again")
        elif since_s is not None and not self._silence_reported:
            if (silent_s := time.monotonic() - since_s) < SILENT_S:
                return
            self._line.print_above(
                f"the broker has not answered for {silent_s:.0f} s, and the contest waits for it: "
                "is it running, and has its disk free space? Ctrl-C stops the contest; --resume "
                "continues it"
            )
        self._silence_reported = since_s is not None

    async def _await_judge(self, reader: LogReader, signals: StopSignals) -> None:
        """Wait for the final evaluation of a judge that runs."""
        deadline_s = time.monotonic() + JUDGE_WAIT_S_MAX
        while not self.progress.is_judged and self._state_of(JUDGE) == "running":
            if signals.received is not None or time.monotonic() >= deadline_s:
                return
            self._run.tick()
            await self._read(reader)

    def _report_health(self) -> None:
        """Print which agents died or recovered, and note the dead in the run's record."""
        for text in self.progress.health.pop_news():
            self._line.print_above(text)
        self._run.note_dead(self.progress.health.dead())

    def _with_dead(self, ending: ContestEnd) -> ContestEnd:
        dead = self.progress.health.dead_at_end(
            self.progress.snapshots if ending.is_complete else None
        )
        self._run.note_dead(dead)
        text = ending.text
        if ending.reason is EndReason.DEAD and not self._given_up():  # also those of the last turns
            text = self.progress.health.stop_reason() or text
        return replace(ending, dead=dead, text=text)

    async def _catch_up(self, reader: LogReader) -> None:
        while await reader.lag():
            await self._read(reader)

    async def _read(self, reader: LogReader) -> None:
        for record in await reader.read(timeout_s=TICK_S, max_records=READ_MAX):
            try:
                message = record.message()
            except Malformed:
                continue  # its readers send it to the dead letters; here it counts nothing
            self.progress.apply(message, record.offset)

    def _ending(self, signals: StopSignals, elapsed_s: float) -> ContestEnd | None:
        """Return the first reason to end that applies now, or None."""
        budget = self._contest.llm_budget_usd
        if signals.received is not None:
            name = "Ctrl-C" if signals.received == SIGINT else signals.received.name
            return ContestEnd(EndReason.STOPPED, f"by {name}", elapsed_s)
        if self._run.supervisor.foreground_ended:
            return ContestEnd(EndReason.STOPPED, "at the dashboard", elapsed_s)
        if self._is_done():
            return ContestEnd(EndReason.DONE, "", elapsed_s)
        if given_up := self._given_up():
            reason = EndReason.DEAD if self.progress.health.dead() else EndReason.FAILED
            return ContestEnd(reason, given_up, elapsed_s)
        if dead := self._dead_text(elapsed_s):
            return ContestEnd(EndReason.DEAD, dead, elapsed_s)
        if budget is not None and self.progress.cost_usd >= budget:
            return ContestEnd(EndReason.BUDGET, self._budget_text(budget), elapsed_s)
        if self._state_of(EXCHANGE) == "finished":
            count = f"{self.progress.snapshots} of {self.progress.planned} snapshots"
            text = f"the prices ended after {count}"
            return ContestEnd(EndReason.SHORT, text, elapsed_s)
        if self._seconds is not None and elapsed_s >= self._seconds:
            return ContestEnd(EndReason.STOPPED, f"after {self._seconds:g} s, as asked", elapsed_s)
        return None

    def _is_done(self) -> bool:
        """In lock-step the connector ends after the last turns; else wait until their deadline."""
        if self._contest.lock_step:
            return self._state_of(CONNECTOR) == "finished"
        if self.progress.last is None:
            return False
        now_s = time.monotonic()
        self._last_seen_s = self._last_seen_s or now_s
        late = now_s - self._last_seen_s >= self._contest.decision_deadline_s
        return self.progress.all_decided or late

    def _dead_text(self, elapsed_s: float) -> str:
        """Why dead agents make the rest of the contest worthless; "" if they do not."""
        health = self.progress.health
        if not (reason := health.stop_reason()):
            self._dead_since_s = None
            return ""
        if self._dead_since_s is None:
            self._dead_since_s = elapsed_s
        waited = elapsed_s - self._dead_since_s >= FIRST_TURNS_WAIT_S
        return reason if health.all_have_turns or waited else ""

    def _given_up(self) -> str:
        for process in self._run.record.processes:
            if process.state == "given_up" and process.name not in OPTIONAL_PROCESSES:
                last_line = self._run.supervisor.last_log_line(process.name)
                text = f"{process.name} could not be kept running: {process.note}{last_line}"
                agents = self._agents_of(process.name)
                cause = last_line.removeprefix(LAST_LINE_LEAD).removeprefix("arena: ") or text
                self.progress.health.add_lost(dead_with_process(agents, cause))
                return f"{text}; read {process.log}"
        return ""

    def _agents_of(self, process: str) -> list[str]:
        """The agents of a router process, or those that a chat node serves."""
        own = [agent.name for agent in self._spec.processes().get(process, ())]
        node = process.removeprefix("chat-node-") if process.startswith("chat-node-") else None
        return own or [agent.name for agent in self._spec.agents if agent.chat_node == node]

    def _state_of(self, name: str) -> str:
        found = (p.state for p in self._run.record.processes if p.name == name)
        return next(found, "")

    def _budget_text(self, budget: Decimal) -> str:
        return (
            f"the models have cost ${self.progress.cost_usd:.4f}, the budget was ${budget}: "
            f"{self.progress.snapshots} of {self.progress.planned} snapshots"
        )


async def _positions(reader: LogReader, topic: str) -> dict[tuple[str, int], int]:
    """Topic and partition -> offset of the next record to read, for one topic of a reader."""
    found = await reader.positions()
    return {key: one.position for key, one in found.items() if key[0] == topic}
