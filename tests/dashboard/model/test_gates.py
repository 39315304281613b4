"""The read model knows when agents are asked, also from a checkpoint."""

from decimal import Decimal

from arena import topics
from arena.fold_checkpoint import FoldPositions
from arena.messages import AgentSpec, Gates, SkippedSnapshots
from dashboard.model import recent_turns
from dashboard.model.agent_results import agent_standing
from dashboard.model.frame import build_frame
from dashboard.model.results import GatesResult
from dashboard.model.view import ArenaView
from dashboard.model.view_checkpoint import pack_view, unpack_view
from tests.dashboard.scenario import Scenario


def quiet_arena() -> Scenario:
    """An agent with two turns of which each missed a snapshot, and three records of skipped ones.

    The last record is a copy.
    """
    scenario = Scenario(agents=(("quiet", "momentum", "agent"),))
    spec = AgentSpec(
        agent="quiet",
        strategy="momentum",
        node="rules",
        gates=Gates(every_s=300),
        joined_at=scenario.wall,
    )
    scenario.write(topics.ROSTER.name, spec, "agent/quiet")
    scenario.run(1)
    for first, last, counts in ((1, 4, {"every": 3, "busy": 1}), (6, 9, {"every": 4})):
        scenario.run(1)
        scenario.end_turn(scenario.begin_turn("quiet"), None, "again", skipped_snapshots=1)
        assert scenario.newest is not None
        record = SkippedSnapshots(
            agent="quiet",
            first_offset=first,
            snapshot_offset=last,
            as_of=scenario.newest.as_of,
            counts=counts,
        )
        scenario.write(topics.TURNS.name, record, "quiet")
    scenario.write(topics.TURNS.name, record, "quiet")
    return scenario


def view_of(scenario: Scenario) -> ArenaView:
    """The view of all records."""
    view = ArenaView()
    for record in scenario.records:
        view.apply(record)
    return view


def gates_of_quiet(view: ArenaView) -> GatesResult:
    """The result of the agent."""
    (row,) = build_frame(view, Scenario().wall).ranking
    return agent_standing(row).gates


def test_gates_are_counted_once_and_kept_in_a_checkpoint() -> None:
    """Settings, turns, reasons and the estimate; a copy of a record changes nothing."""
    view = view_of(quiet_arena())
    found = gates_of_quiet(view)
    packed = pack_view(view, FoldPositions())
    assert packed is not None
    restored, _ = unpack_view(packed)
    restored.roster = view.roster

    assert ("every 5m", 3, {"busy": 2, "every": 7}) == (found.settings, found.asked, found.skipped)
    assert Decimal(0) == found.usd_saved_estimate
    assert found.calls_saved_estimate >= 7
    assert found == gates_of_quiet(restored)


def test_records_leave_the_window() -> None:
    """What is older than the kept records does not count any more."""
    turns = recent_turns.RecentTurns()
    record = SkippedSnapshots(
        agent="a", first_offset=1, snapshot_offset=1, as_of=Scenario().wall, counts={"every": 1}
    )
    turns.skipped(0, 5, record)
    assert {"every": 1} == dict(turns.agents["a"].gates("off").skipped)
    turns.advance(0, 5 + recent_turns.TURNS_WINDOW)

    assert {} == turns.agents
