"""The turn machine, case by case."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from pydantic import JsonValue

from arena import ids
from arena.messages import CallOutcome, Cause, ChatRequest, Turn
from routers.conversation_limits import CALLS_RECORDED_MAX, CALLS_RUN_MAX
from routers.kinds.single import SingleTurn
from routers.strategy import Strategy
from routers.turn_types import Effect, FinishTurn, Limits, SendRequest, SendToolCalls, aborted_turn
from tests.routers.builders import (
    AS_OF,
    TRADER,
    call,
    now,
    portfolio_value,
    reply,
    resolved_agent,
    result,
    trade,
    turn_input,
)


def new_turn(limits: Limits | None = None, strategy: Strategy = TRADER) -> SingleTurn:
    """A turn machine that was not started."""
    return SingleTurn(resolved_agent(limits, strategy), turn_input())


def request_of(effects: Sequence[Effect]) -> ChatRequest:
    """The one request in the effects."""
    (effect,) = effects
    assert isinstance(effect, SendRequest)
    return effect.request


def calls_of(effects: Sequence[Effect]) -> SendToolCalls:
    """The one set of tool calls in the effects."""
    (effect,) = effects
    assert isinstance(effect, SendToolCalls)
    return effect


def turn_of(effects: Sequence[Effect]) -> Turn:
    """The finished turn in the effects."""
    (effect,) = effects
    assert isinstance(effect, FinishTurn)
    return effect.turn


def tool_texts(request: ChatRequest) -> list[str]:
    """The texts of the tool results, in order."""
    return [m.content for m in request.messages if m.role == "tool"]


def test_turn_with_one_trade() -> None:
    """Ask, trade, ask again, finish: every id, hash, latency and token is in the record."""
    machine = new_turn()
    (first,) = machine.start(now())
    assert isinstance(first, SendRequest)
    assert first.started is not None
    asked = machine.reply(reply(first.request, trade(), text="Buying."), now(1.5))
    order = calls_of(asked).account[0]
    again = machine.result(
        result(order, "bought", {"price": "67150.10", "portfolio": portfolio_value()}), now(1.75)
    )
    turn = turn_of(machine.reply(reply(request_of(again), text="Reasoning: up."), now(3)))

    assert first.started.turn_id == turn.turn_id == ids.turn_id("alpha", turn.snapshot_id)
    assert "completed" == turn.outcome
    assert ["system", "user", "assistant", "tool", "assistant"] == [m.role for m in turn.messages]
    assert "bought" == turn.messages[3].content
    assert "c1" == turn.messages[3].tool_call_id
    assert [(1500.0, 250.0), (1250.0, 0.0)] == [(r.model_ms, r.tools_ms) for r in turn.rounds]
    assert (order.call_id,) == turn.rounds[0].tool_call_ids
    assert ids.tool_call_id(turn.turn_id, 0, 0) == order.call_id
    assert (200, 20, Decimal("0.002")) == (
        turn.usage.prompt_tokens,
        turn.usage.completion_tokens,
        turn.usage.cost_usd,
    )
    assert 3000.0 == turn.total_ms
    assert ("test-model", True) == (turn.model, turn.scripted)
    assert '09:30 bought 0.1 BTC-USD at 67150.10: "up."' == turn.memory
    assert machine.known is not None
    assert (AS_OF, Decimal("93279.64")) == (
        machine.known.as_of,
        machine.known.portfolio.cash_usd,
    )


def test_order_has_what_the_executor_needs() -> None:
    """Snapshot, its offsets, the prices seen of the products named, deadline and inbox."""
    machine = new_turn(Limits(tool_s=7))
    first = request_of(machine.start(now()))
    order = calls_of(machine.reply(reply(first, trade("eth-usd")), now(1))).account[0]

    assert ({0: 100}, {0: 900}) == (order.ticker_offsets, order.candle_offsets)
    assert ["ETH-USD"] == list(order.quotes_seen)
    assert Decimal("3120.04") == order.quotes_seen["ETH-USD"].bid
    assert now(8).wall == order.deadline_at
    assert "agent.inbox.alpha" == order.reply_to
    assert trade("eth-usd").arguments == order.arguments


def test_requests_share_the_deadline_of_the_turn() -> None:
    """The decision has one deadline for all rounds."""
    machine = new_turn(Limits(decision_s=30))
    first = request_of(machine.start(now()))
    order = calls_of(machine.reply(reply(first, trade()), now(5))).account[0]
    second = request_of(machine.result(result(order), now(6)))

    assert now(30).wall == first.deadline_at == second.deadline_at
    assert (0, 1) == (first.round, second.round)
    assert first.call_id != second.call_id


def test_calls_are_sent_at_once_and_results_come_in_any_order() -> None:
    """Account calls and others are sent together; the model sees the answers in its own order."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    asked = (trade(key="a"), call("calculator", "{}", "b"), call("get_portfolio", "{}", "c"))
    sent = calls_of(machine.reply(reply(first, *asked), now(1)))

    assert ["execute_trade", "get_portfolio"] == [c.tool for c in sent.account]
    assert ["calculator"] == [c.tool for c in sent.stateless]
    assert () == machine.result(result(sent.account[1], "three"), now(2))
    assert () == machine.result(result(sent.stateless[0], "two"), now(2))
    assert ["one", "two", "three"] == tool_texts(
        request_of(machine.result(result(sent.account[0], "one"), now(2)))
    )


