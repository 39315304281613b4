"""A snapshot on which a gate held an agent back is not a missed turn."""

from dataclasses import replace
from decimal import Decimal

import pytest

from arena import topics
from arena.fold_checkpoint import FoldPositions
from arena.gate_counts import GateFigures, GateFold, skipped_by_reason
from arena.messages import AgentSpec, Gates, SkippedSnapshots
from judge.evaluations.check_fold import TurnChecks
from judge.report.page import markdown
from judge.schedule import newest_due
from judge.season.absences import QUIET_SNAPSHOTS, absences, left_index
from judge.season.checkpoint_format import SeasonPacker, read_head, restore
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import fold_records
from tests.judge.test_dead_entries import facts_of
from tests.judge.test_entrants import DECISION, POINT

GATES = Gates(every_s=3_000)


def gated(steps: int, *, away: range = range(0), one_by_one: bool = True) -> Scenario:
    """An agent that is asked on the first snapshot only, beside one without gates."""
    scenario = Scenario(agents=(("open", "momentum", "agent"), ("quiet", "scalper", "agent")))
    spec = AgentSpec(
        agent="quiet", strategy="scalper", node="rules", gates=GATES, joined_at=scenario.wall
    )
    scenario.write(topics.ROSTER.name, spec, "agent/quiet")
    scenario.step()
    scenario.agents = scenario.agents[:1]
    first = 1
    for number in range(1, steps):
        scenario.step()
        if number in away:
            continue
        if one_by_one or number == steps - 1:
            skip(scenario, first, number, away)
            first = number + 1
    return scenario


def skip(scenario: Scenario, first: int, last: int, away: range) -> None:
    """Write that the agent was not asked on snapshots, and missed those of `away`."""
    assert scenario.newest is not None
    missed = sum(number in away for number in range(first, last + 1))
    counts = {"every": last - first + 1 - missed, "unrecorded": missed}
    record = SkippedSnapshots(
        agent="quiet",
        first_offset=first,
        snapshot_offset=last,
        snapshot_id=scenario.newest.snapshot_id,
        as_of=scenario.newest.as_of,
        counts={reason: count for reason, count in counts.items() if count},
    )
    scenario.write(topics.TURNS.name, record, "quiet")
    scenario.write(topics.TURNS.name, record, "quiet")


@pytest.mark.parametrize("one_by_one", [True, False])
def test_quiet_agent_has_not_left(one_by_one: bool) -> None:
    """It is ranked, and its figures count each snapshot once, however it was recorded."""
    season = fold_records(gated(100, one_by_one=one_by_one).records).season()
    entry, figures = season.entries[1], season.gates[1]

    assert ("quiet", None, ()) == (entry.name, entry.left, entry.away)
    assert ("every 50m", 1, {"every": 99}) == (figures.gates, figures.asked, figures.skipped)
    assert ("off", 100, {}) == (
        season.gates[0].gates,
        season.gates[0].asked,
        season.gates[0].skipped,
    )
    assert () == season.dead


def test_agent_whose_router_stops_has_left() -> None:
    """Without records for longer than a gated agent may have none, it does not play any more."""
    scenario = gated(30)
    scenario.run(QUIET_SNAPSHOTS)
    (_, quiet) = fold_records(scenario.records).season().entries

    assert ("quiet", 30) == (quiet.name, quiet.left)


def test_unrecorded_snapshots_are_an_absence() -> None:
    """Its router was away for them, unlike for the others."""
    season = fold_records(gated(200, away=range(20, 120)).records).season()

    assert ((20, 120),) == season.entries[1].away
    assert {"every": 99, "unrecorded": 100} == season.gates[1].skipped


def test_report_says_what_gates_saved_and_where_they_were_off() -> None:
    """A row per entry: turns, snapshots that a gate skipped, the estimate, reasons, settings."""
    page = markdown(facts_of(gated(40)))
    section = page.partition("## When entries were asked")[2].partition("## ")[0]
    (quiet,) = [line for line in section.splitlines() if line.startswith("| quiet")]
    (opened,) = [line for line in section.splitlines() if line.startswith("| open")]

    assert "Gates were on for 1 of 2 entries and saved about" in section
    assert ["1", "39"] == [cell.strip() for cell in quiet.split("|")[2:4]]
    assert quiet.endswith("| every 39 | every 50m |")
    assert opened.endswith("| – | – | none | off |")
    ungated = Scenario(agents=(("open", "momentum", "agent"),)).run(5)
    assert "Gates: off." in markdown(facts_of(ungated))


def test_evaluation_does_not_wait_for_a_gated_agent() -> None:
    """A record that it is skipped settles a snapshot like a turn."""
    assert newest_due(fold_records(gated(6).records)) == 5


def test_checkpoint_keeps_what_was_skipped() -> None:
    """A restarted judge has the same figures."""
    scenario = gated(40, away=range(5, 9))
    builder = fold_records(scenario.records)
    expected = builder.season()
    packed = SeasonPacker().pack(builder, FoldPositions(), TurnChecks())
    assert packed is not None
    restored = restore(read_head(packed.head), [packed.segment])[0]
    restored.folds.roster = builder.folds.roster

    assert restored.season().gates == expected.gates
    assert restored.season().entries == expected.entries


def test_turns_and_skipped_snapshots_of_a_gated_agent_merge() -> None:
    """Pauses are those between the spans of both."""
    points = [replace(POINT) for _ in range(200)]
    decisions = [replace(DECISION, index=n) for n in (0, 10, 150)]

    assert absences(decisions, 1, points, [(1, 9), (11, 60), (151, 199)]) == ((61, 150),)
    assert left_index(decisions, 1, points, [(1, 9), (11, 60), (151, 199)]) is None
    assert left_index(decisions[:2], 1, points, [(1, 9), (11, 60)]) == 61


def test_missed_snapshots_of_agents_without_records() -> None:
    """Turns of agents without gates, and of older versions, say only how many they missed."""
    assert {"busy": 7} == skipped_by_reason({}, 7)
    assert {"busy": 4, "every": 2, "unrecorded": 3} == skipped_by_reason(
        {"every": 2, "unrecorded": 3}, 7
    )
    assert {"every": 2} == skipped_by_reason({"every": 2}, 0)


def test_savings_are_the_mean_turn_times_the_skipped_snapshots() -> None:
    """Snapshots that no gate held back save nothing; an unknown price stays unknown."""
    figures = GateFigures("every 1m", 4, {"every": 10, "busy": 5}, 8, Decimal("0.02"))

    assert (10, 20.0, Decimal("0.05")) == (
        figures.held_back,
        figures.calls_saved,
        figures.usd_saved,
    )
    assert "about 20 calls, $0.05" == figures.saved_text
    assert replace(figures, cost_usd=None).usd_saved is None
    assert "" == GateFigures().saved_text
    assert Decimal(0) == GateFold().figures("off").usd_saved
