"""The words of agents' owners: preferences and feedback. Pure.

Preferences are records of `arena.control` under keys of their own, "prefer/<agent>": the newest of
an agent counts. Feedback is in `agent.feedback`, keyed by the agent, and is for the agent or for
the judge. Feedback to an agent waits until a turn that ended with a decision showed it. A turn
shows the oldest feedback that waits, so what was used is always what came first.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from arena.bus.base import Record
from arena.messages import Feedback, Preferences

PREFER_KEY: Final = "prefer/"
EVALUATE_KEY: Final = "evaluate/"
COACHING_KEYS: Final = (PREFER_KEY, EVALUATE_KEY)
"""How the keys in `arena.control` begin that neither halt nor limit an agent."""
WAITING_MAX = 100
"""Most feedback of an agent that waits; more is refused before it is sent."""
KEPT_MAX = 1_000
"""Most feedback that is kept per agent; the oldest is forgotten."""


def is_coaching_key(key: bytes | None) -> bool:
    """True for the keys of preferences and of requests for evaluations."""
    return (key or b"").startswith(tuple(start.encode() for start in COACHING_KEYS))


def preferences_key(agent: str) -> str:
    """The key of an agent's preferences in `arena.control`."""
    return PREFER_KEY + agent


def evaluation_key(agent: str) -> str:
    """The key of a request to evaluate an agent, in `arena.control`."""
    return EVALUATE_KEY + agent


class KeptFeedback(NamedTuple):
    """Feedback, and its place in `agent.feedback`."""

    feedback: Feedback
    partition: int
    offset: int

    @property
    def feedback_id(self) -> str:
        """Its id."""
        return self.feedback.feedback_id


@dataclass(slots=True)
class OwnerBook:
    """Preferences and feedback of all agents.

    Attributes:
        preferences: Agent -> its owner's newest preferences.
        feedback: Agent -> feedback to it, oldest first.
        to_judge: Agent -> feedback to the judge about it, oldest first.
    """

    preferences: dict[str, Preferences] = field(default_factory=dict)
    feedback: dict[str, dict[str, KeptFeedback]] = field(default_factory=dict)
    to_judge: dict[str, dict[str, KeptFeedback]] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Fold a record of `arena.control` or `agent.feedback`; others change nothing.

        Feedback that is sent twice counts once.
        """
        message = record.message_or_none()
        if isinstance(message, Preferences):
            if record.key_text == preferences_key(message.agent):
                self.preferences[message.agent] = message
        elif isinstance(message, Feedback) and record.key_text == message.agent:
            kept = self.to_judge if message.to == "judge" else self.feedback
            own = kept.setdefault(message.agent, {})
            found = KeptFeedback(message, record.partition, record.offset)
            own.setdefault(message.feedback_id, found)
            if len(own) > KEPT_MAX:
                del own[next(iter(own))]

    def waiting(
        self, agent: str, used_to: int = 0, used: Collection[str] = ()
    ) -> tuple[KeptFeedback, ...]:
        """Feedback to an agent that no turn has used, oldest first.

        Args:
            agent: The agent.
            used_to: Everything before this offset was used.
            used: Ids that were used since.
        """
        own = self.feedback.get(agent, {}).values()
        return tuple(one for one in own if one.offset >= used_to and one.feedback_id not in used)
