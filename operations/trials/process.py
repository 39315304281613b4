"""The process `arena prompts trial --watch`: tries proposals, one at a time.

Reads `prompts`, `arena.roster`, `arena.control`, `market.snapshots`, `account.events` and
`agent.turns`; writes `prompts` and `arena.control`. Its only state is the topics: after a restart
it continues the trial that is running.
"""

from dataclasses import dataclass, field
from typing import Final

from arena import topics
from arena.errors import ArenaError
from arena.halt_command import read_halts
from arena.messages import COACHED, AgentSpec, TrialEnded, TrialStarted
from arena.node import Node
from arena.prompt_log import newest_as_of
from arena.prompt_trials import running_trial
from arena.prompt_versions import PromptBook, short_version
from arena.read_topic import read_list
from arena.roster import read_agents
from operations.supervisor.supervisor import Change
from operations.trials.arena import TrialArena
from operations.trials.begin import TrialAsked, require_live_market, start_trial
from operations.trials.live import TrialRun
from operations.trials.topics import Progress

IDLE_READ_S: Final = 5.0
TRIED_AUTHORS: Final = ("judge", "optimiser")


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Options of the process.

    Attributes:
        arena: The arena.
        snapshots: Length of a trial.
        repeats: Shadow agents per arm.
        bound_pct: Loss of return that must be excluded, in percent.
    """

    arena: TrialArena
    snapshots: int
    repeats: int
    bound_pct: float


async def serve(node: Node, options: WatchOptions) -> None:
    """Try proposals until cancelled."""
    require_live_market(options.arena)
    await Watch(node, options).serve()


@dataclass(slots=True)
class Watch:
    """Follows `prompts`, and runs the trials that are due.

    Attributes:
        book: The versions and trials of all agents.
        refused: Proposals that cannot be tried: agent and version.
    """

    node: Node
    options: WatchOptions
    book: PromptBook = field(default_factory=PromptBook)
    refused: set[tuple[str, str]] = field(default_factory=set)

    async def serve(self) -> None:
        """Work until cancelled."""
        node = self.node
        await node.bus.ensure_topics([topics.PROMPTS])
        node.status = "running"
        reader = await node.bus.log_reader(topics.PROMPTS.name)
        try:
            while True:
                for record in await read_list(reader):
                    self.book.apply(record)
                started = await self._next()
                if started is not None:
                    await self._run(started)
                    continue
                node.details["trial"] = "no proposal is pending"
                for record in await reader.read(timeout_s=IDLE_READ_S):
                    self.book.apply(record)
        finally:
            await reader.close()

    async def _next(self) -> TrialStarted | None:
        """The trial to run: the one that is running, else a new one of a pending proposal."""
        agents = {one.name for one in self.options.arena.loaded.spec.agents}
        for agent in sorted(agents & self.book.agents.keys()):
            running = running_trial(self.book.of(agent).trials)
            if running is not None and running.started is not None:
                return running.started
        for agent in _by_age(agents, self.book):
            if (started := await self._begin(agent)) is not None:
                return started
        return None

    async def _begin(self, agent: str) -> TrialStarted | None:
        """Begin the trial of an agent's pending proposal, if it is due."""
        bus, own, options = self.node.bus, self.book.of(agent), self.options
        pending = own.pending
        if pending is None or pending.author not in TRIED_AUTHORS or own.frozen:
            return None
        if (agent, pending.version) in self.refused:
            return None
        as_of = await newest_as_of(bus)
        if as_of is None or own.result_of_pending(as_of) is not None:
            return None
        spec = (await read_agents(bus)).get(agent)
        if not _can_be_tried(spec) or (await read_halts(bus)).halt_of(agent) is not None:
            return None
        asked = TrialAsked(agent, None, options.snapshots, options.repeats, options.bound_pct)
        try:
            options.arena.strategy(options.arena.agent(agent))
            return await start_trial(bus, own, asked, self._by)
        except ArenaError as error:
            self.refused.add((agent, pending.version))
            self.node.log.warning("a proposal cannot be tried", agent=agent, error=str(error))
            return None

    @property
    def _by(self) -> str:
        return f"trials/{self.node.host}"

    async def _run(self, started: TrialStarted) -> None:
        node, options = self.node, self.options
        shown = {"trial_id": started.trial_id, "agent": started.agent}
        node.log.info("trial", challenger=short_version(started.challenger), **shown)

        def show(found: Progress) -> None:
            node.details["trial"] = (
                f"{started.agent}: {found.done} of {started.snapshots} snapshots"
            )
            node.gauges["trial_snapshots"] = found.done

        def note(change: Change) -> None:
            node.log.warning(f"{change.name} {change.text}", **shown)

        run = TrialRun(node.bus, options.arena, started, self._by, show, note)
        ended: TrialEnded = await run.run()
        node.counters["trials"] += 1
        node.log.info("trial ended", verdict=ended.verdict, reasons=list(ended.reasons), **shown)


def _by_age(agents: set[str], book: PromptBook) -> list[str]:
    """The agents with a pending proposal, the oldest proposal first."""
    pending = {agent: own.pending for agent, own in book.agents.items() if agent in agents}
    found = [(one.offset, agent) for agent, one in pending.items() if one is not None]
    return [agent for _, agent in sorted(found)]


def _can_be_tried(spec: AgentSpec | None) -> bool:
    """True for a coached agent on the roster that a model plays."""
    return spec is not None and spec.kind == "agent" and spec.prompts == COACHED
