"""Server-sent events: the newest state first, then changes; resumed where they were cut."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from arena.messages import Turn
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.change_cursor import NEW_MAX, ChangeCursor
from dashboard.model.recent_turns import TURNS_KEPT
from dashboard.web import hub as hub_module
from dashboard.web.options import WebOptions
from dashboard.web.sse import encode_event, newest_seen, places_seen
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.serving import Served, serving

STATES = {"leaderboard", "verdict", "prices", "health", "halt"}
DEADLINE_S = 20.0


class Viewer:
    """One viewer of the hub's stream.

    Attributes:
        events: Type, id and data of every event so far.
    """

    def __init__(self, served: Served, last_event_id: str = "") -> None:
        """Open the stream."""
        self.events: list[tuple[str, str, str]] = []
        self.raw = b""
        self._chunks = served.hub.stream(last_event_id)

    async def read(self) -> list[tuple[str, str, str]]:
        """The events of the next chunk."""
        async with asyncio.timeout(DEADLINE_S):
            chunk = await anext(self._chunks)
        self.raw += chunk
        found = []
        for text in chunk.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
            if "event" in fields:
                found.append((fields["event"], fields["id"], fields["data"]))
        self.events += found
        return found

    async def until(self, kind: str, text: str) -> None:
        """Read until an event of a kind has a text."""
        while not any(one[0] == kind and text in one[2] for one in self.events):
            await self.read()

    async def close(self) -> None:
        """Leave."""
        await self._chunks.aclose()


@asynccontextmanager
async def viewing(served: Served, last_event_id: str = "") -> AsyncIterator[Viewer]:
    """A viewer that leaves at the end."""
    viewer = Viewer(served, last_event_id)
    try:
        yield viewer
    finally:
        await viewer.close()


async def test_first_events_are_the_whole_state() -> None:
    """A viewer that comes late sees what one from the start sees."""
    async with serving(Scenario().run(6)) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as viewer:
            assert [] == await viewer.read()
            first = await viewer.read()
        turns = (await served.client.get("/api/v1/agents/momentum/turns?limit=100")).json()
        board = (await served.client.get("/api/v1/leaderboard")).json()

    assert viewer.raw.startswith(b"retry: ")
    assert {kind for kind, _, _ in first} >= {*STATES, "turn", "trade"}
    seen = {json.loads(data)["turn_id"] for kind, _, data in first if kind == "turn"}
    assert {one["turn_id"] for one in turns["turns"]} <= seen
    shown = json.loads(next(data for kind, _, data in first if kind == "leaderboard"))
    assert board["agents"] == shown["agents"]
    numbers = [int(event_id.split(".")[1]) for _, event_id, _ in first]
    assert sorted(numbers) == numbers


async def test_resumed_viewer_gets_exactly_what_came_after() -> None:
    """The id of the last event continues the stream; that of another arena starts it again."""
    scenario = Scenario().run(3)
    async with serving(scenario) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as viewer:
            await viewer.read()
            await viewer.read()
            last = viewer.events[-1][1]
            old = {data for kind, _, data in viewer.events if kind == "turn"}
            count = len(scenario.records)
            scenario.step()
            await publish(served.bus, scenario, count)
            newest = [one for one in scenario.records if one.topic == "agent.turns"][-1]
            turn = json.loads(newest.value or b"")["turn_id"]
            await viewer.until("turn", turn)

        async with viewing(served, last) as resumed:
            await resumed.until("turn", turn)
            assert not old & {data for kind, _, data in resumed.events if kind == "turn"}
        async with viewing(served, "other.5.arena.t0-1") as restarted:
            await restarted.until("turn", turn)
            assert old <= {data for kind, _, data in restarted.events if kind == "turn"}


async def test_resumed_viewer_gets_more_than_a_new_one() -> None:
    """A fast contest ends hundreds of turns while a process restarts; a new viewer needs few."""
    scenario = Scenario().run(30)
    async with serving(scenario) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as new:
            await new.read()
            await new.read()
        run = new.events[0][1].split(".")[2]
        async with viewing(served, f"earlier.9.{run}.t0-0") as resumed:
            await resumed.read()
            await resumed.read()

    turns = [one for one in resumed.events if one[0] == "turn"]
    ids = [json.loads(data)["turn_id"] for _, _, data in turns]
    written = [r.message() for r in scenario.records if r.topic == "agent.turns"]
    ended = [one.turn_id for one in written if isinstance(one, Turn)]
    places = [json.loads(data)["place"] for _, _, data in turns]
    assert NEW_MAX == len([one for one in new.events if one[0] == "turn"])
    assert sorted(ended) == sorted(ids)
    for partition in {partition for partition, _ in places}:
        offsets = [offset for at, offset in places if at == partition]
        assert sorted(offsets) == offsets
    assert len(scenario.agents) * TURNS_KEPT < len(ids)
    partition, offset = places[3]
    assert f"t{partition}-{offset}" in turns[3][1].split(".")[3].split("_")


async def test_slow_viewer_gets_the_newest_state() -> None:
    """It gets the newest leaderboard, none of those between, and delays no other viewer."""
    scenario = Scenario().run(1)
    async with serving(scenario) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as slow, viewing(served) as fast:
            for viewer in (slow, fast):
                await viewer.read()
                await viewer.read()
            for _ in range(4):
                count = len(scenario.records)
                scenario.step()
                await publish(served.bus, scenario, count)
                assert scenario.newest is not None
                text = f'"snapshots":{scenario.snapshots},'
                await fast.until("leaderboard", text)
            found = await slow.read()

    assert 1 == len([one for one in found if one[0] == "leaderboard"])
    assert len([one for one in fast.events if one[0] == "leaderboard"]) >= 4
    assert {d for k, _, d in fast.events if k == "turn"} == {
        d for k, _, d in slow.events if k == "turn"
    }


async def test_changes_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many viewers there are."""
    encoded = 0
    original = encode_event

    def counting(name: str, body: bytes, event_id: str) -> bytes:
        nonlocal encoded
        encoded += 1
        return original(name, body, event_id)

    monkeypatch.setattr(hub_module, "encode_event", counting)
    async with serving(Scenario().run(2)) as served:
        assert await served.reader.ready(DEADLINE_S)
        viewers = [Viewer(served) for _ in range(50)]
        for viewer in viewers:
            await viewer.read()
            await viewer.read()
        events = len({event_id for viewer in viewers for _, event_id, _ in viewer.events})
        for viewer in viewers:
            await viewer.close()

    assert encoded <= events + len(STATES)


