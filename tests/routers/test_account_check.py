"""An agent with open orders hears what happened to them before it is asked, and is woken by it."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from arena import ids, topics
from arena.bus.memory import MemoryBus
from arena.exports import export_topics
from arena.messages import (
    ChatReply,
    ChatRequest,
    Gates,
    Message,
    OrderClosing,
    ToolCall,
    ToolResult,
    Turn,
)
from routers.account_check import check_call, look_of, needs_check
from routers.memory import AgentHistory
from routers.prompt_account import closing_phrase
from routers.replay import TurnReplay
from routers.turn_types import Limits
from tests.routers.builders import (
    TRADER,
    now,
    portfolio_value,
    reply,
    result,
    snapshot,
    trade,
)
from tests.routers.fake_peers import (
    FakePeers,
    OtherConnection,
    agent_config,
    playing,
    publish_rules,
    until,
)
from tests.routers.test_gated_router import handled
from tests.routers.test_replay import TOPICS

STOP: dict[str, JsonValue] = {
    "order_id": "o-stop",
    "order_type": "stop_loss",
    "product_id": "BTC-USD",
    "action": "sell",
    "level": "65000.5",
}
FIRED: dict[str, JsonValue] = {
    "order_id": "o-stop",
    "order_type": "stop_loss",
    "product_id": "BTC-USD",
    "action": "sell",
    "status": "filled",
    "cause": "triggered",
    "quantity": "0.4",
    "price": "64990.25",
    "realised": "-12.5",
    "realised_pct": "-1.20",
    "seq": 7,
}
SIBLING: dict[str, JsonValue] = {
    "order_id": "o-take",
    "order_type": "take_profit",
    "product_id": "BTC-USD",
    "action": "sell",
    "status": "cancelled",
    "cause": "sibling_filled",
    "seq": 8,
}
TOLD = "## Since your last turn\n- your stop sold 0.4 BTC-USD at 64990.25, -1.2 %\n## Your account"


class Executor:
    """Tools of an account whose stop fires between two snapshots.

    Args:
        fires_before: Number of the snapshot before which it fires.
    """

    def __init__(self, fires_before: int = 2) -> None:
        """Start without an order."""
        self.fires_at = 100 + fires_before
        self.bought = False
        self.fired = False
        self.silent = False

    def __call__(self, asked: ToolCall) -> ToolResult | None:
        """Buy with a stop, or show the account as of the call's snapshot."""
        if asked.tool == "execute_trade":
            self.bought = True
            value = {"price": "67203.60", "portfolio": self.portfolio()}
            return result(asked, "bought", value, seq=3)
        self.fired |= self.bought and asked.ticker_offsets[0] >= self.fires_at
        return None if self.silent else result(asked, "account", self.portfolio(), seq=9)

    def portfolio(self) -> JsonValue:
        """The account: with the stop, or with what became of it."""
        value = portfolio_value("90000.00")
        assert isinstance(value, dict)
        if self.fired:
            return {**value, "positions": [], "closed": [FIRED, SIBLING]}
        return {**value, "orders": [STOP]} if self.bought else value


def model(request: ChatRequest) -> ChatReply | None:
    """Buy in the first turn; then only talk."""
    first = len(request.messages) == 2 and "cash_usd" not in request.messages[1].content
    if first:
        return reply(request, trade())
    return reply(request, text="Reasoning: done.")


def prompts(turns: list[Turn]) -> list[str]:
    """The user messages."""
    return [turn.messages[1].content for turn in turns]


async def play(
    bus: MemoryBus, count: int, executor: Executor, gates: Gates | None = None
) -> tuple[list[Turn], list[ToolCall]]:
    """The turns and calls of an agent in lock-step."""
    peers = FakePeers(bus, model, executor)
    async with peers.working():
        await publish_rules(bus)
        async with playing(bus, agent_config(pacing="lock-step", gates=gates)):
            for number in range(count):
                await peers.publish(number)
                await handled(peers, number + 1)
        return await peers.ended(), [c for c in peers.calls if c.tool == "get_portfolio"]


