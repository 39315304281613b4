"""Which agents are alive: a fold of their turns. Pure.

A turn is a decision if the model gave an answer that could be used: words, or at least one tool
call that was carried out. An agent is dead

* at once if its last turn failed for a cause that does not pass by itself (`LASTING_CAUSES`);
* after `DEAD_TURNS` turns in a row without a decision;
* as long as it has had turns and none of them was a decision (never alive), once nothing more
  will come: the judge, which looks at records, ranks no agent that never decided.

A turn that was aborted because a process stopped says nothing about the model and counts for
neither. An agent that decides again is alive again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from arena.messages import LASTING_CAUSES, Cause, Heartbeat, Turn
from arena.visible_text import one_line as visible_line

DEAD_TURNS = 5
"""So many turns in a row without a decision, and an agent is dead."""
CAUSE_CHARS_MAX = 400
"""Of a cause in words, as it is listed."""
DEAD_DETAIL = "dead"
"""The detail of a router's heartbeat that lists its dead agents."""
NO_TURN = "no turn ran to its end"
UNKNOWN_TOOL_WORDS = "no tools process offers"
"""What a router that ends for an unknown tool says; `dead_with_process` knows the cause by it."""

REMEDIES: Mapping[str, str] = {
    Cause.AUTH: "set the right key for its chat node, then resume",
    Cause.FORBIDDEN: "use a key that may use this model, or another model",
    Cause.MODEL_NOT_FOUND: "check model_id and base_url of its chat node",
    Cause.UNKNOWN_TOOL: "take the tool out of the strategy, or offer it",
    Cause.CONTEXT_LENGTH: 'use prompt = "compact" or "tiny", or a larger context',
    Cause.QUOTA: "add credit at the provider",
    Cause.BUDGET: "raise the budget of its chat node",
    Cause.RATE_LIMIT: "use fewer agents or workers on this key, or a longer interval",
    Cause.UNREACHABLE: "check base_url, and that the server runs",
    Cause.TIMEOUT: "use a faster model, or a longer deadline",
    Cause.SERVER_ERROR: "read the provider's message in `arena tail llm.calls`",
    Cause.REFUSED_REQUEST: "read the provider's message in `arena tail llm.calls`",
    Cause.CONTENT_FILTER: "read the answers in `arena tail llm.calls`, or use another model",
    Cause.UNUSABLE_ANSWER: "read the answers in `arena tail llm.calls`, or use another model",
}
"""`Cause` -> what to do about an agent that died of it."""
_ADDRESS = re.compile(r"^https?://\S+ (answer(?:ed|s) )?")
READ_LOGS = "read the logs of its router and its chat node"


def is_decision(turn: Turn) -> bool:
    """True if a turn holds something that a model decided.

    That is words, a call that was carried out, or an order that the money rules refused: a turn
    that its rounds ended names a cause if it holds none of them. The judge asks the same of every
    turn, so a failure is never counted as a hold.
    """
    if turn.outcome == "completed" or (turn.outcome == "max_rounds" and not turn.cause):
        return True
    return any(ok for one in turn.rounds for ok in one.tools_ok)


@dataclass(frozen=True, slots=True)
class DeadAgent:
    """An agent that is dead.

    Attributes:
        cause: In words.
        turns: In a row, up to the newest, without a decision.
        code: The `Cause`, for programs; "" if it is not known.
        remedy: What to do about it.
    """

    agent: str
    cause: str
    turns: int
    code: str = ""
    remedy: str = READ_LOGS

    def document(self) -> dict[str, JsonValue]:
        """The same for programs; its keys only grow."""
        return {
            "agent": self.agent,
            "cause": self.cause,
            "turns": self.turns,
            "code": self.code,
            "remedy": self.remedy,
        }


