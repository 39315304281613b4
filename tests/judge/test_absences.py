"""An agent that an operator removed keeps its account, and the season names its absence."""

from dataclasses import dataclass

import pytest

from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records

SNAPSHOTS = 40


@dataclass
class Leaving(Scenario):
    """A scenario that "momentum" leaves at one snapshot and joins again at another.

    Attributes:
        left, back: Numbers of those snapshots.
    """

    left: int = SNAPSHOTS
    back: int = SNAPSHOTS

    def step(self) -> None:
        """Publish one snapshot and the decisions of the agents that are present."""
        everybody = self.agents
        if self.left <= self.snapshots < self.back:
            self.agents = tuple(one for one in everybody if one[0] != "momentum")
        super().step()
        self.agents = everybody


@pytest.mark.parametrize(
    ("left", "back", "noted"),
    [(20, SNAPSHOTS, True), (20, 30, False), (38, SNAPSHOTS, False), (SNAPSHOTS, SNAPSHOTS, False)],
)
def test_a_long_absence_is_in_the_assumptions(left: int, back: int, noted: bool) -> None:
    """Only a long absence is named, and only of the agent that was absent."""
    scenario = Leaving(left=left, back=back).run(SNAPSHOTS)
    builder = fold_records(scenario.records)
    season = builder.season()

    notes = [note for note in season.assumptions.notes if "has had no turn" in note]
    assert noted == bool(notes)
    assert all(note.startswith("momentum has had no turn in the last 20 of 40") for note in notes)
    assert "momentum" in season.names
