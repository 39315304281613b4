"""Which agents are alive: a fold of their turns. Pure.

A turn is a decision if the model gave an answer that could be used: words, or at least one tool
call that was carried out. An agent is dead

* at once if its last turn failed for a cause that does not pass by itself (`LASTING_CAUSES`);
* after `DEAD_TURNS` turns in a row without a decision;
* as long as it has had turns and none of them was a decision (never alive), once nothing more
  will come: the judge, which looks at records, ranks nobody who never decided.

A turn that was aborted because a process stopped says nothing about the model and counts for
neither. An agent that decides again is alive again.
"""

from dataclasses import dataclass, field

from arena.messages import LASTING_CAUSES, Turn

DEAD_TURNS = 5
"""So many turns in a row without a decision, and an agent is dead."""


def is_decision(turn: Turn) -> bool:
    """True if a turn holds something that a model decided: words, or a call that was carried out.

    The judge asks the same of every turn, so a failure is never counted as a hold.
    """
    if turn.outcome == "completed":
        return True
    return any(ok for one in turn.rounds for ok in one.tools_ok)


@dataclass(frozen=True, slots=True)
class Dead:
    """An agent that is dead.

    Attributes:
        cause: In words, with the remedy where there is one.
        turns: In a row, up to the newest, without a decision.
    """

    agent: str
    cause: str
    turns: int


@dataclass(slots=True)
class Vital:
    """What an agent's turns say of its health.

    Attributes:
        turns: Ended ones, without aborted ones. decisions: those that hold a decision.
        failed_run: Turns in a row, up to the newest, without a decision.
        cause: `Cause` of the newest failure. error: the same in words.
    """

    agent: str
    turns: int = 0
    decisions: int = 0
    failed_run: int = 0
    cause: str = ""
    error: str = ""

    def apply(self, turn: Turn) -> None:
        """Fold one ended turn; the caller leaves out second records of a turn."""
        if turn.outcome == "aborted" and not is_decision(turn):
            return
        self.turns += 1
        if is_decision(turn):
            self.decisions += 1
            self.failed_run, self.cause, self.error = 0, "", ""
        else:
            self.failed_run += 1
            self.cause, self.error = turn.cause, turn.error or f"the turn {turn.outcome}"

    @property
    def ever_alive(self) -> bool:
        """True if at least one turn was a decision."""
        return self.decisions > 0

    @property
    def is_dead(self) -> bool:
        """True after a lasting cause, or after `DEAD_TURNS` turns without a decision."""
        if not self.failed_run:
            return False
        return self.cause in LASTING_CAUSES or self.failed_run >= DEAD_TURNS

    def dead(self) -> Dead:
        """The agent as it is listed among the dead."""
        return Dead(self.agent, self.error, self.failed_run)


@dataclass(slots=True)
class Vitals:
    """The health of every agent whose turns were folded."""

    agents: dict[str, Vital] = field(default_factory=dict)

    def apply(self, turn: Turn) -> None:
        """Fold one ended turn."""
        self.agents.setdefault(turn.agent, Vital(turn.agent)).apply(turn)

    def dead(self) -> tuple[Dead, ...]:
        """The dead, by name."""
        found = (vital for _, vital in sorted(self.agents.items()))
        return tuple(vital.dead() for vital in found if vital.is_dead)
