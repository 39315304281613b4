"""A scenario in which turns of some agents fail, as with a wrong key or a dead server."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from arena.messages import OrderDecided, Turn, TurnStarted
from tests.dashboard.scenario import Scenario

WRONG_KEY = "401: Incorrect API key provided: sk-wr***ng"
ALWAYS = range(10_000)


@dataclass
class FailingScenario(Scenario):
    """A scenario in which some agents' turns fail.

    Attributes:
        fails: Agent -> the numbers of its turns that give no decision.
        cause: Cause of the failures.
        error: Error of the failed turns.
    """

    fails: Mapping[str, range] = field(default_factory=dict)
    cause: str = "auth"
    error: str = WRONG_KEY

    def end_turn(
        self, started: TurnStarted, order: OrderDecided | None, words: str, **changes: object
    ) -> Turn:
        """Write a failed turn if it is to fail, else the turn."""
        if self.snapshots - 1 not in self.fails.get(started.agent, ()):
            return super().end_turn(started, order, words, **changes)
        failed: dict[str, object] = {
            "outcome": "failed",
            "cause": self.cause,
            "error": self.error,
            "rounds": (),
        }
        return super().end_turn(started, None, "", **failed)

    def _decide(self, agent: str, strategy: str) -> OrderDecided | None:
        failing = self.snapshots - 1 in self.fails.get(agent, ())
        return None if failing else super()._decide(agent, strategy)
