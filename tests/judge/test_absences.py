"""An agent that was taken out keeps its account: the season says that it does not play."""

from dataclasses import dataclass

import pytest

from judge.season import SeasonBuilder
from tests.dashboard.scenario import Scenario

SNAPSHOTS = 40


@dataclass
class Leaving(Scenario):
    """A scenario that "momentum" leaves at a snapshot, and joins again at another.

    Attributes:
        left, back: Numbers of those snapshots.
    """

    left: int = SNAPSHOTS
    back: int = SNAPSHOTS

    def step(self) -> None:
        """One snapshot, with the agents that are there."""
        everybody = self.agents
        if self.left <= self.snapshots < self.back:
            self.agents = tuple(one for one in everybody if one[0] != "momentum")
        super().step()
        self.agents = everybody


@pytest.mark.parametrize(
    ("left", "back", "said"),
    [(20, SNAPSHOTS, True), (20, 30, False), (38, SNAPSHOTS, False), (SNAPSHOTS, SNAPSHOTS, False)],
)
def test_an_agent_that_left_is_named(left: int, back: int, said: bool) -> None:
    """Only while it is away for long; the others are not."""
    scenario = Leaving(left=left, back=back).run(SNAPSHOTS)
    builder = SeasonBuilder()
    for record in scenario.records:
        builder.apply(record)
    season = builder.season()

    notes = [note for note in season.assumptions.notes if "has had no turn" in note]
    assert said == bool(notes)
    assert all(note.startswith("momentum has had no turn in the last 20 of 40") for note in notes)
    assert "momentum" in season.names
