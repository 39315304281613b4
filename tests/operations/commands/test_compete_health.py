"""When a contest stops for its dead, and what is said of them meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from arena.agent_health import DEAD_TURNS, dead_with_process
from arena.messages import AgentSpec, Turn
from operations.commands.compete_health import ContestHealth, dead_lines
from operations.commands.compete_progress import ContestProgress, progress_line

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE, SINCE = BEGAN - timedelta(hours=1), BEGAN + timedelta(seconds=1)
AGENTS = ("gpt", "glm", "cash")


class Contest:
    """A tally that is given turns by agent."""

    def __init__(self, *baselines: str, agents: tuple[str, ...] = AGENTS) -> None:
        """No turn yet."""
        self.health = ContestHealth(agents, baselines, since=BEGAN)
        self.progress = ContestProgress(100, agents, health=self.health)
        self.offset = 0

    def turn(self, agent: str, error: str = "", cause: str = "", at: datetime = SINCE) -> None:
        """One more turn; without an error it is a decision."""
        self.offset += 1
        ended = Turn(
            turn_id=f"t{self.offset}",
            agent=agent,
            strategy="s",
            node="n",
            snapshot_id="s",
            snapshot_offset=self.offset,
            as_of=at,
            outcome="failed" if error else "completed",
            error=error,
            cause=cause,
            started_at=at,
            ended_at=at,
        )
        for _ in range(2):  # what comes twice counts once
            self.progress.apply(ended, self.offset)


def test_an_entrant_that_was_never_alive_stops_the_contest() -> None:
    """Its first turn met a wrong key; the others do well."""
    contest = Contest("cash")
    contest.turn("glm")
    contest.turn("gpt", "401: wrong key", "auth")

    assert contest.health.stop_reason() == "gpt was never alive"
    (dead,) = contest.health.dead()
    assert (dead.agent, dead.cause, dead.turns) == ("gpt", "401: wrong key", 1)


def test_one_that_dies_later_is_listed_while_the_others_finish() -> None:
    """One provider's outage does not throw away what others paid for; it may come back."""
    contest = Contest("cash")
    contest.turn("gpt")
    contest.turn("glm")
    for _ in range(DEAD_TURNS):
        contest.turn("gpt", "503", "server_error")
    listed, stop = contest.health.dead(), contest.health.stop_reason()
    contest.turn("gpt")

    assert ([one.agent for one in listed], stop) == (["gpt"], "")
    assert contest.health.dead_at_end(None) == ()
    assert contest.health.pop_news() == [
        "gpt: a turn gave no decision: 503",
        f"gpt is dead: 503 ({DEAD_TURNS} turns in a row without a decision); read the provider's "
        "message in `arena tail llm.calls`",
        "gpt is alive again",
    ]


def test_if_none_is_alive_any_more_the_contest_stops() -> None:
    """A baseline that lives does not count."""
    contest = Contest("cash")
    for agent in AGENTS:
        contest.turn(agent)
    contest.turn("gpt", "403", "forbidden")
    before = contest.health.stop_reason()
    contest.turn("glm", "404", "model_not_found")

    assert (before, contest.health.stop_reason()) == ("", "no agent is alive any more")


def test_a_baseline_that_is_dead_stops_nothing_and_is_listed() -> None:
    """What the roster says of it counts, whatever its chat node is called."""
    contest = Contest()
    spec = AgentSpec(agent="cash", strategy="cash", node="rules", kind="baseline", joined_at=BEGAN)
    contest.progress.apply(spec, 0)
    contest.turn("gpt")
    contest.turn("cash", "401", "auth")

    assert contest.health.stop_reason() == ""
    assert [one.agent for one in contest.health.dead()] == ["cash"]


def test_a_resumed_contest_is_judged_by_its_new_turns() -> None:
    """The key was corrected: what failed before neither stops it nor is reported again."""
    contest = Contest("cash")
    for _ in range(DEAD_TURNS):
        contest.turn("gpt", "401", "auth", at=BEFORE)
    first = (contest.health.stop_reason(), contest.health.pop_news(), contest.health.failed_turns)
    contest.turn("gpt", "401", "auth")

    assert first == ("", [], 0)
    assert contest.health.stop_reason() == "gpt was never alive"


def test_who_was_alive_in_an_earlier_part_was_alive() -> None:
    """Its new failures list it, and the others continue."""
    contest = Contest("cash")
    contest.turn("gpt", at=BEFORE)
    contest.turn("glm", at=BEFORE)
    contest.turn("glm")
    contest.turn("gpt", "401", "auth")

    assert (contest.health.stop_reason(), len(contest.health.dead())) == ("", 1)


@pytest.mark.parametrize(
    ("snapshots", "dead"),
    [(None, ["glm"]), (DEAD_TURNS - 1, ["glm"]), (DEAD_TURNS, ["cash", "glm"])],
)
def test_at_the_end_who_never_decided_is_dead(snapshots: int | None, dead: list[str]) -> None:
    """One failed turn is enough, and no turn at all if there was time for some."""
    contest = Contest()
    contest.turn("gpt")
    contest.turn("glm", "timeout", "timeout")

    assert [one.agent for one in contest.health.dead_at_end(snapshots)] == dead


def test_agents_of_a_process_that_is_not_kept_up_are_dead() -> None:
    """They may have had no turn at all."""
    contest = Contest()
    contest.health.add_lost(dead_with_process(("gpt",), "no tools process offers teleport"))

    assert [(one.agent, one.code) for one in contest.health.dead()] == [("gpt", "unknown_tool")]


def test_the_progress_line_says_what_failed() -> None:
    """Who is dead and of what, and how many turns failed; nothing while all is well."""
    contest = Contest("cash")
    contest.turn("glm")
    well = progress_line(contest.progress, 1.0, 0)
    contest.turn("glm", "503", "server_error")
    contest.turn("gpt", "401: Incorrect API key provided, see the docs", "auth")

    assert "failed" not in well
    assert "  1 dead: gpt (401: Incorrect API key provided…)  2 failed turns  " in progress_line(
        contest.progress, 1.0, 0
    )


def test_a_turn_of_a_stranger_does_not_count() -> None:
    """An older contest's agent in the same topics neither stops this one nor is listed."""
    contest = Contest()
    contest.turn("stranger", "401", "auth")

    assert (contest.health.stop_reason(), contest.health.dead_at_end(100)[0].agent) == ("", "cash")


def test_the_dead_are_told_with_what_to_do() -> None:
    """Two lines each; nothing if none is dead."""
    contest = Contest()
    contest.turn("gpt", "401", "auth")

    assert dead_lines(()) == []
    assert dead_lines(contest.health.dead()) == [
        "Dead, not ranked:",
        "  gpt: 401",
        "    set the right key for its chat node, then resume",
    ]
