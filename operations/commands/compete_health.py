"""Who is alive in a contest: a fold of its turns, and what a person is told of it. Pure.

Whether a contest stops depends only on the turns since this part of it began, so that one whose
key was corrected can continue; an agent that decided in an earlier part was alive.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from arena.agent_health import (
    DEAD_TURNS,
    Dead,
    Vitals,
    is_decision,
    one_line,
    short_cause,
    without_turn,
)
from arena.messages import AgentSpec, Turn
from arena.plural import counted

NAMED_MAX = 3
"""Dead agents named in the progress line."""
SHORT_CHARS = 32
"""Of a cause in the progress line."""


class Health:
    """The health of the agents of a contest.

    Args:
        agents: Who takes part.
        baselines: Those of them that are there to compare with, as far as that is known before
            they join.
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
        """Begin before the first turn."""
        self.failed_turns = 0
        self._agents = agents
        self._baselines = set(baselines)
        self._since = since or datetime.min.replace(tzinfo=UTC)
        self._cadence: dict[str, int] = {}
        self._whole, self._part = Vitals(), Vitals()
        self._lost: dict[str, Dead] = {}
        self._said_failed: set[str] = set()
        self._said_dead: set[str] = set()
        self._news: list[str] = []

    def joined(self, spec: AgentSpec) -> None:
        """Take an agent's line on the roster."""
        self._cadence[spec.agent] = spec.cadence
        (self._baselines.add if spec.kind == "baseline" else self._baselines.discard)(spec.agent)

    def ended(self, turn: Turn) -> None:
        """Take an ended turn; the caller leaves out second records of a turn."""
        if turn.agent not in self._agents:
            return
        self._whole.apply(turn)
        if turn.ended_at < self._since:
            return
        self._part.apply(turn)
        failed = not is_decision(turn) and turn.outcome != "aborted"
        self.failed_turns += failed
        self._tell(turn.agent, failed=failed)

    def lost(self, dead: Iterable[Dead]) -> None:
        """Take agents whose process is not kept up any more."""
        self._lost |= {one.agent: one for one in dead}

    def news(self) -> list[str]:
        """What happened since this was asked the last time, a line each."""
        news, self._news = self._news, []
        return news

    def dead(self) -> tuple[Dead, ...]:
        """Who is dead now, by name."""
        return self._listed({one.agent: one for one in self._whole.dead()})

    def dead_at_end(self, snapshots: int | None) -> tuple[Dead, ...]:
        """Who is dead if nothing more comes, by name.

        Args:
            snapshots: Of the whole contest; None asks nothing of agents without a turn.
        """
        found = {one.agent: one for one in self._whole.dead_at_end()}
        for name in self._agents:
            needed = DEAD_TURNS * self._cadence.get(name, 1)
            if snapshots is not None and snapshots >= needed and not self._whole.of(name).turns:
                found[name] = without_turn(name)
        return self._listed(found)

    def stop_words(self) -> str:
        """Why the contest must stop; "" if it need not."""
        entrants = self._entrants()
        never = [
            name
            for name in entrants
            if self._part.of(name).is_dead and not self._whole.of(name).ever_alive
        ]
        if never:
            were = "was" if len(never) == 1 else "were"
            return f"{_names(never)} {were} never alive"
        if entrants and all(self._part.of(name).is_dead for name in entrants):
            return "no agent is alive any more"
        return ""

    @property
    def all_heard(self) -> bool:
        """True if every entrant has ended a turn in this part."""
        return all(self._part.of(name).turns for name in self._entrants())

    def _entrants(self) -> list[str]:
        """The agents that compete; in a contest of baselines alone, the baselines."""
        found = [name for name in self._agents if name not in self._baselines]
        return found or list(self._agents)

    def _listed(self, found: dict[str, Dead]) -> tuple[Dead, ...]:
        return tuple(dead for _, dead in sorted((found | self._lost).items()))

    def _tell(self, agent: str, *, failed: bool) -> None:
        vital = self._part.of(agent)
        if vital.is_dead and agent not in self._said_dead:
            self._said_dead.add(agent)
            dead = vital.dead()
            self._news.append(f"{agent} is dead: {dead.cause}; {dead.remedy}")
        elif failed and agent not in self._said_failed and not vital.is_dead:
            self._news.append(f"{agent}: a turn gave no decision: {one_line(vital.error)}")
        elif not failed and agent in self._said_dead and not vital.is_dead:
            self._said_dead.discard(agent)
            self._news.append(f"{agent} is alive again")
        if failed:
            self._said_failed.add(agent)


def health_texts(health: Health) -> list[str]:
    """The parts of the progress line that say what failed; none if nothing did."""
    parts = []
    if dead := health.dead():
        named = ", ".join(
            f"{one.agent} ({short_cause(one.cause, SHORT_CHARS)})" for one in dead[:NAMED_MAX]
        )
        parts.append(f"{len(dead)} dead: {named}{', ...' if len(dead) > NAMED_MAX else ''}")
    if count := health.failed_turns:
        parts.append(counted(count, "failed turn"))
    return parts


def dead_lines(dead: Iterable[Dead]) -> list[str]:
    """The dead as lines for people: the cause, and below it what to do."""
    lines = [line for one in dead for line in (f"  {one.agent}: {one.cause}", f"    {one.remedy}")]
    return ["Dead, not ranked:", *lines] if lines else []


def _names(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
