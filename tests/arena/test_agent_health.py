"""Health of agents: what counts as a decision, which causes make an agent dead, and the texts."""

from datetime import UTC, datetime

import pytest

from arena.agent_health import (
    CAUSE_CHARS_MAX,
    DEAD_TURNS,
    REMEDIES,
    DeadAgent,
    HealthFold,
    dead_with_process,
    is_decision,
    parse_dead_agent,
    short_cause,
)
from arena.failure_streaks import FailureStreak, FailureStreaks
from arena.messages import LASTING_CAUSES, Cause, Round, Turn
from arena.messages.turns import TurnOutcome

AT = datetime(2026, 1, 1, tzinfo=UTC)


def turn(
    outcome: TurnOutcome = "completed",
    *,
    cause: str = "",
    error: str = "it failed",
    tools_ok: tuple[bool, ...] = (),
) -> Turn:
    """A turn of the agent "a"."""
    rounds = (Round(call_id="c", outcome="ok", tools_ok=tools_ok),) if tools_ok else ()
    return Turn(
        turn_id="t",
        agent="a",
        strategy="s",
        node="n",
        snapshot_id="s",
        snapshot_offset=0,
        as_of=AT,
        rounds=rounds,
        outcome=outcome,
        cause=cause,
        error="" if outcome == "completed" else error,
        started_at=AT,
        ended_at=AT,
    )


def dead_after(*turns: Turn) -> tuple[DeadAgent, ...]:
    """The dead agents after these turns."""
    vitals = HealthFold()
    for one in turns:
        vitals.apply(one)
    return vitals.dead()


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (turn(), True),
        (turn("failed"), False),
        (turn("expired"), False),
        (turn("max_rounds", cause=Cause.UNUSABLE_ANSWER, tools_ok=(False, False)), False),
        (turn("max_rounds", tools_ok=(False, False)), True),
        (turn("max_rounds", tools_ok=(False, True)), True),
        (turn("failed", tools_ok=(True,)), True),
        (turn("aborted"), False),
    ],
)
def test_text_call_or_refused_order_is_a_decision(ended: Turn, expected: bool) -> None:
    """A turn without any of them has no decision, for any outcome."""
    assert is_decision(ended) is expected


@pytest.mark.parametrize("cause", sorted(LASTING_CAUSES))
def test_lasting_cause_makes_agent_dead_at_once(cause: Cause) -> None:
    """One turn is enough, even after decisions; the error is the text of the cause."""
    (dead,) = dead_after(turn(), turn("failed", cause=cause, error="401: wrong key"))

    assert (dead.cause, dead.turns, dead.code) == ("401: wrong key", 1, cause)
    assert dead.remedy == REMEDIES[cause]


@pytest.mark.parametrize("cause", sorted({*Cause, ""} - LASTING_CAUSES))
def test_other_causes_make_agent_dead_after_several_turns(cause: str) -> None:
    """One turn less leaves it alive; a decision ends the run."""
    failed = turn("failed", cause=cause)

    assert dead_after(turn(), *[failed] * (DEAD_TURNS - 1)) == ()
    assert dead_after(*[failed] * DEAD_TURNS, turn()) == ()
    (dead,) = dead_after(turn(), *[failed] * DEAD_TURNS)
    assert dead.cause == f"it failed ({DEAD_TURNS} turns in a row without a decision)"


def test_aborted_turn_does_not_count() -> None:
    """It neither counts as a failure nor ends a run of them."""
    four = [turn("failed")] * (DEAD_TURNS - 1)

    assert dead_after(*four, turn("aborted"), turn("aborted")) == ()
    assert [one.turns for one in dead_after(*four, turn("aborted"), turn("failed"))] == [DEAD_TURNS]


def test_agent_without_decision_is_dead_at_end() -> None:
    """An agent with few turns may still decide while the contest continues."""
    vitals = HealthFold()
    vitals.apply(turn("expired", error=""))

    (dead,) = vitals.dead_at_end()
    assert vitals.dead() == ()
    assert dead.cause == "the turn expired (its only turn was not a decision)"


def test_every_cause_has_a_remedy() -> None:
    """A new cause is not listed without one."""
    assert set(Cause) == set(REMEDIES)


def test_long_error_is_cut_to_one_line() -> None:
    """A long server message fits a table, and the reason after it is still shown."""
    (dead,) = dead_after(*[turn("failed", error="<html>\n" * 400)] * DEAD_TURNS)

    assert len(dead.cause) <= CAUSE_CHARS_MAX
    assert "\n" not in dead.cause
    assert dead.cause.endswith("(none of its 5 turns was a decision)")


def test_control_characters_of_server_are_escaped() -> None:
    """Escapes, controls and lone surrogates of an error are replaced."""
    (dead,) = dead_after(turn("failed", cause=Cause.AUTH, error="no\x1b[2Jkey\x07 \ud800"))

    assert dead.cause == r"no\u001b[2Jkey\u0007 \ud800"


def test_document_round_trip() -> None:
    """What a heartbeat carries is what was put in; anything else is not a dead agent."""
    dead = DeadAgent("a", "401", 3, code="auth", remedy="set the key")

    assert parse_dead_agent(dead.document()) == dead
    assert [parse_dead_agent(None), parse_dead_agent("a"), parse_dead_agent({})] == [None] * 3
    assert parse_dead_agent({"agent": "a", "cause": 1, "turns": 1}) is None


def test_unknown_tool_is_found_in_error_text() -> None:
    """The agents of a router that ended for it are dead of that cause."""
    one, two = dead_with_process(("a", "b"), "no tools process offers teleport; offered are x, y")
    other, *_ = dead_with_process(("a",), "it refused its configuration")

    assert (one.agent, two.agent, one.code) == ("a", "b", Cause.UNKNOWN_TOOL)
    assert other.code == ""


def test_repeated_failures_are_logged_a_few_times() -> None:
    """The first, the second, the fourth, the eighth, and the end of the run with its length."""
    runs = FailureStreaks()
    warnings = [runs.failed("a") for _ in range(9)]

    assert [one.failures for one in warnings if one is not None] == [1, 2, 4, 8]
    assert (runs.succeeded("a"), runs.succeeded("a")) == (FailureStreak(9, over=True), None)
    assert runs.failed("a") == FailureStreak(1)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("too long by a word or two", "too long by a…"),
        ("unbreakable" * 3, "unbreakableunbr…"),
        ("short enough", "short enough"),
    ],
)
def test_cause_is_cut_between_words(cause: str, expected: str) -> None:
    """A word that is longer than the limit is cut."""
    assert expected == short_cause(cause, 16)
