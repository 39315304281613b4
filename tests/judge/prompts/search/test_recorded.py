"""Prompts of recorded turns, with another text."""

from arena.messages import ChatMessage, RequestedCall
from judge.prompts.search.recorded import Offered, recorded_prompts, recorded_text
from judge.strategy_text import split_system
from tests.judge.agent_evaluations.made_turns import bought, refused
from tests.judge.prompts.search.searches import OFFERED, TEXT, prompts, turn, uncut


def test_only_the_strategys_text_changes() -> None:
    """The rules, the prompt, the tools and the settings stay; the id follows from the text."""
    (prompt,) = prompts(1)
    recorded = prompt.turn.messages
    asked, other = prompt.request("Be bold.\n", uncut), prompt.request("Be calm.\n", uncut)
    own, rules = split_system(asked.messages[0].content)
    assert ("Be bold.", split_system(recorded[0].content)[1]) == (own, rules)
    assert recorded[1:2] == asked.messages[1:]
    assert (OFFERED.tools, OFFERED.sampling) == (asked.tools, asked.sampling)
    assert (prompt.turn.turn_id, prompt.turn.strategy) == (asked.turn_id, asked.strategy)
    assert asked.call_id != other.call_id
    assert asked == prompt.request("Be bold.\n", uncut)
    assert TEXT.rstrip() == recorded_text([prompt]).rstrip()


def test_prompt_ends_before_the_answer_that_decided() -> None:
    """Look-ups and their results are kept; an order and what followed are not."""
    made = turn(0, "Reasoning: bought.", [bought("SOL-USD", "1", 141.3)])
    look = ChatMessage(
        role="assistant",
        content="First a look.",
        tool_calls=(RequestedCall(model_call_id="l", name="get_portfolio", arguments="{}"),),
    )
    result = ChatMessage(role="tool", content="cash_usd: 100", tool_call_id="l")
    looked = made.model_copy(
        update={"messages": (*made.messages[:2], look, result, *made.messages[2:])}
    )
    offered = {"call-0": OFFERED}
    (plain,) = recorded_prompts([made], offered)
    (after_look,) = recorded_prompts([looked], offered)
    assert ["user"] == [m.role for m in plain.shown]
    assert ["user", "assistant", "tool"] == [m.role for m in after_look.shown]


def test_what_cannot_be_shown_again_is_left_out() -> None:
    """Aborted turns, second records, other kinds, and turns whose request is gone."""
    turns = [
        turn(0),
        turn(0),
        turn(1).model_copy(update={"outcome": "aborted"}),
        turn(2).model_copy(update={"turn_kind": "debate"}),
        turn(3).model_copy(update={"rounds": ()}),
        turn(4),
        turn(5).model_copy(update={"messages": turn(5).messages[1:]}),
    ]
    offered = {f"call-{n}": Offered() for n in (0, 1, 2, 5)}
    assert [0] == [one.turn.snapshot_offset for one in recorded_prompts(turns, offered)]


def test_refused_calls_of_the_turn_before_are_remembered() -> None:
    """As the checks of the recorded turns do, and each prompt keeps its own."""
    turns = [turn(0, "Done.", [refused("SOL-USD", "risk limit")]), turn(1), turn(2)]
    found = recorded_prompts(turns, {f"call-{n}": OFFERED for n in range(3)})
    assert [0, 1, 0] == [len(one.memory.refused) for one in found]
    assert [0, 1, 2] == [one.memory.turns for one in found]