def test_unknown_tool_is_answered_locally() -> None:
    """The model gets the list of tools; only the next request is sent."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    second = request_of(machine.reply(reply(first, call("buy_moon")), now(1)))

    assert [
        "there is no tool 'buy_moon'; the tools are: execute_trade, get_portfolio, calculator"
    ] == tool_texts(second)
    assert 0 == machine.tool_calls


def test_known_call_next_to_an_unknown_one_is_run() -> None:
    """One bad call does not affect the others."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    sent = calls_of(machine.reply(reply(first, call("x"), trade(key="b")), now(1)))
    second = request_of(machine.result(result(sent.account[0], "ok"), now(2)))

    assert 1 == sent.account[0].index
    assert tool_texts(second)[0].startswith("there is no tool 'x'")
    assert "ok" == tool_texts(second)[1]


@pytest.mark.parametrize("arguments", ["", "{", "null", "[]", '{"quantity": NaN}', "\x00", "∞" * 9])
def test_malformed_arguments_go_to_the_tool_as_they_are(arguments: str) -> None:
    """The tool checks its arguments and says what is wrong with them."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    sent = calls_of(machine.reply(reply(first, call("execute_trade", arguments)), now(1)))

    assert arguments == sent.account[0].arguments


def test_too_long_arguments_are_refused_locally() -> None:
    """A megabyte of arguments is not sent."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    second = request_of(machine.reply(reply(first, call("execute_trade", "x" * 10**6)), now(1)))

    assert ["not carried out: arguments of 1,000,000 bytes; at most 2,000"] == tool_texts(second)


def test_ten_thousand_calls_are_bounded() -> None:
    """Eight are run, eight more are answered, the others are only counted."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    many = tuple(trade(key=f"k{i}") for i in range(10_000))
    sent = calls_of(machine.reply(reply(first, *many), now(1)))
    effects: Sequence[Effect] = ()
    for order in sent.account:
        effects = machine.result(result(order), now(2))
    second = request_of(effects)
    kept = second.messages[2].tool_calls

    assert CALLS_RUN_MAX == len(sent.account)
    assert CALLS_RECORDED_MAX == len(kept) == len(tool_texts(second))
    assert "not carried out: call 9 of one answer" in tool_texts(second)[8]
    assert "9,984 further calls" in tool_texts(second)[-1]


def test_note_about_a_cut_answer_reaches_the_model() -> None:
    """It follows the last result, also if that comes in later."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    cut = reply(first, trade(), error="10,000 tool calls were asked for, 1 is carried out")
    sent = calls_of(machine.reply(cut.model_copy(update={"truncated": True}), now(1)))
    second = request_of(machine.result(result(sent.account[0]), now(2)))

    assert tool_texts(second)[-1].endswith("(10,000 tool calls were asked for, 1 is carried out)")


