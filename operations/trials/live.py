"""Runs a trial by shadow agents in a running arena: one router process, from start to result.

Reads what `operations.trials.topics` reads; writes `prompts`, and limits of shadow agents to
`arena.control`. All state is in the topics, so another process can continue a running trial: a
second router of the same names is a standby, and the first `TrialEnded` counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from arena import topics
from arena.bus.base import Bus
from arena.bus.kafka import KafkaBus
from arena.credentials import ADMIN, PLAINTEXT, credentials_for
from arena.messages import RiskRequest, TrialEnded, TrialStarted
from arena.prompt_log import append_prompt
from arena.prompt_versions import AgentPrompts, short_version
from arena.risk_limit_values import PRESET_KEY
from arena.risk_requests import key_of_request
from arena.risk_settings import RiskValues
from arena.settings import KafkaAccess, Settings
from operations.commands.supervised_run import LAUNCHER, process_environment
from operations.processes.child import ProcessSpec
from operations.specs.shadows import process_name, shadow_command
from operations.supervisor.plan import secret_variables
from operations.supervisor.supervisor import Change, Supervisor
from operations.trials.arena import TRIALS, Texts, TrialArena, write_strategies
from operations.trials.topics import Progress, TrialTopics

READ_S: Final = 0.2
ROUTER: Final = "router"
SNAPSHOTS_WITHOUT_PROGRESS_MAX: Final = 150
"""A trial ends undecided if more snapshots than this passed without one that counts."""
SNAPSHOTS_PER_COUNTED_MAX: Final = 20
"""It ends undecided, too, if this many times its length passed in one process."""
PATIENCE_S: Final = 120.0
"""In a fast market both need as many seconds without progress, or without an end."""
SILENCE_S_MIN: Final = 900.0
SILENCE_INTERVALS: Final = 20
"""It ends undecided, too, if no snapshot comes for this many intervals, and `SILENCE_S_MIN`."""
STOP_S: Final = 5.0


@dataclass(slots=True)
class Pace:
    """When a trial made progress last, in this process.

    Attributes:
        done: Snapshots that counted at the newest progress.
        done_s: When that was, on the monotonic clock.
        at_snapshots: Snapshots that were read by then.
        first: Snapshots that were read when the process began; None before the first note.
        first_s: When that was, on the monotonic clock.
        snapshots: Snapshots that were read.
        at_s: When that number grew last, on the monotonic clock.
    """

    done: int = -1
    done_s: float = 0.0
    at_snapshots: int = 0
    first: int | None = None
    first_s: float = 0.0
    snapshots: int = -1
    at_s: float = 0.0

    def note(self, found: Progress, length: int, now_s: float) -> str:
        """Note how far a trial of this length is; why it must end, or ""."""
        if self.first is None:
            self.first, self.first_s = found.snapshots, now_s
        if found.done > self.done:
            self.done, self.done_s, self.at_snapshots = found.done, now_s, found.snapshots
        if found.snapshots > self.snapshots:
            self.snapshots, self.at_s = found.snapshots, now_s
        without = found.snapshots - self.at_snapshots
        if without > SNAPSHOTS_WITHOUT_PROGRESS_MAX and now_s - self.done_s > PATIENCE_S:
            who = ", ".join(found.silent) or "a shadow agent"
            return f"{who} decided nothing on {without} snapshots"
        passed, took_s = found.snapshots - self.first, now_s - self.first_s
        if passed > SNAPSHOTS_PER_COUNTED_MAX * length and took_s > PATIENCE_S:
            return f"only {found.done} snapshots were answered by every arm, of {passed}"
        bound_s = max(SILENCE_S_MIN, SILENCE_INTERVALS * (found.interval_s or 0.0))
        if now_s - self.at_s > bound_s:
            return f"no snapshot came in {bound_s / 60:.0f} minutes"
        return ""


@dataclass(slots=True)
class TrialRun:
    """Runs one trial.

    Attributes:
        bus: Connected.
        arena: The arena.
        started: The trial.
        by: The sender of its records.
        on_progress: Called with each new state.
        on_change: Called with what happens to its process.
    """

    bus: Bus
    arena: TrialArena
    started: TrialStarted
    by: str
    on_progress: Callable[[Progress], None] = lambda found: None
    on_change: Callable[[Change], None] = lambda change: None
    _pace: Pace = field(default_factory=Pace)
    _progress: Progress | None = None

    async def run(self) -> TrialEnded:
        """Run the trial to its end. If it is cancelled, its router ends and the trial stays open.

        Raises:
            UsageError: The specification has no such agent.
        """
        known = TrialTopics(self.started)
        supervisor: Supervisor | None = None
        try:
            await known.open(self.bus)
            if (before := self._ended(known)) is not None:
                return before
            own = known.book.of(self.started.agent)
            if why := why_ended(own, self.started, known):
                now = self.bus.clock.now()
                return await self._end(known, known.fold.stopped(why, self.by, now))
            supervisor = await self._start(known)
            self._pace.at_s = self.bus.clock.monotonic()
            while True:
                supervisor.tick()
                changed = await known.read(READ_S)
                if (ended := await self._step(known, supervisor, changed=changed)) is not None:
                    return ended
        finally:
            if supervisor is not None:
                supervisor.stop(STOP_S)
            await known.close()

    async def _step(
        self, known: TrialTopics, supervisor: Supervisor, *, changed: bool
    ) -> TrialEnded | None:
        """The end of the trial, if it has come."""
        if (ended := self._ended(known)) is not None:
            return ended
        if changed or self._progress is None:
            self._progress = known.fold.progress()
            self.on_progress(self._progress)
            if known.fold.is_complete():
                await known.catch_up()
                # In a thread, so that heartbeats continue. Nothing is folded until it returns.
                found = await self.bus.threads.run(lambda: known.fold.ended(self.by))
                return await self._end(known, found)
        why = self._why_stopped(known, supervisor)
        if not why:
            now_s = self.bus.clock.monotonic()
            why = self._pace.note(self._progress, self.started.snapshots, now_s)
        if why:
            now = self.bus.clock.now()
            return await self._end(known, known.fold.stopped(why, self.by, now))
        return None

    async def _start(self, known: TrialTopics) -> Supervisor:
        """Start the router of the shadow agents."""
        spec, started = self.arena.loaded.spec, self.started
        agent = self.arena.agent(started.agent)
        folder = self.arena.directory / TRIALS / started.trial_id
        folder.mkdir(parents=True, exist_ok=True)
        texts = texts_of(known.book.of(started.agent), started)
        write_strategies(folder, self.arena.strategy(agent), texts)
        await self._create_inboxes()
        for name in started.names if agent.risk else ():
            await self._limit(name, agent.risk or {})
        words = shadow_command(agent, started, folder, spec.chat_nodes, self.arena.loaded.plugins)
        process = ProcessSpec(
            name=process_name(started.trial_id),
            argv=(*LAUNCHER, *words),
            kind=ROUTER,
            environ=process_environment(self.arena.settings) | _login(self.arena.settings, ROUTER),
            without=secret_variables(spec),
        )
        supervisor = Supervisor([process], folder, on_change=self.on_change)
        supervisor.start()
        return supervisor

    async def _create_inboxes(self) -> None:
        """Create the topics of the shadow agents: on a secure broker only its administrator may."""
        inboxes = [topics.INBOX.member(name) for name in self.started.names]
        settings = self.arena.settings
        admin = _login(settings, ADMIN)
        if not admin:
            await self.bus.ensure_topics(inboxes)
            return
        bus = KafkaBus(settings.override(access=KafkaAccess.of(admin)), client_id="arena-trial")
        await bus.start()
        try:
            await bus.ensure_topics(inboxes)
        finally:
            await bus.close()

    async def _limit(self, shadow: str, limits: RiskValues) -> None:
        """Give a shadow agent the limits that the specification gives its agent."""
        values = {name: value for name, value in limits.items() if name != PRESET_KEY}
        request = RiskRequest.model_validate(
            {
                "agent": shadow,
                "limits": values or None,
                "preset": str(limits.get(PRESET_KEY, "")),
                "reason": f"limits of {self.started.agent}",
                "by": self.by,
                "at": self.bus.clock.now(),
            }
        )
        await self.bus.append(topics.CONTROL.name, request, key=key_of_request(shadow))

    def _ended(self, known: TrialTopics) -> TrialEnded | None:
        """The end of the trial, if it is in the topic."""
        trials = known.book.of(self.started.agent).trials
        found = (one.ended for one in trials if one.trial_id == self.started.trial_id)
        return next(found, None)

    async def _end(self, known: TrialTopics, ended: TrialEnded) -> TrialEnded:
        """Append the end; return the first one in the topic, which counts."""
        _, book = await append_prompt(self.bus, ended)
        known.book = book
        return self._ended(known) or ended

    def _why_stopped(self, known: TrialTopics, supervisor: Supervisor) -> str:
        """Why the trial must end before its time; "" if it need not."""
        own = known.book.of(self.started.agent)
        if why := why_ended(own, self.started, known):
            return why
        if supervisor.all_ended:
            name = process_name(self.started.trial_id)
            return f"its shadow agents do not run{supervisor.last_log_line(name)}"
        return ""


def why_ended(own: AgentPrompts, started: TrialStarted, known: TrialTopics) -> str:
    """Why the result of a trial is of no use any more; "" if it is of use."""
    now = own.in_force(known.fold.as_of)
    if now is None or now.version != started.champion:
        found = "nothing" if now is None else short_version(now.version)
        return f"the text in force changed: it is {found}"
    if own.pending is None or own.pending.version != started.challenger:
        version = own.versions.get(started.challenger)
        by = f" by {version.decided_by}" if version is not None and version.decided_by else ""
        return f"the proposal was decided{by}"
    if (halt := known.switch.halt_of(started.agent)) is not None:
        return halt.line
    return ""


def texts_of(own: AgentPrompts, started: TrialStarted) -> Texts:
    """The texts of a trial, from the versions of its agent."""
    pending = [] if own.pending is None else [own.pending]
    known = {one.version: one.text for one in (*own.versions.values(), *pending)}
    return Texts(known.get(started.champion, ""), known.get(started.challenger, ""))


def _login(settings: Settings, principal: str) -> dict[str, str]:
    """The login of a principal, if the broker is a secure one of this home; else {}."""
    if settings.access.security_protocol == PLAINTEXT:
        return {}
    return credentials_for(settings.home, principal)
