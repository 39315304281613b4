"""Pages of turns and trades are the same from memory and from the topics, early and late."""

import asyncio
from typing import NoReturn

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import BrokerUnavailable, UsageError
from arena.messages import OrderDecided, Turn
from dashboard.model import history, recent_turns
from dashboard.model.history import History
from dashboard.model.queries import UnknownName
from dashboard.model.results import Trade, TurnSummary
from dashboard.model.view import ArenaView
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

AGENT = "momentum"


@pytest.fixture
async def arena(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> tuple[ArenaView, History, Scenario]:
    """A season of 60 snapshots in the topics, and a view that keeps 8 turns per agent."""
    monkeypatch.setattr(recent_turns, "TURNS_KEPT", 8)
    monkeypatch.setattr(history, "TURNS_KEPT", 8)
    monkeypatch.setattr(history, "BLOCK", 16)
    scenario = Scenario().run(60)
    await memory_bus.ensure_topics(topics.fixed_topics())
    await publish(memory_bus, scenario)
    return view_of(scenario.records), History(memory_bus), scenario


async def _all_turns(view: ArenaView, reader: History, limit: int) -> list[TurnSummary]:
    found: list[TurnSummary] = []
    cursor: str | None = None
    while True:
        page = await reader.turns(view, AGENT, limit, cursor)
        found += page.turns
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 5, 8, 100])
async def test_every_turn_is_on_one_page(
    arena: tuple[ArenaView, History, Scenario], limit: int
) -> None:
    """The first pages come from memory, the others from the topic."""
    view, reader, scenario = arena
    written = [record.message() for record in scenario.records if record.topic == topics.TURNS.name]
    ids = [one.turn_id for one in written if isinstance(one, Turn) and one.agent == AGENT]

    found = await _all_turns(view, reader, limit)

    assert ids[::-1] == [one.turn_id for one in found]


async def test_old_turn_is_whole(arena: tuple[ArenaView, History, Scenario]) -> None:
    """Its prompt is the text that the model got."""
    view, reader, scenario = arena
    first = next(
        message
        for record in scenario.records
        if isinstance(message := record.message(), Turn) and message.agent == AGENT
    )

    found = await reader.turn(view, AGENT, first.turn_id)

    assert first.messages == (*found.prompt, *found.conversation)
    assert [one.role for one in found.prompt] == ["system", "user"][: len(found.prompt)]
    assert len(first.rounds) == len(found.rounds)


@pytest.mark.parametrize("agent", [None, AGENT])
@pytest.mark.parametrize("limit", [3, 100])
async def test_every_order_is_on_one_page(
    arena: tuple[ArenaView, History, Scenario], agent: str | None, limit: int
) -> None:
    """Those that the fold keeps, and those that are read from the log."""
    view, reader, scenario = arena
    for shard in view.accounts.shards.values():
        while len(shard.recent) > 4:
            shard.recent._values.popleft()
    decided = [
        message
        for record in scenario.records
        if isinstance(message := record.message(), OrderDecided) and agent in (None, message.agent)
    ]
    found: list[Trade] = []
    cursor: str | None = None
    while True:
        page = await reader.trades(view, agent, limit, cursor)
        found += page.trades
        cursor = page.cursor
        if cursor is None:
            break

    assert decided
    assert {one.order_id for one in decided} == {one.order_id for one in found}
    assert len(decided) == len(found)
    assert page.complete


async def test_unknown_names_and_cursors_are_refused(
    arena: tuple[ArenaView, History, Scenario],
) -> None:
    """The error names what there is."""
    view, reader, _ = arena
    with pytest.raises(UnknownName, match="unknown agent 'nobody'"):
        await reader.turns(view, "nobody")
    with pytest.raises(UnknownName, match="has no turn"):
        await reader.turn(view, AGENT, "no-such-turn")
    for cursor in ("x", "-1", "1:2", "9" * 40, ""):
        with pytest.raises(UsageError, match="cursor"):
            await reader.turns(view, AGENT, 5, cursor)
        with pytest.raises(UsageError, match="cursor"):
            await reader.trades(view, AGENT, 5, cursor)


async def test_silent_broker_ends_a_page_in_time(
    arena: tuple[ArenaView, History, Scenario],
    memory_bus: MemoryBus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also for those that wait for a reader, and the readers are free again afterwards."""
    view, reader, _ = arena

    async def silent(*_: object) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(history, "ANSWER_S", 0.05)
        patched.setattr(memory_bus, "partition_reader", silent)
        many = [reader.turns(view, AGENT, 50) for _ in range(3 * history.READERS_MAX)]
        async with asyncio.timeout(10):
            found = await asyncio.gather(*many, return_exceptions=True)
        assert {BrokerUnavailable} == {type(one) for one in found}

    assert 50 == len((await reader.turns(view, AGENT, 50)).turns)