@pytest.mark.parametrize("ids_given", [["", ""], ["x", "x"], ["x", "", "x"]])
def test_calls_get_unique_ids(ids_given: list[str]) -> None:
    """A provider refuses a conversation in which two calls share an id."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    sent = calls_of(machine.reply(reply(first, *(trade(key=i) for i in ids_given)), now(1)))
    effects: Sequence[Effect] = ()
    for order in sent.account:
        effects = machine.result(result(order), now(2))
    second = request_of(effects)
    in_calls = [c.model_call_id for c in second.messages[2].tool_calls]

    assert len(set(in_calls)) == len(ids_given)
    assert in_calls == [m.tool_call_id for m in second.messages if m.role == "tool"]
    assert "" not in in_calls


@pytest.mark.parametrize(
    ("outcome", "ends_as"), [("expired", "expired"), ("refused", "failed"), ("failed", "failed")]
)
def test_failed_reply_ends_the_turn(outcome: CallOutcome, ends_as: str) -> None:
    """The turn has the chat node's reason, and no memory line."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    failed = reply(first, outcome=outcome, error="budget is spent")
    turn = turn_of(machine.reply(failed.model_copy(update={"cause": Cause.BUDGET}), now(1)))

    assert (ends_as, "budget is spent", "") == (turn.outcome, turn.error, turn.memory)
    assert "budget" == turn.cause
    assert outcome == turn.rounds[0].outcome


def test_number_of_rounds_is_limited() -> None:
    """After the last tool round the model is not asked again."""
    machine = new_turn(Limits(rounds=2))
    effects = machine.start(now())
    for second in (1, 2):
        sent = calls_of(machine.reply(reply(request_of(effects), trade()), now(second)))
        effects = machine.result(result(sent.account[0], value={"price": "1"}), now(second))
    turn = turn_of(effects)

    assert "max_rounds" == turn.outcome
    assert "asked for tools 2 times" in turn.error
    assert "09:30 bought 0.1 BTC-USD at 1, bought 0.1 BTC-USD at 1" == turn.memory