async def test_agent_hears_of_its_stop_once(memory_bus: MemoryBus) -> None:
    """At the head of the next prompt, with the account after it; later prompts do not repeat it."""
    turns, checks = await play(memory_bus, 4, Executor())
    found = prompts(turns)

    assert ["", "", TOLD, ""] == [TOLD if TOLD in prompt else "" for prompt in found]
    assert [False, False, True, False] == ["Since your last turn" in prompt for prompt in found]
    assert "order: BTC-USD stop_loss sell all level=65000.5 distance=-3.28% id=o-stop" in found[1]
    assert "position: none" in found[2]
    assert [0, 0, 8, 8] == [turn.heard_seq for turn in turns]
    assert [snapshot(n).snapshot_id for n in (1, 2)] == [c.snapshot_id for c in checks]
    assert [ids.account_check_id(turn.turn_id) for turn in turns[1:3]] == [
        c.call_id for c in checks
    ]
    checked = turns[2].checked
    assert checked is not None
    assert ["o-stop"] == [closing.order_id for closing in checked.closings]
    assert [True, False] == [turns[1].checked is not None, turns[3].checked is not None]


async def test_exit_wakes_the_agent(memory_bus: MemoryBus) -> None:
    """At the snapshot after it fired, whatever its gates say."""
    gates = Gates(every_s=6_000, wake_on=("exit",))
    turns, checks = await play(memory_bus, 5, Executor(fires_before=3), gates)

    assert [(0, "first", ""), (3, "exit", "order o-stop")] == [
        (turn.snapshot_offset, turn.asked, turn.asked_by) for turn in turns
    ]
    assert TOLD in prompts(turns)[1]
    assert 3 == len(checks)  # After the stop fired no order is open.


async def test_exit_does_not_wake_without_the_setting(memory_bus: MemoryBus) -> None:
    """Then it hears of it at its next turn, and the account is asked for only then."""
    turns, checks = await play(memory_bus, 5, Executor(), Gates(every_s=240))

    assert [(0, "first"), (4, "due")] == [(turn.snapshot_offset, turn.asked) for turn in turns]
    assert TOLD in prompts(turns)[1]
    assert 1 == len(checks)


async def test_check_without_an_answer_does_not_hold_the_turn(memory_bus: MemoryBus) -> None:
    """The prompt shows what was known, and the agent hears of it later."""
    executor = Executor()
    config = agent_config(limits=Limits(tool_s=0.3))
    peers = FakePeers(memory_bus, model, executor)
    async with peers.working(), playing(memory_bus, config):
        for number in range(4):
            executor.silent = number == 2
            await peers.publish(number)
            turns = await peers.wait_for_turns(number + 1)

    assert turns[2].checked is None
    assert "order: BTC-USD stop_loss" in prompts(turns)[2]
    assert TOLD in prompts(turns)[3]


@pytest.mark.parametrize("dies_at", ["check", "request"])
async def test_killed_turn_hears_the_same(memory_bus: MemoryBus, dies_at: str) -> None:
    """In lock-step a turn that a kill interrupted is run again with the same prompt."""
    bus = MemoryBus()
    await bus.start()
    expected, _ = await play(bus, 4, Executor())
    executor = Executor()
    dead: list[Message] = []

    def dying(message: Message) -> bool:
        is_third = getattr(message, "snapshot_id", "") == snapshot(2).snapshot_id
        wanted = ChatRequest if dies_at == "request" else ToolCall
        return is_third and isinstance(message, wanted) and not dead

    def answering(request: ChatRequest) -> ChatReply | None:
        if dying(request):
            dead.append(request)
            return None
        return model(request)

    def showing(asked: ToolCall) -> ToolResult | None:
        answer = executor(asked)
        if dying(asked):
            dead.append(asked)
            return None
        return answer

    config = agent_config(pacing="lock-step")
    async with FakePeers(memory_bus, answering, showing).working() as peers:
        await publish_rules(memory_bus)
        other = await OtherConnection.to(memory_bus)
        async with playing(other, config):
            for number in range(3):
                await peers.publish(number)
                await (peers.wait_for_turns(number + 1) if number < 2 else until(lambda: dead))
            other.die()
        request = dead[0]
        if isinstance(request, ChatRequest):
            await memory_bus.append(request.reply_to, reply(request, text="Reasoning: done."))
        async with playing(memory_bus, config):
            await peers.wait_for_turns(3)
            await peers.publish(3)
            turns = await peers.wait_for_turns(4)

    assert prompts(expected) == prompts(turns)
    assert [turn.checked for turn in expected] == [turn.checked for turn in turns]


