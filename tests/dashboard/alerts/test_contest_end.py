"""When a contest has ended: complete, without a judge, or stopped early."""

from datetime import timedelta

from arena import topics
from arena.messages import Evaluation
from tests.dashboard.alerts.situations import alerts_of, limits
from tests.dashboard.scenario import Scenario

ENDED = limits("contest-ended")
SOON = timedelta(seconds=1)
LATER = timedelta(seconds=61)


def contest(planned: int, steps: int) -> Scenario:
    """A contest of so many planned snapshots after so many."""
    return Scenario(planned=planned).run(steps)


def evaluate(scenario: Scenario, snapshots: int, *, interim: bool) -> None:
    """Write an evaluation of the judge."""
    found = Evaluation(
        evaluation_id="x", snapshot_id="x", snapshots=snapshots, as_of=None, interval_s=60,
        confidence=0.9, seed=1, resamples=1, hold_return=None, detectable=None, interim=interim,
        verdict="momentum beats random <b>", rows=(),
    )  # fmt: skip
    scenario.write(topics.EVALUATIONS.name, found)


def test_arena_without_a_plan_never_ends() -> None:
    """`arena up` without a contest has no end to report."""
    scenario = Scenario().run(3)
    scenario.beat("connector", "coinbase", status="stopping")

    assert [] == alerts_of(scenario.records, scenario.wall + LATER, ENDED, stopping=True)


def test_contest_ends_with_the_final_evaluation() -> None:
    """While a judge lives, its final evaluation is awaited; the alert has its verdict."""
    scenario = contest(3, 3)
    scenario.beat("judge", "judge")
    evaluate(scenario, 2, interim=True)
    waiting = alerts_of(scenario.records, scenario.wall + SOON, ENDED)
    evaluate(scenario, 3, interim=False)

    (found,) = alerts_of(scenario.records, scenario.wall + SOON, ENDED)

    assert [] == waiting
    assert "contest-ended@3" == found.key
    assert "the contest has ended: 3 of 3 snapshots; momentum beats random ‹b›" == found.text
    assert found.is_now


def test_contest_without_a_judge_ends_with_the_last_turns() -> None:
    """Every agent has decided on the last snapshot, or had a minute for it."""
    scenario = contest(3, 2)
    running = alerts_of(scenario.records, scenario.wall + SOON, ENDED)
    scenario.advance(60)
    scenario.snapshot()
    undecided = alerts_of(scenario.records, scenario.wall + SOON, ENDED)
    late = alerts_of(scenario.records, scenario.wall + LATER, ENDED)
    for agent, _, _ in scenario.agents:
        scenario.end_turn(scenario.begin_turn(agent), None, "hold")

    (found,) = alerts_of(scenario.records, scenario.wall + SOON, ENDED)

    assert [] == running == undecided
    assert ["contest-ended@3"] == [one.key for one in late] == [found.key]
    assert "has the most equity" in found.text


def test_contest_that_ended_long_ago_is_old() -> None:
    """A process that starts later does not report it."""
    scenario = contest(2, 2)

    (found,) = alerts_of(scenario.records, scenario.wall + LATER, ENDED)

    assert not found.is_now


def test_contest_that_was_stopped_is_reported_with_its_length() -> None:
    """Its connectors have stopped for a minute, or this process is stopped with them."""
    scenario = contest(9, 4)
    scenario.beat("connector", "coinbase", status="stopping")

    assert [] == alerts_of(scenario.records, scenario.wall + SOON, ENDED)
    stopped = alerts_of(scenario.records, scenario.wall + SOON, ENDED, stopping=True)
    later = alerts_of(scenario.records, scenario.wall + LATER, ENDED)
    assert stopped == later
    assert ["the contest was stopped after 4 of 9 snapshots"] == [one.text for one in later]