async def test_leaderboard_follows_a_snapshot_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait until the state is due."""
    monkeypatch.setattr(hub_module, "STATE_GAP_S", 1e9)
    scenario = Scenario().run(3)
    async with serving(scenario) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as viewer:
            await viewer.until("leaderboard", '"snapshots":3')
            count = len(scenario.records)
            scenario.step()
            await publish(served.bus, scenario, count)
            await viewer.until("leaderboard", '"snapshots":4')


async def test_without_viewers_nothing_is_computed() -> None:
    """Without viewers no event is encoded."""
    scenario = Scenario().run(1)
    async with serving(scenario) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as viewer:
            await viewer.read()
            await viewer.read()
        before = served.reader.moment().number
        count = len(scenario.records)
        scenario.step()
        await publish(served.bus, scenario, count)
        while served.reader.view.market.newest_offset < scenario.snapshots - 1:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)

        assert served.reader.moment().number <= before + 1
        assert 0 == served.hub.viewers


async def test_hidden_prompts_are_not_streamed() -> None:
    """The words of models are left out."""
    async with serving(Scenario().run(3), WebOptions(hide_prompts=True)) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as viewer:
            await viewer.read()
            await viewer.read()

    turns = [json.loads(data) for kind, _, data in viewer.events if kind == "turn"]
    assert turns
    assert {""} == {one["words"] for one in turns}
    assert "Fees eat this edge" not in viewer.raw.decode()


async def test_quiet_stream_gets_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or proxies would cut it."""
    monkeypatch.setattr(hub_module, "QUIET_S", 0.05)
    monkeypatch.setattr(hub_module, "IDLE_S", 60.0)
    async with serving(Scenario().run(1)) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as viewer:
            while b": nothing new" not in viewer.raw:
                await viewer.read()


