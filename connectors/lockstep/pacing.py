"""Whom the last snapshot waits for, and how long. Pure.

An agent of cadence n answers a snapshot and then the n-th after it; it is due at snapshot k where
it has answered none yet, or where k is at least n behind the last that it answered. An agent that
was away and answers an old snapshot late is due by that one: routers count the same way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

TURN_GRACE_S: Final = 5.0
"""Beyond the deadline: a turn that ends with its own deadline is yet to be written and read."""
OTHERS_MAX: Final = 1_000
"""More names are not kept: they only help to find a misspelt one."""


class Verdict(Enum):
    """What to do about the last snapshot."""

    WAIT = "wait"
    ANSWERED = "answered"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Missing:
    """Agents that are not there yet.

    Attributes:
        unlisted: Not on the roster. penniless: without an account.
    """

    unlisted: tuple[str, ...]
    penniless: tuple[str, ...]

    def __bool__(self) -> bool:
        """True where somebody is missing."""
        return bool(self.unlisted or self.penniless)


class Pacer:
    """Follows what the agents say.

    Args:
        agents: Names; what others say is passed over.
        deadline_s: Seconds an agent has for its turn.

    Attributes:
        cadences: Agent -> cadence, for those on the roster.
        others: Agents on the roster that are not waited for, at most `OTHERS_MAX`.
    """

    def __init__(self, agents: Iterable[str], *, deadline_s: float) -> None:
        """Nobody is there yet, nothing is published."""
        self.agents = tuple(dict.fromkeys(agents))
        self.cadences: dict[str, int] = {}
        self.others: set[str] = set()
        self._deadline_s = deadline_s
        self._accounts: set[str] = set()
        self._last: dict[str, int] = {}
        self._index = -1
        self._until_s = 0.0

    def listed(self, agent: str, cadence: int) -> None:
        """An agent is on the roster."""
        if agent in self.agents:
            self.cadences[agent] = max(1, cadence)
        elif len(self.others) < OTHERS_MAX:
            self.others.add(agent)

    def opened(self, agent: str) -> None:
        """An agent has its account."""
        self._accounts.add(agent)

    def answered(self, agent: str, index: int) -> bool:
        """An agent has ended a turn on a snapshot; False where that is no news."""
        if agent not in self.agents or index <= self._last.get(agent, -1):
            return False
        self._last[agent] = index
        return True

    @property
    def newest_answered(self) -> int:
        """Number of the newest snapshot that an agent has answered; -1 before the first."""
        return max(self._last.values(), default=-1)

    @property
    def missing(self) -> Missing:
        """Who is not there yet."""
        return Missing(
            tuple(agent for agent in self.agents if agent not in self.cadences),
            tuple(agent for agent in self.agents if agent not in self._accounts),
        )

    def published(self, index: int, now_s: float) -> None:
        """A snapshot was published, or found as published.

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

    def verdict(self, now_s: float) -> Verdict:
        """What to do about the last snapshot at a monotonic time."""
        if not self.waiting:
            return Verdict.ANSWERED
        return Verdict.LATE if now_s >= self._until_s else Verdict.WAIT

    def left_s(self, now_s: float) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._until_s - now_s)

    def _is_due(self, agent: str) -> bool:
        last = self._last.get(agent)
        return last is None or self._index - last >= self.cadences.get(agent, 1)
