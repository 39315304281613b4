"""When an agent is due, and the trend of its scores."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.durations import FIRST, LAST
from arena.messages import AgentEvaluation
from judge.evaluations.cadence import (
    CALM_AFTER_S,
    LEAST_S,
    asked_time,
    chosen_index,
    due_time,
    earliest_after,
    next_after_s,
    trend_of,
)

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class At:
    """Something at a venue time."""

    as_of: datetime


def at(*minutes: float) -> list[At]:
    """Things at minutes after the start."""
    return [At(START + timedelta(minutes=one)) for one in minutes]


def evaluated(minute: float, overall: float | None, name: str = "e") -> AgentEvaluation:
    """An evaluation at a minute."""
    as_of = START + timedelta(minutes=minute)
    return AgentEvaluation(
        evaluation_id=name,
        agent="alfa",
        snapshot_id="s",
        as_of=as_of,
        cause="cadence",
        window_s=600,
        turns=3,
        overall=overall,
        dimensions={},
        next_at=as_of + timedelta(seconds=next_after_s(overall)),
    )


@pytest.mark.parametrize(
    ("overall", "seconds"),
    [(None, 600), (0, 300), (39.99, 300), (40, 600), (60, 1200), (79.99, 1200), (80, CALM_AFTER_S)],
)
def test_a_bad_score_is_looked_at_sooner(overall: float | None, seconds: float) -> None:
    """5, 10, 20 and 40 minutes."""
    assert next_after_s(overall) == seconds
    assert next_after_s(overall) >= LEAST_S


def test_the_first_evaluation_waits_for_time_and_turns() -> None:
    """Ten minutes after the first turn, with three turns."""
    assert due_time([], None, 600) is None
    assert due_time(at(0, 1), None, 600) is None
    assert due_time(at(0, 1, 2), None, 600) == START + timedelta(minutes=10)
    assert due_time(at(0, 20, 40), None, 600) == START + timedelta(minutes=40)


def test_the_next_evaluation_waits_for_its_time_and_for_new_turns() -> None:
    """An agent without three new turns is not due."""
    last = evaluated(10, 30.0)
    assert due_time(at(0, 5, 10, 11, 12), last, 600) is None
    assert due_time(at(0, 5, 10, 11, 12, 13), last, 600) == START + timedelta(minutes=15)
    assert due_time(at(0, 5, 10, 11, 12, 40), last, 600) == START + timedelta(minutes=40)


def test_what_is_asked_for_waits_for_the_least_distance() -> None:
    """One new turn is enough; five minutes have to pass."""
    assert asked_time([], None) is None
    assert asked_time(at(3), None) == START + timedelta(minutes=3)
    assert asked_time(at(3), evaluated(3, 50)) is None
    assert asked_time(at(3, 4), evaluated(3, 50)) == START + timedelta(minutes=8)


def test_a_judge_takes_the_first_due_snapshot_or_the_newest_after_a_long_absence() -> None:
    """Judges that lag by seconds choose the same; one that lags by hours makes one evaluation."""
    snapshots = at(*range(200))
    due = START + timedelta(minutes=10)
    assert chosen_index(snapshots, due, 9) is None
    assert {10} == {chosen_index(snapshots, due, settled) for settled in range(10, 16)}
    assert {150} == {chosen_index(snapshots, due, settled) for settled in range(150, 155)}
    assert chosen_index(snapshots, due, -1) is None
    assert chosen_index([], due, 0) is None


@given(
    st.lists(st.floats(0.1, 30), min_size=1, max_size=80),
    st.lists(st.one_of(st.none(), st.floats(0, 100)), min_size=1, max_size=30),
)
def test_evaluations_keep_their_distance_whatever_the_scores(
    gaps: list[float], scores: list[float | None]
) -> None:
    """Snapshots at any times, a turn on each: never closer than five minutes, in order."""
    minutes, total = [], 0.0
    for gap in gaps:
        total += gap
        minutes.append(total)
    snapshots = at(*minutes)
    made: list[AgentEvaluation] = []
    for settled in range(len(snapshots)):
        turns = snapshots[: settled + 1]
        due = due_time(turns, made[-1] if made else None, 600)
        index = None if due is None else chosen_index(snapshots, due, settled)
        if index is not None:
            score = scores[len(made) % len(scores)]
            made.append(evaluated((snapshots[index].as_of - START).total_seconds() / 60, score))
    times = [one.as_of for one in made]
    assert all((b - a).total_seconds() >= LEAST_S - 1e-3 for a, b in pairwise(times))


def test_trend_is_against_the_mean_of_three() -> None:
    """Five points; evaluations without a score do not count."""
    earlier = [
        evaluated(n, score, f"e{n}") for n, score in enumerate((10.0, 50.0, 60.0, None, 70.0))
    ]
    found = trend_of(65.0, earlier)
    assert (found.trend, found.change, found.compared) == ("improving", 5.0, ("e1", "e2", "e4"))
    assert trend_of(64.99, earlier).trend == "stable"
    assert trend_of(55.0, earlier).trend == "declining"
    assert trend_of(55.0, []).trend == "unknown"
    assert trend_of(None, earlier).trend == "unknown"


@pytest.mark.parametrize("when", [FIRST, LAST])
def test_no_time_of_an_evaluation_ends_the_judge(when: datetime) -> None:
    """A record may have any venue time."""
    last = evaluated(0, 50.0).model_copy(update={"as_of": when, "next_at": None})
    assert earliest_after(last).tzinfo is UTC
    due_time(at(1, 2, 3, 4), last, 600.0)
    asked_time(at(1, 2, 3, 4), last)
