"""Memory lines, and folding an agent's history from its records."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from arena.messages import Message, ToolResult, Turn, TurnStarted
from routers.memory import (
    FINAL_TEXT_CHARS_MAX,
    TRADES_SHOWN_MAX,
    TURNS_REMEMBERED,
    fold_history,
    memory_line,
    trade_phrase,
)
from tests.routers.builders import AS_OF, WALL, call, trade

OUTCOMES = ("completed", "aborted")


def started(number: int, agent: str = "alpha") -> TurnStarted:
    """The start of the n-th turn."""
    return TurnStarted(
        turn_id=f"{agent}-{number}",
        agent=agent,
        snapshot_id=f"s{number}",
        snapshot_offset=number,
        as_of=AS_OF + timedelta(minutes=number),
        started_at=WALL,
    )


def ended(number: int, agent: str = "alpha", memory: str | None = None) -> Turn:
    """The end of the n-th turn."""
    return Turn(
        turn_id=f"{agent}-{number}",
        agent=agent,
        strategy="s",
        node="n",
        snapshot_id=f"s{number}",
        snapshot_offset=number,
        as_of=AS_OF + timedelta(minutes=number),
        outcome="completed",
        memory=f"line {number}" if memory is None else memory,
        started_at=WALL,
        ended_at=WALL,
    )


def answered(ok: bool = True, value: dict[str, str] | None = None, error: str = "") -> ToolResult:
    """The result of an order."""
    return ToolResult(
        call_id="c",
        agent="alpha",
        turn_id="t",
        round=0,
        index=0,
        tool="execute_trade",
        ok=ok,
        text="",
        value=dict(value or {}),
        error=error,
    )


def test_newest_lines_are_kept() -> None:
    """At most the bound, the newest ones, oldest first."""
    records: list[Message] = [r for i in range(9) for r in (started(i), ended(i))]
    history = fold_history("alpha", records)

    assert [f"line {i}" for i in range(9 - TURNS_REMEMBERED, 9)] == list(history.lines)
    assert (8, 9, None) == (history.last_offset, history.turns, history.open_turn)


def test_turn_without_an_end_is_open() -> None:
    """A crash leaves a start without an end, and its snapshot counts as answered."""
    history = fold_history("alpha", [started(1), ended(1), started(2)])

    assert started(2) == history.open_turn
    assert (2, AS_OF + timedelta(minutes=2)) == (history.last_offset, history.last_as_of)


def test_first_end_of_a_turn_counts() -> None:
    """A process that has lost the agent may write a second one; it is ignored."""
    history = fold_history("alpha", [started(1), ended(1), ended(1, memory="late"), started(1)])

    assert ["line 1"] == list(history.lines)
    assert history.open_turn is None
    assert 1 == history.turns


def test_other_agents_of_the_partition_are_ignored() -> None:
    """Only an agent's own records are its history."""
    history = fold_history("alpha", [started(1, "beta"), ended(0), ended(1, "beta")])

    assert ["line 0"] == list(history.lines)
    assert history.open_turn is None


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=60))
def test_repeated_records_change_nothing(steps: list[tuple[int, bool]]) -> None:
    """Every record may come twice in a row: the history is the same."""
    records: list[Message] = [ended(n) if end else started(n) for n, end in steps]
    once = fold_history("alpha", records)
    twice = fold_history("alpha", [r for record in records for r in (record, record)])

    assert (once.lines, once.open_turn, once.turns) == (twice.lines, twice.open_turn, twice.turns)
    assert len(once.lines) <= TURNS_REMEMBERED


def test_line_has_time_trades_and_reasoning() -> None:
    """The model's closing line follows its trades."""
    final_text = 'Let me think.\nReasoning: the "trend" is\nup'

    assert "09:30 bought 0.1 BTC-USD at 67150.10: \"the 'trend' is up\"" == memory_line(
        AS_OF, ["bought 0.1 BTC-USD at 67150.10"], final_text
    )
    assert "09:30 no trade" == memory_line(AS_OF, [], "")


@given(st.lists(st.text(max_size=200), max_size=40), st.text(max_size=3_000))
def test_line_is_single_and_bounded(trades: list[str], final_text: str) -> None:
    """Any text of the model becomes one short line."""
    phrases = [" ".join(t.split())[:120] for t in trades]
    line = memory_line(AS_OF, phrases, final_text)

    assert 1 == len(line.splitlines())
    assert len(line) <= 40 + TRADES_SHOWN_MAX * 122 + FINAL_TEXT_CHARS_MAX


def test_phrase_has_the_outcome_of_an_order() -> None:
    """Filled at a price, refused with a reason, or unanswered."""
    filled = answered(value={"price": "67150.10", "quantity": "0.1"})
    refused = answered(ok=False, error="insufficient_cash")

    assert "bought 0.1 BTC-USD at 67150.10" == trade_phrase(trade(), filled)
    assert "sold 0.1 BTC-USD" == trade_phrase(trade(action="sell"), answered())
    assert "refused to buy 0.1 BTC-USD (insufficient_cash)" == trade_phrase(trade(), refused)
    assert "asked to buy 0.1 BTC-USD (no answer in time)" == trade_phrase(trade(), None)


def test_phrases_of_limit_orders_and_exits() -> None:
    """A limit order that waits, wholly or in part; exits and cancellations."""
    arguments = '{"product_id": "A-USD", "quantity": "2", "action": "sell", "limit_price": "9"}'
    limit = call("execute_trade", arguments)
    waiting = answered(value={"outcome": "accepted", "quantity": "2"})
    part = answered(value={"outcome": "part_filled", "quantity": "0.5", "price": "9.5"})
    exits, cancel = (
        call("set_exit", '{"product_id": "A-USD"}'),
        call("cancel_order", '{"order_id": "all"}'),
    )

    assert "placed a limit order to sell 2 A-USD at 9" == trade_phrase(limit, waiting)
    assert "sold 0.5 A-USD at 9.5; the rest waits" == trade_phrase(limit, part)
    assert "set exits of A-USD" == trade_phrase(exits, answered())
    assert "refused to set exits of A-USD (nothing_held)" == trade_phrase(
        exits, answered(ok=False, error="nothing_held")
    )
    assert "cancelled all orders" == trade_phrase(cancel, answered())


@given(st.text(max_size=500))
def test_any_arguments_give_a_phrase(arguments: str) -> None:
    """Malformed arguments appear as unknown and raise nothing."""
    phrase = trade_phrase(call("execute_trade", arguments), None)

    assert phrase.startswith("asked to ")
    assert "asked to ? ? ? (no answer in time)" == trade_phrase(call("execute_trade", "[1]"), None)