async def test_turns_with_checks_replay_identically(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Prompts, checks and gates; and a check that was changed is a difference."""
    await play(memory_bus, 5, Executor(3), Gates(every_s=6_000, wake_on=("exit",)))
    await export_topics(memory_bus, tmp_path / "records", TOPICS)
    found = TurnReplay(tmp_path / "records").run()

    assert [] == found.differences
    assert (2, 5) == (found.counts["turns"], found.counts["gate decisions"])
    inbox = memory_bus.cluster.logs[topics.inbox("alpha"), 0]
    changed = [r._replace(value=(r.value or b"").replace(b"64990.25", b"64991.25")) for r in inbox]
    assert changed != list(inbox)
    inbox[:] = changed
    await export_topics(memory_bus, tmp_path / "changed", TOPICS)
    (difference,) = TurnReplay(tmp_path / "changed").run().differences
    assert "checked" in difference["expected"]


def test_account_is_asked_for_only_if_orders_may_be_open() -> None:
    """Known orders, or a turn that was cut off of an agent that may have placed some."""
    history = AgentHistory()
    exits = replace(TRADER, tools=(*TRADER.tools, "set_exit"))

    assert not needs_check(exits, history)
    history.turns = 1
    assert needs_check(exits, history)
    assert not needs_check(TRADER, history)


def test_answer_that_cannot_be_read_changes_nothing() -> None:
    """Closed orders that are malformed are left out."""
    asked = check_call("alpha", snapshot(), now(), 10)
    value = portfolio_value()
    value["closed"] = [3, {"order_id": "x"}, FIRED]

    assert (None, 5) == (look_of(None, 5).check, look_of(result(asked, "x", [1]), 5).heard_seq)
    look = look_of(result(asked, "x", value), 5)
    assert look.check is not None
    assert (1, 7) == (len(look.check.closings), look.heard_seq)


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({}, "your stop sold 0.4 BTC-USD at 64990.25, -1.2 %"),
        (
            {"order_type": "take_profit", "realised_pct": "10"},
            "your take-profit sold 0.4 BTC-USD at 64990.25, +10 %",
        ),
        (
            {"cause": "flatten:max_daily_loss_pct", "order_type": "market"},
            "the limit max_daily_loss_pct sold 0.4 BTC-USD at 64990.25, -1.2 %",
        ),
        (
            {"order_type": "limit", "action": "buy", "realised_pct": None},
            "your limit order bought 0.4 BTC-USD at 64990.25",
        ),
        (
            {
                "order_type": "limit",
                "action": "buy",
                "status": "expired",
                "cause": "expired",
                "realised_pct": None,
            },
            "your limit order for BTC-USD expired; it had bought 0.4 BTC-USD at 64990.25",
        ),
        (
            {"status": "rejected", "reason": "not_tradable", "quantity": None},
            "your stop for BTC-USD was rejected (not tradable)",
        ),
    ],
)
def test_phrases(changes: dict[str, JsonValue], phrase: str) -> None:
    """In words that a trader uses."""
    assert phrase == closing_phrase(OrderClosing.model_validate({**FIRED, **changes}))