def test_duplicate_and_foreign_messages_change_nothing() -> None:
    """Late, foreign and repeated replies and results are counted and ignored."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    answer = reply(first, trade())
    sent = calls_of(machine.reply(answer, now(1)))
    order = sent.account[0]
    stranger = result(order.model_copy(update={"call_id": "other"}))

    assert () == machine.reply(answer, now(1))
    assert () == machine.reply(answer.model_copy(update={"call_id": "other"}), now(1))
    assert () == machine.result(stranger, now(1))
    second = request_of(machine.result(result(order), now(2)))
    assert () == machine.result(result(order, "again"), now(2))
    turn = turn_of(machine.reply(reply(second, text="Done."), now(3)))
    assert () == machine.reply(reply(second, text="Again."), now(3))
    assert () == machine.result(result(order), now(3))
    assert () == machine.time_passed(now(900))

    assert 6 == machine.unmatched
    assert ["done"] == [m.content for m in turn.messages if m.role == "tool"]


def test_silent_tool_times_out() -> None:
    """The model learns that an order may still be carried out; other results are kept."""
    machine = new_turn(Limits(tool_s=5))
    first = request_of(machine.start(now()))
    asked = (trade(key="a"), call("calculator", "{}", "b"), call("get_portfolio", "{}", "c"))
    sent = calls_of(machine.reply(reply(first, *asked), now(1)))
    machine.result(result(sent.account[1], "mine"), now(2))

    assert () == machine.time_passed(now(5.9))
    second = request_of(machine.time_passed(now(6)))
    assert [
        "no answer in 5 s; the order may still execute: check get_portfolio",
        "no answer in 5 s; go on without it or ask again",
        "mine",
    ] == tool_texts(second)
    assert () == machine.result(result(sent.account[0], "late"), now(7))
    turn = turn_of(machine.reply(reply(second, text="ok"), now(8)))
    assert (False, False, True) == turn.rounds[0].tools_ok
    assert '09:30 asked to buy 0.1 BTC-USD (no answer in time): "ok"' == turn.memory


def test_silent_chat_node_ends_the_turn() -> None:
    """After the deadline and its grace, the turn has expired and names the node."""
    machine = new_turn(Limits(decision_s=10, grace_s=2))
    machine.start(now())

    assert () == machine.time_passed(now(11.9))
    turn = turn_of(machine.time_passed(now(12)))
    assert ("expired", "timeout") == (turn.outcome, turn.cause)
    assert "chat node 'model' did not answer in 12 s; is it running?" == turn.error
    assert 1 == len(turn.rounds)


def test_no_request_after_the_deadline() -> None:
    """Results that come too late to ask again end the turn; its trade is remembered."""
    machine = new_turn(Limits(decision_s=10, tool_s=30))
    first = request_of(machine.start(now()))
    sent = calls_of(machine.reply(reply(first, trade(), text="in"), now(9)))
    turn = turn_of(machine.result(result(sent.account[0]), now(11)))

    assert "expired" == turn.outcome
    assert '09:30 bought 0.1 BTC-USD: "in"' == turn.memory


def test_stopped_turn_keeps_the_orders_that_were_sent() -> None:
    """The record has the pending calls, so that orders can be traced to their turn."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    sent = calls_of(machine.reply(reply(first, trade()), now(1)))
    turn = turn_of(machine.stop(now(2), "aborted", "stopped"))

    assert ("aborted", "stopped") == (turn.outcome, turn.error)
    assert (sent.account[0].call_id,) == turn.rounds[0].tool_call_ids
    assert "09:30 asked to buy 0.1 BTC-USD (no answer in time)" == turn.memory
    assert () == machine.stop(now(3), "aborted", "twice")


def test_newest_portfolio_counts_in_any_order() -> None:
    """Of two results of one round, the one later in the account's log counts."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    sent = calls_of(machine.reply(reply(first, trade(key="a"), trade(key="b")), now(1)))
    newer: JsonValue = {"portfolio": portfolio_value("2")}
    older: JsonValue = {"portfolio": portfolio_value("1")}
    machine.result(result(sent.account[1], value=newer, seq=8), now(2))
    machine.result(result(sent.account[0], value=older, seq=7), now(2))

    assert machine.known is not None
    assert Decimal(2) == machine.known.portfolio.cash_usd


def test_unknown_price_makes_the_cost_unknown() -> None:
    """A sum with an unknown part is unknown, not smaller."""
    machine = new_turn()
    first = request_of(machine.start(now()))
    second = request_of(machine.reply(reply(first, call("x"), cost=None), now(1)))
    turn = turn_of(machine.reply(reply(second, text="ok", cost="0.5"), now(2)))

    assert turn.usage.cost_usd is None
    assert 200 == turn.usage.prompt_tokens


def test_strategy_without_tools_gets_none() -> None:
    """Every call is refused with a text."""
    machine = new_turn(strategy=Strategy(name="cash", prompt="Hold.", tools=()))
    first = request_of(machine.start(now()))
    second = request_of(machine.reply(reply(first, trade()), now(1)))

    assert () == first.tools
    assert "the tools are: none: answer in words" in tool_texts(second)[0]


def test_aborted_turn_matches_its_start() -> None:
    """It has the start's ids and offsets, and the reason."""
    (first,) = new_turn().start(now())
    assert isinstance(first, SendRequest)
    assert first.started is not None
    turn = aborted_turn(first.started, resolved_agent(), now(60).wall)

    assert (first.started.turn_id, "aborted") == (turn.turn_id, turn.outcome)
    assert "at most once" in turn.error
