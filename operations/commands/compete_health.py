"""The agents of a contest that are alive or dead: a fold of its turns, and its text. Pure.

Whether a contest stops depends only on the turns since this part of it began, so a contest whose
key was corrected can continue. An agent that decided in an earlier part counts as alive once.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from arena.agent_health import (
    DEAD_TURNS,
    DeadAgent,
    HealthFold,
    cause_line,
    dead_without_turn,
    is_decision,
    short_cause,
)
from arena.messages import AgentSpec, Turn
from arena.plural import counted

NAMED_MAX = 3
"""Dead agents named in the progress line."""
SHORT_CHARS = 32
"""Length of a cause in the progress line."""


class ContestHealth:
    """The health of the agents of a contest.

    Args:
        agents: Names of the agents.
        baselines: The baselines among them that are known before they join.
        since: Wall time at which this part of the contest began.

    Attributes:
        failed_turns: Turns of this part without a decision.
    """

    def __init__(
        self,
        agents: Collection[str],
        baselines: Collection[str] = (),
        since: datetime | None = None,
    ) -> None:
        """Start without turns; `add_turn` folds them."""
        self.failed_turns = 0
        self._agents = agents
        self._baselines = set(baselines)
        self._since = since or datetime.min.replace(tzinfo=UTC)
        self._cadence: dict[str, int] = {}
        self._whole, self._part = HealthFold(), HealthFold()
        self._lost: dict[str, DeadAgent] = {}
        self._reported_failed: set[str] = set()
        self._reported_dead: set[str] = set()
        self._news: list[str] = []

    def add_agent(self, spec: AgentSpec) -> None:
        """Add an agent's entry of the roster."""
        self._cadence[spec.agent] = spec.cadence
        (self._baselines.add if spec.kind == "baseline" else self._baselines.discard)(spec.agent)

    def add_turn(self, turn: Turn) -> None:
        """Add an ended turn; the caller drops repeated records of a turn."""
        if turn.agent not in self._agents:
            return
        self._whole.apply(turn)
        if turn.ended_at < self._since:
            return
        self._part.apply(turn)
        failed = not is_decision(turn) and turn.outcome != "aborted"
        self.failed_turns += failed
        self._report(turn.agent, failed=failed)

    def add_lost(self, dead: Iterable[DeadAgent]) -> None:
        """Add agents whose process was given up."""
        self._lost |= {one.agent: one for one in dead}

    def pop_news(self) -> list[str]:
        """Return the events since the last call, a line each."""
        news, self._news = self._news, []
        return news

    def dead(self) -> tuple[DeadAgent, ...]:
        """The agents that are dead now, by name."""
        return self._listed({one.agent: one for one in self._whole.dead()})

    def dead_at_end(self, snapshots: int | None) -> tuple[DeadAgent, ...]:
        """The agents that are dead if no more turns come, by name.

        Args:
            snapshots: Snapshots of the whole contest; None does not judge agents without a turn.
        """
        found = {one.agent: one for one in self._whole.dead_at_end()}
        for name in self._agents:
            needed = DEAD_TURNS * self._cadence.get(name, 1)
            if snapshots is not None and snapshots >= needed and not self._whole.of(name).turns:
                found[name] = dead_without_turn(name)
        return self._listed(found)

    def stop_reason(self) -> str:
        """Why the contest must stop; "" if it need not."""
        entrants = self._entrants()
        never = [
            name
            for name in entrants
            if self._part.of(name).is_dead and not self._whole.of(name).has_decided
        ]
        if never:
            were = "was" if len(never) == 1 else "were"
            return f"{_names(never)} {were} never alive"
        if entrants and all(self._part.of(name).is_dead for name in entrants):
            return "no agent is alive any more"
        return ""

    @property
    def all_have_turns(self) -> bool:
        """True if every entrant has ended a turn in this part."""
        return all(self._part.of(name).turns for name in self._entrants())

    def _entrants(self) -> list[str]:
        """The agents that compete; the baselines if there are no others."""
        found = [name for name in self._agents if name not in self._baselines]
        return found or list(self._agents)

    def _listed(self, found: dict[str, DeadAgent]) -> tuple[DeadAgent, ...]:
        return tuple(dead for _, dead in sorted((found | self._lost).items()))

    def _report(self, agent: str, *, failed: bool) -> None:
        vital = self._part.of(agent)
        if vital.is_dead and agent not in self._reported_dead:
            self._reported_dead.add(agent)
            dead = vital.dead()
            self._news.append(f"{agent} is dead: {dead.cause}; {dead.remedy}")
        elif failed and agent not in self._reported_failed and not vital.is_dead:
            self._news.append(f"{agent}: a turn gave no decision: {cause_line(vital.error)}")
        elif not failed and agent in self._reported_dead and not vital.is_dead:
            self._reported_dead.discard(agent)
            self._news.append(f"{agent} is alive again")
        if failed:
            self._reported_failed.add(agent)


def health_texts(health: ContestHealth) -> list[str]:
    """The parts of the progress line about failures; empty if nothing failed."""
    parts = []
    if dead := health.dead():
        named = ", ".join(
            f"{one.agent} ({short_cause(one.cause, SHORT_CHARS)})" for one in dead[:NAMED_MAX]
        )
        parts.append(f"{len(dead)} dead: {named}{', ...' if len(dead) > NAMED_MAX else ''}")
    if count := health.failed_turns:
        parts.append(counted(count, "failed turn"))
    return parts


def dead_lines(dead: Iterable[DeadAgent]) -> list[str]:
    """The dead agents as lines of text: the cause, and below it the remedy."""
    lines = [line for one in dead for line in (f"  {one.agent}: {one.cause}", f"    {one.remedy}")]
    return ["Dead, not ranked:", *lines] if lines else []


def _names(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