async def test_closed_hub_ends_the_streams() -> None:
    """Each viewer's stream ends at once."""
    async with serving(Scenario().run(1)) as served:
        assert await served.reader.ready(DEADLINE_S)
        viewer = Viewer(served)
        await viewer.read()
        served.hub.close()
        with pytest.raises(StopAsyncIteration):
            while True:
                await viewer.read()


async def test_viewers_that_come_together_get_each_change_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first ones of a process, which all wait for the number of partitions."""

    async def slow(_reader: ArenaReader) -> int:
        await asyncio.sleep(0.01)
        return 1

    monkeypatch.setattr(ArenaReader, "turn_partitions", slow)
    async with serving(Scenario().run(3)) as served:
        assert await served.reader.ready(DEADLINE_S)
        viewers = [Viewer(served) for _ in range(3)]
        await asyncio.gather(*(viewer.read() for viewer in viewers))
        await asyncio.gather(*(viewer.read() for viewer in viewers))
        for viewer in viewers:
            await viewer.close()

    for viewer in viewers:
        changes = [data for kind, _, data in viewer.events if kind in ("turn", "trade")]
        assert changes
        assert len(set(changes)) == len(changes)


async def test_restarted_process_continues_a_stream() -> None:
    """A viewer gets the whole newest state, and each turn and order once, in order."""
    scenario = Scenario().run(4)
    async with serving(scenario) as served:
        assert await served.reader.ready(DEADLINE_S)
        async with viewing(served) as whole:
            await whole.read()
            first = await whole.read()
        changes = [one for one in first if one[0] in ("turn", "trade")]
        for cut in (0, 7, len(changes) - 1):
            last = "earlier" + changes[cut][1].removeprefix(served.reader.boot)
            async with viewing(served, last) as viewer:
                await viewer.read()
                found = await viewer.read()
            assert changes[cut + 1 :] == [one for one in found if one[0] in ("turn", "trade")]
            assert {kind for kind, _, _ in found} >= STATES


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("b.5", 5),
        ("b.9.r.t0-1", 9),
        ("b.10", 0),
        ("a.5", 0),
        ("", 0),
        ("b.", 0),
        ("b.-1", 0),
        ("5", 0),
    ],
)
def test_last_event_id_counts_only_for_its_process(text: str, number: int) -> None:
    """Others start again from the whole state."""
    assert number == newest_seen(text, "b", 9)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a.5.r.o1-7_t0-3", {"o1": 7, "t0": 3}),
        ("a.5.r.t0-4", {}),
        ("a.5.r.t9-1", {}),
        ("a.5.other.t0-3", {}),
        ("a.5.r.", {}),
        ("a.5", {}),
        ("", {}),
        ("a.5.r.t0-x_o1-7", {}),
        ("a.5.r.__", {}),
    ],
)
def test_places_count_only_for_their_run(text: str, places: dict[str, int]) -> None:
    """A place beyond the newest record is one of a run before, under the same name."""
    assert places == places_seen(text, "r", {"t0": 3, "o1": 9})


def test_cursor_gives_each_turn_and_order_once() -> None:
    """In the order in which they came; at most the newest at first."""
    from tests.dashboard.views import view_of

    scenario = Scenario().run(30)
    cursor = ChangeCursor(1)
    turns = cursor.new_turns(view_of(scenario.records))
    trades = cursor.new_trades(view_of(scenario.records))
    assert NEW_MAX == len(turns)
    assert sorted(one.place for one in turns) == [one.place for one in turns]

    scenario.run(2)
    view = view_of(scenario.records)
    more, later = cursor.new_turns(view), cursor.new_trades(view)

    assert 12 == len(more)
    assert not {one.turn_id for one in turns} & {one.turn_id for one in more}
    assert not {one.order_id for one, _ in trades} & {one.order_id for one, _ in later}
    assert () == cursor.new_turns(view)
    assert () == cursor.new_trades(view)
