"""Turns with unusable answers: the model gets a note and is asked again, or the turn fails."""

from collections.abc import Sequence

import pytest

from arena.agent_health import is_decision
from arena.chat_body import chat_body
from arena.messages import Cause, ChatReply, ChatRequest, RequestedCall
from routers.conversation import EMPTY_ANSWER_TEXT
from routers.kinds.single import SingleTurn
from routers.turn_types import Limits
from tests.routers.builders import call, now, reply, resolved_agent, result, trade, turn_input
from tests.routers.test_turn import calls_of, new_turn, request_of, tool_texts, turn_of

UNREADABLE = "Your answer holds a tool call as text that could not be read: use the tools."


def unreadable(request: ChatRequest, text: str = "<tool_call>{trade") -> ChatReply:
    """An answer with a call that the chat node could not read."""
    return reply(request, text=text).model_copy(update={"unreadable": UNREADABLE})


def notes_in(request: ChatRequest) -> list[str]:
    """The texts for the model besides its prompt and tool results."""
    return [m.content for m in request.messages if m.role == "user"][1:]


@pytest.mark.parametrize("text", ["", " \n", "\t"])
def test_second_empty_answer_fails_the_turn(text: str) -> None:
    """An answer without text and calls is not a hold: the turn fails, without a memory line."""
    machine = new_turn()
    second = request_of(machine.reply(reply(request_of(machine.start(now())), text=text), now(1)))
    turn = turn_of(machine.reply(reply(second, text=text), now(2)))

    assert [EMPTY_ANSWER_TEXT] == notes_in(second)
    assert b'"content":"(no answer)"' in chat_body("m", second, {})
    assert ("failed", Cause.UNUSABLE_ANSWER, "", "") == (
        turn.outcome,
        turn.cause,
        turn.memory,
        turn.final_text,
    )
    assert "the model's answer was empty, and again when it was told so" == turn.error
    assert not is_decision(turn)
    assert 2 == len(turn.rounds)


def test_reasoning_alone_is_an_empty_answer() -> None:
    """Reasoning is recorded, and is neither an answer nor memory."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    thought = reply(first).model_copy(update={"reasoning": "Hm, up." + "x" * 9_000})
    second = request_of(machine.reply(thought, now(1)))
    turn = turn_of(machine.reply(reply(second, text="Reasoning: flat."), now(2)))

    assert [EMPTY_ANSWER_TEXT] == notes_in(second)
    assert "completed" == turn.outcome
    assert '09:30 no trade: "flat."' == turn.memory
    assert turn.messages[2].reasoning.startswith("Hm, up.")
    assert 4_000 == len(turn.messages[2].reasoning)
    assert b"Hm, up" not in chat_body("m", second, {})


def test_empty_answer_after_a_call_ends_the_turn() -> None:
    """The call that was carried out is the decision."""
    machine = new_turn()
    sent = calls_of(machine.reply(reply(request_of(machine.start(now())), trade()), now(1)))
    done = request_of(machine.result(result(sent.account[0]), now(2)))
    turn = turn_of(machine.reply(reply(done), now(3)))

    assert ("completed", "", "") == (turn.outcome, turn.error, turn.cause)


@pytest.mark.parametrize(
    ("error", "seq", "outcome"),
    [
        ("insufficient_cash", 7, "completed"),
        ("malformed_arguments", 7, "asked"),
        ("failed", None, "asked"),
    ],
)
def test_refused_order_is_a_decision(error: str, seq: int | None, outcome: str) -> None:
    """An order that the rules refuse is the model's decision; an unreadable one is not."""
    machine = new_turn()
    sent = calls_of(machine.reply(reply(request_of(machine.start(now())), trade()), now(1)))
    refused = result(sent.account[0], "no", ok=False, error=error, seq=seq)
    third = machine.reply(reply(request_of(machine.result(refused, now(2)))), now(3))

    if outcome == "asked":
        assert [EMPTY_ANSWER_TEXT] == notes_in(request_of(third))
    else:
        assert outcome == turn_of(third).outcome


