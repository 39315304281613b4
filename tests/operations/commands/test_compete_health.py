"""When dead agents stop a contest, and what is printed about them."""

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
    """The progress of a contest, fed with turns by agent."""

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


def test_agent_that_was_never_alive_stops_the_contest() -> None:
    """Its first turn failed with a wrong key; the others decide."""
    contest = Contest("cash")
    contest.turn("glm")
    contest.turn("gpt", "401: wrong key", "auth")

    assert contest.health.stop_reason() == "gpt was never alive"
    (dead,) = contest.health.dead()
    assert (dead.agent, dead.cause, dead.turns) == ("gpt", "401: wrong key", 1)


def test_agent_that_dies_later_is_listed_while_the_others_finish() -> None:
    """One provider's outage does not stop the others; the agent may recover."""
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


def test_contest_stops_if_no_agent_is_alive() -> None:
    """A living baseline does not count."""
    contest = Contest("cash")
    for agent in AGENTS:
        contest.turn(agent)
    contest.turn("gpt", "403", "forbidden")
    before = contest.health.stop_reason()
    contest.turn("glm", "404", "model_not_found")

    assert (before, contest.health.stop_reason()) == ("", "no agent is alive any more")


def test_dead_baseline_is_listed_and_does_not_stop_the_contest() -> None:
    """The roster says that it is a baseline, whatever its chat node's name."""
    contest = Contest()
    spec = AgentSpec(agent="cash", strategy="cash", node="rules", kind="baseline", joined_at=BEGAN)
    contest.progress.apply(spec, 0)
    contest.turn("gpt")
    contest.turn("cash", "401", "auth")

    assert contest.health.stop_reason() == ""
    assert [one.agent for one in contest.health.dead()] == ["cash"]


def test_resumed_contest_counts_its_new_turns_only() -> None:
    """After the key was corrected, earlier failures neither stop it nor are reported again."""
    contest = Contest("cash")
    for _ in range(DEAD_TURNS):
        contest.turn("gpt", "401", "auth", at=BEFORE)
    first = (contest.health.stop_reason(), contest.health.pop_news(), contest.health.failed_turns)
    contest.turn("gpt", "401", "auth")

    assert first == ("", [], 0)
    assert contest.health.stop_reason() == "gpt was never alive"


def test_agent_alive_in_an_earlier_part_does_not_stop_the_contest() -> None:
    """New failures list it as dead, and the others continue."""
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
def test_agent_that_never_decided_is_dead_at_the_end(
    snapshots: int | None, dead: list[str]
) -> None:
    """After one failed turn, or without a turn if there was time for some."""
    contest = Contest()
    contest.turn("gpt")
    contest.turn("glm", "timeout", "timeout")

    assert [one.agent for one in contest.health.dead_at_end(snapshots)] == dead


def test_agents_of_a_given_up_process_are_dead() -> None:
    """Even without a turn."""
    contest = Contest()
    contest.health.add_lost(dead_with_process(("gpt",), "no tools process offers teleport"))

    assert [(one.agent, one.code) for one in contest.health.dead()] == [("gpt", "unknown_tool")]


def test_progress_line_shows_failures() -> None:
    """The dead agents with their cause, and the number of failed turns; nothing without any."""
    contest = Contest("cash")
    contest.turn("glm")
    well = progress_line(contest.progress, 1.0, 0)
    contest.turn("glm", "503", "server_error")
    contest.turn("gpt", "401: Incorrect API key provided, see the docs", "auth")

    assert "failed" not in well
    assert "  1 dead: gpt (401: Incorrect API key provided…)  2 failed turns  " in progress_line(
        contest.progress, 1.0, 0
    )


def test_turn_of_another_contest_does_not_count() -> None:
    """An older contest's agent in the same topics neither stops this one nor is listed."""
    contest = Contest()
    contest.turn("stranger", "401", "auth")

    assert (contest.health.stop_reason(), contest.health.dead_at_end(100)[0].agent) == ("", "cash")


def test_dead_agents_are_printed_with_remedies() -> None:
    """Two lines each; nothing without dead agents."""
    contest = Contest()
    contest.turn("gpt", "401", "auth")

    assert dead_lines(()) == []
    assert dead_lines(contest.health.dead()) == [
        "Dead, not ranked:",
        "  gpt: 401",
        "    set the right key for its chat node, then resume",
    ]
