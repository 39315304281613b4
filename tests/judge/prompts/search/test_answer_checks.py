"""Scores of single answers."""

from arena.messages import Cause, ChatMessage, RequestedCall
from judge.prompts.search.answer_checks import score_answer
from judge.prompts.search.recorded import recorded_prompts
from tests.judge.agent_evaluations.made_turns import refused
from tests.judge.prompts.search.searches import (
    INVENTED,
    OFFERED,
    ORDER,
    PLAIN,
    TEXT,
    prompts,
    reply,
    turn,
)

(PROMPT,) = prompts(1)


def test_invented_figure_costs_points() -> None:
    """And the reason says which."""
    good = score_answer(PROMPT, TEXT, TEXT, reply(PLAIN, ORDER))
    bad = score_answer(PROMPT, TEXT, TEXT, reply(INVENTED, ORDER))
    assert (100.0, 1, {}) == (good.points, good.orders, good.reasons)
    assert bad.points is not None
    assert bad.points < 100
    assert "98.76" in bad.reasons["figures"]
    assert 1 == bad.orders


def test_answers_that_cannot_be_used_fail() -> None:
    """Empty, unreadable, or refused by a filter; a call of an unknown tool is not an order."""
    nothing = score_answer(PROMPT, TEXT, TEXT, reply(""))
    unreadable = score_answer(PROMPT, TEXT, TEXT, reply("{", unreadable="no JSON"))
    filtered = score_answer(
        PROMPT, TEXT, TEXT, reply("", outcome="failed", cause=Cause.CONTENT_FILTER)
    )
    unknown = score_answer(PROMPT, TEXT, TEXT, reply("", ORDER, tool="short_sell"))
    for found in (nothing, unreadable, filtered):
        assert (0.0, 0, {"valid"}) == (found.points, found.orders, set(found.reasons))
    assert ("there is no tool 'short_sell'" in unknown.reasons["valid"], 0) == (
        True,
        unknown.orders,
    )


def test_model_that_could_not_be_asked_has_no_points() -> None:
    """It says nothing about the text."""
    for cause in (Cause.TIMEOUT, Cause.BUDGET, Cause.UNREACHABLE):
        found = score_answer(
            PROMPT, TEXT, TEXT, reply("", outcome="failed", cause=cause, error="no route")
        )
        assert (None, "no route", 0.0) == (found.points, found.error, found.share)


def test_rules_of_the_text_in_force_count_for_another_text() -> None:
    """A text is not better for having fewer rules."""
    strict = TEXT + "Only trade BTC-USD.\n"
    kept = score_answer(PROMPT, TEXT, TEXT, reply("", ORDER))
    broken = score_answer(PROMPT, TEXT, strict, reply("", ORDER))
    own = score_answer(PROMPT, strict, TEXT, reply("", ORDER))
    assert "own_rules" not in kept.reasons
    assert "SOL-USD" in broken.reasons["own_rules"]
    assert broken.reasons == own.reasons


def test_new_rule_that_is_kept_gives_no_credit() -> None:
    """Else every text would be better for an easy rule; one in force that is kept counts."""
    easy = TEXT + "Only trade SOL-USD and BTC-USD.\n"
    plain = score_answer(PROMPT, TEXT, TEXT, reply(INVENTED, ORDER))
    added = score_answer(PROMPT, easy, TEXT, reply(INVENTED, ORDER))
    in_force = score_answer(PROMPT, TEXT, easy, reply(INVENTED, ORDER))
    assert plain.points == added.points
    assert plain.points is not None
    assert in_force.points is not None
    assert plain.points < in_force.points


def test_refused_call_of_the_recorded_turn_before_counts() -> None:
    """The prompt says that it was refused."""
    turns = [turn(0, "Done.", [refused("SOL-USD", "risk limit")]), turn(1)]
    _, prompt = recorded_prompts(turns, {f"call-{n}": OFFERED for n in range(2)})
    again = score_answer(prompt, TEXT, TEXT, reply("", ORDER))
    other = score_answer(prompt, TEXT, TEXT, reply("", ORDER | {"quantity": "0.5"}))
    assert ["refused"] == list(again.reasons)
    assert {} == other.reasons


def test_results_of_look_ups_are_shown_and_their_words_are_not_the_answers() -> None:
    """A figure of a result may be quoted; an invented one beside the look-up is not judged."""
    made = turn(0)
    look = ChatMessage(
        role="assistant",
        content="The RSI is 98.76, so I look first.",
        tool_calls=(RequestedCall(model_call_id="l", name="get_portfolio", arguments="{}"),),
    )
    result = ChatMessage(role="tool", content="cash_usd: 4711.25", tool_call_id="l")
    looked = made.model_copy(
        update={"messages": (*made.messages[:2], look, result, *made.messages[2:])}
    )
    (prompt,) = recorded_prompts([looked], {"call-0": OFFERED})
    found = score_answer(prompt, TEXT, TEXT, reply("Reasoning: I have 4711.25 of cash.", ORDER))
    assert {} == found.reasons