@dataclass(slots=True)
class AgentHealth:
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
        self.note(turn.outcome, is_decision(turn), turn.cause, turn.error)

    def note(self, outcome: str, decided: bool, cause: str, error: str) -> None:
        """Fold one ended turn of which only this is known."""
        if outcome == "aborted" and not decided:
            return
        self.turns += 1
        if decided:
            self.decisions += 1
            self.failed_run, self.cause, self.error = 0, "", ""
        else:
            self.failed_run += 1
            self.cause, self.error = cause, error or f"the turn {_OUTCOMES.get(outcome, outcome)}"

    @property
    def has_decided(self) -> bool:
        """True if at least one turn was a decision."""
        return self.decisions > 0

    @property
    def is_dead(self) -> bool:
        """True after a lasting cause, or after `DEAD_TURNS` turns without a decision."""
        if not self.failed_run:
            return False
        return self.cause in LASTING_CAUSES or self.failed_run >= DEAD_TURNS

    @property
    def never_decided(self) -> bool:
        """True if it has had turns, and none of them was a decision."""
        return self.turns > 0 and not self.decisions

    def dead(self) -> DeadAgent:
        """The agent as it is listed among the dead."""
        words = self.error
        if self.cause not in LASTING_CAUSES:
            why = f"{self.failed_run} turns in a row without a decision"
            if self.never_decided:
                why = f"none of its {self.turns} turns was a decision"
            if self.turns == 1:
                why = "its only turn was not a decision"
            words = f"{self.error[: CAUSE_CHARS_MAX - len(why) - 3]} ({why})"
        return DeadAgent(
            self.agent,
            cause_line(words),
            self.failed_run,
            code=self.cause,
            remedy=REMEDIES.get(self.cause, READ_LOGS),
        )


_OUTCOMES = {"max_rounds": "ended at its last round, and no call was carried out"}


@dataclass(slots=True)
class HealthFold:
    """The health of every agent whose turns were folded."""

    agents: dict[str, AgentHealth] = field(default_factory=dict)

    def apply(self, turn: Turn) -> None:
        """Fold one ended turn."""
        self.of(turn.agent).apply(turn)

    def of(self, agent: str) -> AgentHealth:
        """The health of an agent; a new one has had no turn."""
        return self.agents.setdefault(agent, AgentHealth(agent))

    def dead(self) -> tuple[DeadAgent, ...]:
        """The dead, by name."""
        found = (vital for _, vital in sorted(self.agents.items()))
        return tuple(vital.dead() for vital in found if vital.is_dead)

    def dead_at_end(self) -> tuple[DeadAgent, ...]:
        """The dead, by name, if nothing more will come: also those who never decided."""
        found = (vital for _, vital in sorted(self.agents.items()))
        return tuple(v.dead() for v in found if v.is_dead or v.never_decided)


def parse_dead_agent(document: JsonValue) -> DeadAgent | None:
    """A `DeadAgent.document` read back; None if it is none."""
    if not isinstance(document, dict):
        return None
    agent, cause, turns = (document.get(name) for name in ("agent", "cause", "turns"))
    if not (isinstance(agent, str) and isinstance(cause, str) and isinstance(turns, int)):
        return None
    code, remedy = document.get("code"), document.get("remedy")
    return DeadAgent(
        agent,
        cause_line(cause),
        turns,
        code=code if isinstance(code, str) else "",
        remedy=remedy if isinstance(remedy, str) else READ_LOGS,
    )


def dead_agents_of(beat: Heartbeat) -> tuple[DeadAgent, ...]:
    """The dead agents that a router's heartbeat names."""
    told = beat.details.get(DEAD_DETAIL)
    found = map(parse_dead_agent, told) if isinstance(told, list) else ()
    return tuple(one for one in found if one is not None)


def dead_without_turn(agent: str) -> DeadAgent:
    """An agent without a turn, or with aborted ones only, though it had the time for some."""
    return DeadAgent(agent, NO_TURN, 0)


def dead_with_process(agents: Iterable[str], words: str) -> tuple[DeadAgent, ...]:
    """The agents of a process that was given up.

    Args:
        agents: Their names.
        words: Why it was given up.
    """
    known = UNKNOWN_TOOL_WORDS in words
    code = Cause.UNKNOWN_TOOL if known else ""
    remedy = REMEDIES.get(code, "read the log of the process")
    return tuple(
        DeadAgent(agent, cause_line(words), 0, code=code, remedy=remedy) for agent in agents
    )


def short_cause(cause: str, chars: int) -> str:
    """A cause for a narrow place: without the address it begins with, and cut between words."""
    bare = _ADDRESS.sub("", cause)
    if len(bare) <= chars:
        return bare
    cut = bare[: chars - 1]
    words = cut.rpartition(" ")[0] if bare[chars - 1].isalnum() else cut
    return f"{words if 2 * len(words) > chars else cut}…"


def cause_line(words: str) -> str:
    """A cause on one line, cut at `CAUSE_CHARS_MAX`; nothing in it acts on a terminal."""
    return visible_line(words, CAUSE_CHARS_MAX)
