"""The command handler: which commands count, their outcomes, and repeated replies."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from arena import accounts, ids, topics
from arena.accounts import Shard
from arena.messages import Heartbeat, OpenAccount, OrderDecided, ToolCall
from arena.money import to_units
from arena.wire import encode
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.command_handler import CommandHandler
from trading_tools.events import epoch_of
from trading_tools.handled_command import ISSUED_AHEAD, TOO_OLD, HandledCommand
from trading_tools.quotes import MarketState
from trading_tools.registry import load_catalogue
from trading_tools.rules import TradingRules

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
HOUR = timedelta(hours=1)
BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'


@pytest.fixture
def handler() -> CommandHandler:
    """The handler of the only shard, just claimed, in a market with one product."""
    market = MarketState()
    market.note(product(), 0, 0)
    market.note(ticker("67201.10", "67203.55").model_copy(update={"received_at": NOW}), 0, 1)
    shard = Shard()
    shard.apply("Epoch", encode(epoch_of(shard, "me", NOW)).value, 0)
    tools = {n: t for n, t in load_catalogue().items() if t.touches_account}
    return CommandHandler(0, 1, shard, market, TradingRules(), tools)


# Any: fields of a ToolCall.
def trade(index: int = 0, arguments: str = BUY, **changes: Any) -> ToolCall:
    """An order of the agent momentum before its deadline."""
    fields: dict[str, Any] = {"issued_at": NOW, "deadline_at": NOW + timedelta(seconds=30)}
    tool = changes.pop("tool", "execute_trade")
    return tool_call("momentum", tool, arguments, index=index, **fields | changes)


def read_account(index: int, **changes: Any) -> ToolCall:  # Any: as above
    """A call of the agent momentum that reads its account."""
    return trade(index, "{}", tool="get_portfolio", **changes)


def kinds(handled: HandledCommand) -> list[str]:
    """The kinds of the appended events."""
    return [append.kind for append in handled.appends]


def test_first_call_opens_the_account(handler: CommandHandler) -> None:
    """An agent without an account gets its starting cash before its first order."""
    handled = handler.handle(trade(), 5, NOW)

    assert ["AccountOpened", "OrderDecided"] == kinds(handled)
    assert "filled" == handled.kind
    assert 5 == handler.shard.source_offset


def test_crash_between_opening_and_order_loses_no_order(handler: CommandHandler) -> None:
    """After the opening that an order implies, the order is read again."""
    opening, order = handler.handle(trade(), 5, NOW).appends
    recovered = Shard()
    recovered.apply("Epoch", encode(epoch_of(recovered, "me", NOW)).value, 0)
    recovered.apply(opening.kind, opening.value, opening.offset)

    assert 4 == recovered.source_offset
    assert recovered.apply(order.kind, order.value, order.offset) is not None


def test_profit_is_set_aside_in_the_event_of_the_sell(handler: CommandHandler) -> None:
    """The share that the account was opened with applies in the same event."""
    fifth = Decimal("0.2")
    command = OpenAccount(call_id="open", agent="momentum", scrape=fifth, issued_at=NOW)
    handler.handle(command, 0, NOW)
    handler.handle(trade(0), 1, NOW)
    dearer = ticker("80000", "80001").model_copy(update={"received_at": NOW})
    handler.market.note(dearer, 0, 2)
    handled = handler.handle(trade(1, BUY.replace("buy", "sell")), 2, NOW)
    (record,) = handled.appends
    event = OrderDecided.model_validate_json(record.value)
    account = handler.shard.accounts["momentum"]

    assert event.realised is not None
    assert event.scraped is not None
    assert to_units(event.scraped) == account.scraped == account.realised // 500 * 100
    assert account.cash + account.scraped == account.opening + account.realised
    looked = handler.handle(read_account(2), 3, NOW).reply
    assert looked is not None
    assert "USD of profit set aside" in looked.text


def test_account_is_opened_once(handler: CommandHandler) -> None:
    """Requesting it again, in any way, changes nothing."""
    command = OpenAccount(call_id="open", agent="momentum", issued_at=NOW)
    first = handler.handle(command, 0, NOW)
    again = [handler.handle(command, 1, NOW), handler.handle(command, 0, NOW)]
    other = handler.handle(command.model_copy(update={"call_id": "other"}), 2, NOW)
    order = handler.handle(trade(), 3, NOW)

    assert ("opened", ["AccountOpened"]) == (first.kind, kinds(first))
    assert ["duplicate"] * 3 == [handled.kind for handled in (*again, other)]
    assert ["OrderDecided"] == kinds(order)


def test_order_is_decided_once_and_answered_again(handler: CommandHandler) -> None:
    """A second copy gets the same reply from the log, not a second fill."""
    first = handler.handle(trade(), 0, NOW)
    handler.handle(trade(1), 1, NOW)
    again = handler.handle(trade(), 2, NOW)

    assert ("duplicate", []) == (again.kind, kinds(again))
    assert first.reply is not None
    assert again.reply is not None
    assert (first.reply.text, first.reply.account_seq) == (
        again.reply.text,
        again.reply.account_seq,
    )
    assert 2 == handler.shard.accounts["momentum"].fills


def test_copy_after_the_deadline_is_not_answered(handler: CommandHandler) -> None:
    """Old commands that are read again after a long stop get no reply."""
    handler.handle(trade(), 0, NOW)

    assert handler.handle(trade(), 0, LATER).reply is None


def test_new_order_at_an_old_offset_is_decided(handler: CommandHandler) -> None:
    """Offsets repeat in a log that was cut or created again; ids say what was decided."""
    handler.handle(trade(), 5, NOW)
    handled = handler.handle(trade(7), 0, NOW)

    assert ("filled", ["OrderDecided"]) == (handled.kind, kinds(handled))


def test_copy_of_a_forgotten_order_gets_no_second_event(
    handler: CommandHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time or late, at any offset: it is refused, dead-lettered, and moves no money."""
    monkeypatch.setattr(accounts, "ORDERS_REMEMBERED", 3)
    for number in range(6):
        issued = NOW + timedelta(milliseconds=number)
        handler.handle(trade(number, issued_at=issued), number, NOW)
    before = handler.shard.digest()
    in_time, late = handler.handle(trade(0), 9, NOW), handler.handle(trade(0), 9, LATER)

    assert [("refused", TOO_OLD, [])] * 2 == [(h.kind, h.reason, kinds(h)) for h in (in_time, late)]
    assert in_time.dead_letter_reason
    assert in_time.reply is not None
    assert (TOO_OLD, None) == (in_time.reply.error, late.reply)
    assert before == handler.shard.digest()
    new = trade(9, issued_at=NOW + timedelta(milliseconds=9))
    assert "filled" == handler.handle(new, 10, NOW).kind


