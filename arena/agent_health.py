"""Folds the turns of agents into their health: which agents are alive, which are dead. Pure.

A turn is a decision if the model gave a usable answer: text, or at least one tool call that was
carried out. An agent is dead

* at once if its last turn failed for a cause that does not pass by itself (`LASTING_CAUSES`);
* after `DEAD_TURNS` turns in a row without a decision;
* if it had turns and none was a decision, at the end of a run: the judge does not rank an agent
  that never decided.

A turn that was aborted because a process stopped does not count. An agent that decides again is
alive again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from arena.messages import LASTING_CAUSES, Cause, Heartbeat, Turn
from arena.visible_text import one_line as visible_line

DEAD_TURNS = 5
"""Turns in a row without a decision after which an agent is dead."""
CAUSE_CHARS_MAX = 400
"""Bound of a cause's text."""
DEAD_DETAIL = "dead"
"""The detail of a router's heartbeat that lists its dead agents."""
NO_TURN = "no turn ran to its end"
UNKNOWN_TOOL_WORDS = "no tools process offers"
"""Part of a router's error about an unknown tool, by which `dead_with_process` finds the cause."""

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
"""`Cause` -> remedy for an agent that is dead for this cause."""
_ADDRESS = re.compile(r"^https?://\S+ (answer(?:ed|s) )?")
READ_LOGS = "read the logs of its router and its chat node"


def is_decision(turn: Turn) -> bool:
    """True if a turn contains a decision of the model.

    A decision is text, a call that was carried out, or an order that the trading rules refused. A
    turn that ended at its last round without any of these has a cause. The judge uses this test for
    every turn, so a failure is never counted as a hold.
    """
    if turn.outcome == "completed" or (turn.outcome == "max_rounds" and not turn.cause):
        return True
    return any(ok for one in turn.rounds for ok in one.tools_ok)


@dataclass(frozen=True, slots=True)
class DeadAgent:
    """A dead agent.

    Attributes:
        cause: The cause as text.
        turns: Turns without a decision, in a row up to the newest.
        code: The `Cause`, for programs; "" if unknown.
        remedy: What to do about it.
    """

    agent: str
    cause: str
    turns: int
    code: str = ""
    remedy: str = READ_LOGS

    def document(self) -> dict[str, JsonValue]:
        """The agent as JSON; keys are only ever added."""
        return {
            "agent": self.agent,
            "cause": self.cause,
            "turns": self.turns,
            "code": self.code,
            "remedy": self.remedy,
        }


@dataclass(slots=True)
class AgentHealth:
    """The health of one agent.

    Attributes:
        turns: Number of ended turns, without aborted ones.
        decisions: Number of turns with a decision.
        failed_run: Turns without a decision, in a row up to the newest.
        cause: `Cause` of the newest failure.
        error: Text of the newest failure.
    """

    agent: str
    turns: int = 0
    decisions: int = 0
    failed_run: int = 0
    cause: str = ""
    error: str = ""

    def apply(self, turn: Turn) -> None:
        """Fold one ended turn; the caller leaves out duplicate records of a turn."""
        self.note(turn.outcome, is_decision(turn), turn.cause, turn.error)

    def note(self, outcome: str, decided: bool, cause: str, error: str) -> None:
        """Fold one ended turn by its outcome, cause and error."""
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
        """True if it had turns and none was a decision."""
        return self.turns > 0 and not self.decisions

    def dead(self) -> DeadAgent:
        """The agent's entry in the list of dead agents."""
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
        """The health of an agent; empty for a new one."""
        return self.agents.setdefault(agent, AgentHealth(agent))

    def dead(self) -> tuple[DeadAgent, ...]:
        """Dead agents, by name."""
        found = (vital for _, vital in sorted(self.agents.items()))
        return tuple(vital.dead() for vital in found if vital.is_dead)

    def dead_at_end(self) -> tuple[DeadAgent, ...]:
        """Dead agents by name at the end of a run, including those that never decided."""
        found = (vital for _, vital in sorted(self.agents.items()))
        return tuple(v.dead() for v in found if v.is_dead or v.never_decided)


def parse_dead_agent(document: JsonValue) -> DeadAgent | None:
    """Parse a `DeadAgent.document`; None if it is malformed."""
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
    """Dead agents listed in a router's heartbeat."""
    listed = beat.details.get(DEAD_DETAIL)
    found = map(parse_dead_agent, listed) if isinstance(listed, list) else ()
    return tuple(one for one in found if one is not None)


def dead_without_turn(agent: str) -> DeadAgent:
    """The entry of an agent that had time for turns, and has none or only aborted ones."""
    return DeadAgent(agent, NO_TURN, 0)


def dead_with_process(agents: Iterable[str], words: str) -> tuple[DeadAgent, ...]:
    """The entries of the agents of a process that the supervisor stopped restarting.

    Args:
        agents: Names of the agents.
        words: Why the process was given up.
    """
    known = UNKNOWN_TOOL_WORDS in words
    code = Cause.UNKNOWN_TOOL if known else ""
    remedy = REMEDIES.get(code, "read the log of the process")
    return tuple(
        DeadAgent(agent, cause_line(words), 0, code=code, remedy=remedy) for agent in agents
    )


def short_cause(cause: str, chars: int) -> str:
    """A cause for a narrow column: without the leading address, cut between words."""
    bare = _ADDRESS.sub("", cause)
    if len(bare) <= chars:
        return bare
    cut = bare[: chars - 1]
    words = cut.rpartition(" ")[0] if bare[chars - 1].isalnum() else cut
    return f"{words if 2 * len(words) > chars else cut}…"


def cause_line(words: str) -> str:
    """A cause on one line, cut at `CAUSE_CHARS_MAX`, with control characters escaped."""
    return visible_line(words, CAUSE_CHARS_MAX)
