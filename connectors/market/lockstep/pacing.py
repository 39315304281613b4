"""Which agents the last snapshot waits for, and how long. Pure.

An agent of cadence n answers a snapshot and then the n-th after it; it is due at snapshot k if it
has answered none yet, or if k is at least n after the last that it answered. If an agent was away
and answers an old snapshot late, that answer counts as its last: routers count the same way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

TURN_GRACE_S: Final = 5.0
"""Wait after the deadline: a turn that ends at the deadline is still to be written and read."""
OTHERS_MAX: Final = 1_000
"""Most names of other agents that are kept: they only help to find a misspelt one."""


class WaitState(Enum):
    """Whether the last snapshot still waits for turns."""

    WAIT = "wait"
    ANSWERED = "answered"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class MissingAgents:
    """Agents that are not ready yet.

    Attributes:
        unlisted: Agents that are not on the roster.
        without_account: Agents without an account.
    """

    unlisted: tuple[str, ...]
    without_account: tuple[str, ...]

    def __bool__(self) -> bool:
        """True if an agent is missing."""
        return bool(self.unlisted or self.without_account)


class Pacer:
    """Decides when the next snapshot may be published.

    Args:
        agents: Names of the agents to wait for; answers of others are ignored.
        deadline_s: Seconds an agent has for its turn.

    Attributes:
        cadences: Agent -> cadence, for those on the roster.
        others: Agents on the roster that are not waited for, at most `OTHERS_MAX`.
    """

    def __init__(self, agents: Iterable[str], *, deadline_s: float) -> None:
        """Start without a published snapshot; every agent is missing."""
        self.agents = tuple(dict.fromkeys(agents))
        self.cadences: dict[str, int] = {}
        self.others: set[str] = set()
        self._deadline_s = deadline_s
        self._accounts: set[str] = set()
        self._last: dict[str, int] = {}
        self._index = -1
        self._until_s = 0.0

    def add_listed(self, agent: str, cadence: int) -> None:
        """Note that an agent is on the roster."""
        if agent in self.agents:
            self.cadences[agent] = max(1, cadence)
        elif len(self.others) < OTHERS_MAX:
            self.others.add(agent)

    def add_account(self, agent: str) -> None:
        """Note that an agent has an account."""
        self._accounts.add(agent)

    def add_answer(self, agent: str, index: int) -> bool:
        """Note that an agent has ended a turn on a snapshot; return False if it changes nothing."""
        if agent not in self.agents or index <= self._last.get(agent, -1):
            return False
        self._last[agent] = index
        return True

    @property
    def newest_answered(self) -> int:
        """Number of the newest snapshot that an agent has answered; -1 before the first."""
        return max(self._last.values(), default=-1)

    @property
    def missing(self) -> MissingAgents:
        """Agents that are not ready yet."""
        return MissingAgents(
            tuple(agent for agent in self.agents if agent not in self.cadences),
            tuple(agent for agent in self.agents if agent not in self._accounts),
        )

    def start_wait(self, index: int, now_s: float) -> None:
        """Wait for the turns on a snapshot that was published now or by an earlier run.

        Args:
            index: Its number.
            now_s: Monotonic seconds; the deadline counts from here.
        """
        self._index = index
        self._until_s = now_s + self._deadline_s + TURN_GRACE_S

    @property
    def waiting(self) -> tuple[str, ...]:
        """Agents that are due and have not answered."""
        return tuple(agent for agent in self.agents if self._is_due(agent))

    def wait_state(self, now_s: float) -> WaitState:
        """Whether the last snapshot still waits for turns at a monotonic time."""
        if not self.waiting:
            return WaitState.ANSWERED
        return WaitState.LATE if now_s >= self._until_s else WaitState.WAIT

    def left_s(self, now_s: float) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._until_s - now_s)

    def _is_due(self, agent: str) -> bool:
        last = self._last.get(agent)
        return last is None or self._index - last >= self.cadences.get(agent, 1)