def test_unreadable_call_is_asked_for_again() -> None:
    """The model gets the reason, and its next answer counts like any other."""
    machine = new_turn()
    second = request_of(machine.reply(unreadable(request_of(machine.start(now()))), now(1)))
    sent = calls_of(machine.reply(reply(second, trade()), now(2)))
    third = request_of(machine.result(result(sent.account[0], value={"price": "1"}), now(3)))
    turn = turn_of(machine.reply(reply(third, text="Reasoning: in."), now(4)))

    assert [UNREADABLE] == notes_in(second)
    assert "<tool_call>{trade" == second.messages[2].content
    assert "completed" == turn.outcome
    assert '09:30 bought 0.1 BTC-USD at 1: "in."' == turn.memory


def test_answer_that_stays_unreadable_is_not_a_hold() -> None:
    """After the last round the turn has failed, and the broken call is not its final text."""
    machine = new_turn(Limits(rounds=2))
    second = request_of(machine.reply(unreadable(request_of(machine.start(now()))), now(1)))
    turn = turn_of(machine.reply(unreadable(second), now(2)))

    assert ("failed", Cause.UNUSABLE_ANSWER, "") == (turn.outcome, turn.cause, turn.final_text)
    assert turn.error.startswith("the model's call could not be read: Your answer holds")
    assert not is_decision(turn)


def test_unreadable_end_after_a_trade_keeps_the_trade() -> None:
    """The order was carried out: the turn is a decision and remembers it."""
    machine = new_turn(Limits(rounds=2))
    sent = calls_of(machine.reply(reply(request_of(machine.start(now())), trade()), now(1)))
    second = request_of(machine.result(result(sent.account[0], value={"price": "1"}), now(2)))
    turn = turn_of(machine.reply(unreadable(second), now(3)))

    assert ("max_rounds", "") == (turn.outcome, turn.cause)
    assert is_decision(turn)
    assert "09:30 bought 0.1 BTC-USD at 1" == turn.memory


def test_unreadable_call_next_to_a_good_one_is_noted() -> None:
    """The good one is carried out, and the model gets a note about the other."""
    machine = new_turn()
    both = reply(request_of(machine.start(now())), trade(), text="Buying.")
    both = both.model_copy(update={"unreadable": UNREADABLE})
    sent = calls_of(machine.reply(both, now(1)))
    second = request_of(machine.result(result(sent.account[0], "ok"), now(2)))

    assert [f"ok ({UNREADABLE})"] == tool_texts(second)


@pytest.mark.parametrize(
    ("error", "cause"), [("halted", ""), ("malformed_arguments", Cause.UNUSABLE_ANSWER)]
)
def test_order_refused_in_the_last_round_is_a_decision(error: str, cause: str) -> None:
    """A halted agent, or one without cash, still decides; one with unreadable orders does not."""
    machine = new_turn(Limits(rounds=1))
    sent = calls_of(machine.reply(reply(request_of(machine.start(now())), trade()), now(1)))
    refused = result(sent.account[0], "rejected", ok=False, error=error, seq=1)
    turn = turn_of(machine.result(refused, now(2)))

    assert ("max_rounds", cause) == (turn.outcome, turn.cause)
    assert is_decision(turn) is not bool(cause)


@pytest.mark.parametrize("limit", [1, 3])
def test_turn_without_a_carried_out_call_has_failed(limit: int) -> None:
    """Unknown tools until the last round: no decision, and a cause for programs."""
    machine = new_turn(Limits(rounds=limit))
    effects = machine.start(now())
    for second in range(limit):
        effects = machine.reply(reply(request_of(effects), call("moon")), now(second))
    turn = turn_of(effects)

    assert ("max_rounds", Cause.UNUSABLE_ANSWER) == (turn.outcome, turn.cause)
    assert not is_decision(turn)


def test_estimated_tokens_are_marked() -> None:
    """One round without the server's count makes the sum an estimate."""
    machine = new_turn()
    first = reply(request_of(machine.start(now())), call("x"))
    usage = first.usage.model_copy(update={"estimated": True})
    second = request_of(machine.reply(first.model_copy(update={"usage": usage}), now(1)))
    turn = turn_of(machine.reply(reply(second, text="ok"), now(2)))

    assert turn.usage.estimated
    assert 200 == turn.usage.prompt_tokens