def _written_ms(ahead: timedelta) -> int:
    """The record time of an order of `trade` that is issued this long after it."""
    return int((NOW - ahead).timestamp() * 1000)


@pytest.mark.parametrize("ahead", [timedelta(hours=1, seconds=1), timedelta(days=30_000)])
def test_order_issued_far_ahead_blocks_no_later_order(
    handler: CommandHandler, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """If its issue time were kept, the agent's later orders would be too old until then."""
    monkeypatch.setattr(accounts, "ORDERS_REMEMBERED", 1)
    forged = trade(0, issued_at=NOW + ahead, deadline_at=LATER + ahead)
    handled = handler.handle(forged, 0, NOW, written_ms=_written_ms(timedelta(0)))
    after = [handler.handle(trade(n), n, NOW, written_ms=_written_ms(timedelta(0))) for n in (1, 2)]

    assert ("refused", ISSUED_AHEAD, []) == (handled.kind, handled.reason, kinds(handled))
    assert handled.reply is not None
    assert "more than 1 h after the broker had it" in handled.reply.text
    assert handled.dead_letter_reason
    assert ["filled", "filled"] == [one.kind for one in after]


def test_order_issued_ahead_is_refused_whenever_it_is_read(handler: CommandHandler) -> None:
    """Also once that time has come: its agent was told that nothing was traded."""
    forged = trade(0, issued_at=NOW, deadline_at=LATER)
    written_ms = _written_ms(timedelta(hours=2))
    handled = [
        handler.handle(forged, 0, at, written_ms=written_ms) for at in (NOW, LATER + 2 * HOUR)
    ]

    assert [ISSUED_AHEAD, ISSUED_AHEAD] == [one.reason for one in handled]


@pytest.mark.parametrize("written_ms", [0, -1, _written_ms(timedelta(minutes=59)), 2**62])
def test_clock_slightly_ahead_costs_no_order(handler: CommandHandler, written_ms: int) -> None:
    """Nor does a record whose time is unknown or far off itself."""
    assert "filled" == handler.handle(trade(), 0, NOW, written_ms=written_ms).kind


def test_another_agents_order_id_reveals_nothing(handler: CommandHandler) -> None:
    """An agent that sends another agent's id learns only that it is used."""
    handler.handle(trade(), 0, NOW)
    thief = trade().model_copy(update={"agent": "brainrot", "reply_to": topics.inbox("brainrot")})
    handled = handler.handle(thief, 1, NOW)

    assert handled.reply is not None
    assert isinstance(handled.reply.value, dict)
    assert {"order_id", "outcome", "reason"} == set(handled.reply.value)
    assert "brainrot" not in handler.shard.accounts


def test_portfolio_includes_the_trade_before_it(handler: CommandHandler) -> None:
    """Commands are answered in their order, whether events are acked or not."""
    handler.handle(trade(), 0, NOW)
    handled = handler.handle(read_account(1), 1, NOW)

    assert ("read", []) == (handled.kind, kinds(handled))
    assert handled.reply is not None
    assert "BTC-USD | 0.01 |" in handled.reply.text
    assert "Cash 99323.80 USD" in handled.reply.text


def test_unreadable_orders_are_decided_and_unreadable_reads_are_not(
    handler: CommandHandler,
) -> None:
    """Every order has an event, and only orders have one."""
    order = handler.handle(trade(0, '{"quantity": '), 0, NOW)
    read = handler.handle(trade(1, "[]", tool="get_portfolio"), 1, NOW)
    unknown = handler.handle(trade(2, tool="buy_everything\x1b["), 2, NOW)

    assert ("rejected", "malformed_arguments") == (order.kind, order.reason)
    assert [("refused", "malformed_arguments"), ("refused", "unknown_tool")] == [
        (h.kind, h.reason) for h in (read, unknown)
    ]
    assert unknown.reply is not None
    assert "There is no account tool 'buy_everything\\x1b['" in unknown.reply.text
    assert [] == read.appends + unknown.appends


def test_read_after_its_deadline_is_not_run(handler: CommandHandler) -> None:
    """No account is opened for it."""
    handled = handler.handle(read_account(0), 0, LATER)

    assert ("refused", "expired") == (handled.kind, handled.reason)
    assert {} == handler.shard.accounts


def test_only_orders_to_decide_need_prices(handler: CommandHandler) -> None:
    """A read, a copy and an unknown tool do not wait for prices."""
    needed = {0: 9}
    handler.handle(trade(), 0, NOW)

    assert needed == handler.prices_needed(trade(1, ticker_offsets=needed))
    assert {} == handler.prices_needed(trade(0, ticker_offsets=needed))
    assert {} == handler.prices_needed(read_account(1, ticker_offsets=needed))
    assert {} == handler.prices_needed(trade(1, tool="x", ticker_offsets=needed))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"agent": "../momentum"}, "cannot be part of a topic name"),
        ({"agent": "all"}, "no agent may be called 'all'"),
        ({"reply_to": topics.EVENTS.name}, "reply_to is not agent.inbox.momentum"),
        ({"reply_to": topics.inbox("brainrot")}, "reply_to is not agent.inbox.momentum"),
        ({"call_id": ""}, "call_id has 0 characters"),
        ({"call_id": "x" * 1_000}, "call_id has 1,000 characters"),
        ({"turn_id": "x" * 1_000}, "more than 128 characters"),
        ({"snapshot_id": "x" * 1_000}, "more than 128 characters"),
        ({"round": 2**70}, "round or index"),
        ({"index": -1}, "round or index"),
    ],
)
def test_harmful_envelopes_are_invalid(
    handler: CommandHandler, changes: dict[str, Any], says: str
) -> None:
    """Everything that is copied into events and topics is checked first."""
    why_invalid = handler.why_invalid(trade().model_copy(update=changes))

    assert why_invalid is not None
    assert says in why_invalid


def test_other_messages_and_other_shards_are_invalid(handler: CommandHandler) -> None:
    """A command belongs to the shard of its agent."""
    beat = Heartbeat(node="n", kind="k", name="n", host="h", pid=1, started_at=NOW, at=NOW)
    two = CommandHandler(1, 2, Shard(), handler.market, handler.rules, handler.tools)
    agents = [f"a{n}" for n in range(20)]
    here = [
        a for a in agents if not two.why_invalid(OpenAccount(call_id="c", agent=a, issued_at=NOW))
    ]

    assert "account.commands holds a Heartbeat" == handler.why_invalid(beat)
    assert {1} == {topics.partition_of(agent, 2) for agent in here}
    assert handler.why_invalid(trade()) is None


def test_ids_are_derived(handler: CommandHandler) -> None:
    """The same opening has the same id in every process."""
    handler.handle(trade(), 0, NOW)

    assert ids.derive("open-account", "momentum") in handler.shard.orders