def test_call_with_a_problem_is_answered_with_it() -> None:
    """A call that the chat node found wrong is not carried out; the other calls are."""
    machine = new_turn()
    problem = "not carried out: the answer was cut off at its token limit inside this call"
    cut = trade(key="b").model_copy(update={"problem": problem, "recovered": True})
    sent = calls_of(
        machine.reply(reply(request_of(machine.start(now())), trade(key="a"), cut), now(1))
    )
    second = request_of(machine.result(result(sent.account[0], "bought"), now(2)))

    assert 1 == len(sent.account)
    assert ["bought", problem] == tool_texts(second)
    kept = second.messages[2].tool_calls[1]
    assert (problem, True) == (kept.problem, kept.recovered)


def rounds_of(machine: SingleTurn, asked: Sequence[RequestedCall]) -> ChatRequest:
    """The request after one round for each call."""
    request = request_of(machine.start(now()))
    for number, one in enumerate(asked):
        sent = calls_of(machine.reply(reply(request, one), now(number)))
        request = request_of(machine.result(result(sent.account[0]), now(number)))
    return request


@pytest.mark.parametrize(
    "given",
    [["c1", "c1", "c1"], ["call_1_0", "x", "x"], ["call_2_0", "", ""], ["", "call_0_0", ""]],
)
def test_call_ids_are_unique_in_a_conversation(given: list[str]) -> None:
    """Servers that number calls from zero in every answer repeat ids; each call gets its own."""
    machine = new_turn(Limits(rounds=6))
    request = rounds_of(machine, [trade(key=key) for key in given])
    in_calls = [c.model_call_id for m in request.messages for c in m.tool_calls]

    assert len(given) == len(set(in_calls))
    assert in_calls == [m.tool_call_id for m in request.messages if m.role == "tool"]


def test_provider_fields_are_kept_unchanged() -> None:
    """Fields of message and call, broken arguments and odd names are in the record."""
    machine = new_turn()
    signed = trade().model_copy(
        update={"provider": {"extra_content": {"google": {"thought_signature": "s\x01g"}}}}
    )
    answer = reply(request_of(machine.start(now())), signed, call("bad name!", '{"a": ', "c2"))
    thought = {"reasoning_content": "first \x01 then", "n": [1, None]}
    answer = answer.model_copy(update={"provider": thought})
    sent = calls_of(machine.reply(answer, now(1)))
    second = request_of(machine.result(result(sent.account[0]), now(2)))
    kept = second.messages[2]

    assert thought == kept.provider
    assert signed.provider == kept.tool_calls[0].provider
    assert ("bad name!", '{"a": ') == (kept.tool_calls[1].name, kept.tool_calls[1].arguments)


def test_broken_arguments_reach_the_tool_and_are_sent_back_as_an_object() -> None:
    """The tool says what is wrong with them; strict servers do not get them again."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    sent = calls_of(machine.reply(reply(first, call("execute_trade", '{"a": ')), now(1)))
    error = "'{\"a\": ' is no JSON; send one JSON object"
    refused = result(sent.account[0], error, ok=False, error="malformed_arguments", seq=1)
    second = request_of(machine.result(refused, now(2)))

    assert [error] == tool_texts(second)
    assert b'"arguments":"{}"' in chat_body("m", second, {})


def test_small_prompts_keep_their_conversation_small() -> None:
    """Tool results and texts next to calls are cut, the closing text is not."""
    small = resolved_agent()
    small = type(small).of("alpha", "model", small.strategy, small.limits, (), "tiny")
    machine = SingleTurn(small, turn_input())
    first = request_of(machine.start(now()))
    second = request_of(machine.reply(reply(first, call("x"), text="y" * 5_000), now(1)))
    turn = turn_of(machine.reply(reply(second, text="z" * 1_000), now(2)))

    assert "tiny" == first.prompt_size == turn.prompt_size
    assert 300 == len(second.messages[2].content)
    assert 1_000 == len(turn.final_text)
