"""A halt that was confirmed is not forgotten when `arena.control` loses its records."""

import asyncio
from collections.abc import AsyncIterator, Callable, MutableSequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.exports import export_topics
from arena.halt_command import read_halts
from arena.halt_confirmation import append_and_confirm
from arena.kill_switch import lost_records_halt, parse_lost_records_halt
from arena.liveness import CONTROL_UNPROVEN, RECORDS_LOST
from arena.messages import Halt, Heartbeat, OrderDecided, RejectReason, Resume
from tests.trading_tools.helpers import (
    WAIT_S,
    product,
    read_until,
    serving,
    ticker,
    tool_call,
)
from trading_tools import control_loss, kill_switch
from trading_tools.control_loss import (
    ControlPosition,
    contradicts_topic,
    latest_position,
    positions_in,
)
from trading_tools.replay import OrderReplay

BUY = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'
CONTROL, EVENTS = topics.CONTROL.name, topics.EVENTS.name
EXPORTED = [
    spec.name
    for spec in (topics.EVENTS, topics.COMMANDS, topics.TICKERS, topics.ROSTER, topics.CONTROL)
]

Gone = Callable[[ControlPosition], bool]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for a topic that is too short."""
    monkeypatch.setattr(kill_switch, "SHORT_S", 0.02)


def _control(bus: MemoryBus) -> MutableSequence[Record]:
    return bus.cluster.logs[CONTROL, 0]


def _halt(agent: str | None = None) -> Halt:
    return Halt(agent=agent, by="test", at=datetime.now(UTC))


def _resume() -> Resume:
    return Resume(by="test", at=datetime.now(UTC))


async def _decided(bus: MemoryBus, index: int) -> list[RejectReason | None]:
    call = tool_call("momentum", "execute_trade", BUY, index=index)
    await bus.append(topics.COMMANDS.name, call, key="momentum")
    events = await read_until(bus, EVENTS, OrderDecided, index + 1)
    return [event.reason for event in events]


async def _confirmed(bus: MemoryBus, message: Halt | Resume) -> None:
    assert {} == (await append_and_confirm(bus, message, WAIT_S)).unconfirmed


@asynccontextmanager
async def _after_a_confirmed_halt(bus: MemoryBus) -> AsyncIterator[None]:
    """Run an executor that obeys a halt of one agent and ends."""
    await bus.ensure_topics(topics.fixed_topics())
    await bus.append(topics.TICKERS.name, product(), key="BTC-USD")
    await bus.append(topics.TICKERS.name, ticker("67201.10", "67203.55"), key="BTC-USD")
    async with serving(bus):
        assert [None] == await _decided(bus, 0)
        await _confirmed(bus, _resume())
        await _confirmed(bus, _halt("momentum"))
    await asyncio.sleep(0.002)  # Records from now on have a later time, in whole milliseconds.
    yield


@pytest.mark.parametrize("left", [0, 1])
async def test_all_agents_are_halted_after_a_loss_until_a_resume(
    memory_bus: MemoryBus, tmp_path: Path, left: int
) -> None:
    """The topic was cut or created again; every start reports it, and a replay agrees."""
    async with _after_a_confirmed_halt(memory_bus):
        del _control(memory_bus)[left:]
    for index in (1, 2):
        async with serving(memory_bus) as node:
            found = await _decided(memory_bus, index)
            assert ["all"] == node.details["halted"]
            reported = str(node.heartbeat(datetime.now(UTC)).details[RECORDS_LOST])
            if index == 2:
                shown = (await read_halts(memory_bus)).lines()
                await _confirmed(memory_bus, _resume())
                found = await _decided(memory_bus, 3)
                assert [] == (await read_halts(memory_bus)).lines()
    async with serving(memory_bus) as node:
        assert RejectReason.HALTED not in (await _decided(memory_bus, 4))[3:]
        assert [] == node.details["halted"] == (await read_halts(memory_bus)).lines()
    assert shown[0].startswith(f"halted: everybody by a record that cannot be read, {CONTROL}[0]@")
    assert [None, RejectReason.HALTED, RejectReason.HALTED, None] == found
    assert "records that an executor had read are lost" in reported
    if not left:
        await export_topics(memory_bus, tmp_path / "records", EXPORTED)
        assert [] == OrderReplay(tmp_path / "records").run().differences


@pytest.mark.parametrize("written", [0, 1, 2, 5])
async def test_halt_after_a_loss_lifts_nothing(memory_bus: MemoryBus, written: int) -> None:
    """Only a resume of all agents shows that the operator knows what is halted."""
    async with _after_a_confirmed_halt(memory_bus):
        _control(memory_bus).clear()
        for number in range(written):
            await memory_bus.append(CONTROL, _halt(f"z{number}"), key=f"agent/z{number}")
    async with serving(memory_bus):
        await _confirmed(memory_bus, _halt("scalper"))
        await _confirmed(memory_bus, Resume(agent="scalper", by="test", at=datetime.now(UTC)))
        assert RejectReason.HALTED == (await _decided(memory_bus, 1))[-1]


async def test_forged_loss_ends_with_a_resume(memory_bus: MemoryBus) -> None:
    """A heartbeat with a loss in the far future halts until a resume, and not after it."""
    await memory_bus.ensure_topics(topics.fixed_topics())
    now = datetime.now(UTC)
    beat = Heartbeat(
        node="tools/evil/h/9",
        kind="tools",
        name="evil",
        host="h",
        pid=9,
        started_at=now,
        at=now,
        details={"control_lost": {"0": [100_000, 99_999_999_999_999]}},
    )
    await memory_bus.append(topics.HEARTBEATS.name, beat, key=beat.node)
    await asyncio.sleep(0.002)  # Records from now on have a later time, in whole milliseconds.
    async with serving(memory_bus) as node:
        await _confirmed(memory_bus, _halt("momentum"))
        assert ["all", "momentum"] == node.details["halted"]
        await _confirmed(memory_bus, _resume())
    async with serving(memory_bus) as node:
        await _confirmed(memory_bus, _halt("scalper"))
        assert ["momentum", "scalper"] == node.details["halted"]
        halts = await read_halts(memory_bus)
    assert halts.halt_of_all() is None


async def test_intact_topic_halts_only_what_it_says(memory_bus: MemoryBus) -> None:
    """A confirmed halt is there; no loss is reported."""
    async with _after_a_confirmed_halt(memory_bus):
        await memory_bus.append(CONTROL, _halt("scalper"), key="agent/scalper")
    async with serving(memory_bus) as node:
        assert RejectReason.HALTED == (await _decided(memory_bus, 1))[-1]
        assert ["momentum", "scalper"] == node.details["halted"]
        assert RECORDS_LOST not in node.heartbeat(datetime.now(UTC)).details


async def test_record_written_during_the_check_is_not_a_loss(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another executor has read a record that came after this one had read the topic."""
    read_control_positions = control_loss.read_control_positions

    async def meanwhile(bus: MemoryBus, contradicts_topic: Gone) -> list[ControlPosition]:
        await bus.append(CONTROL, _halt("scalper"), key="agent/scalper")
        return [*await read_control_positions(bus, contradicts_topic), ControlPosition(3, 2**62)]

    async with _after_a_confirmed_halt(memory_bus):
        monkeypatch.setattr(kill_switch, "read_control_positions", meanwhile)
    async with serving(memory_bus) as node:
        await _decided(memory_bus, 1)
        assert "all" not in str(node.details["halted"])


async def test_forbidden_heartbeats_are_reported(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The executor serves, and reports that the topic was not compared."""

    async def refused(bus: MemoryBus, contradicts_topic: Gone) -> list[ControlPosition]:
        raise UsageError("the brokers do not let this login read arena.heartbeats")

    async with _after_a_confirmed_halt(memory_bus):
        monkeypatch.setattr(kill_switch, "read_control_positions", refused)
    async with serving(memory_bus) as node:
        await _decided(memory_bus, 1)
        assert "do not let this login" in str(node.details[CONTROL_UNPROVEN])


def _beat(details: object) -> Record:
    return Record("", 0, 0, 500, b"tools/x", orjson.dumps({"details": details}))


@pytest.mark.parametrize("name", ["control_read", "control_lost"])
@pytest.mark.parametrize(
    "reported", [3, None, [], {"0": 3}, {"0": "3"}, {"0": [3]}, {"0": ["x", 3]}]
)
def test_details_in_another_form_are_ignored(name: str, reported: object) -> None:
    """They come from an older executor, or from another process."""
    assert [] == positions_in(_beat({name: reported}))
    assert [] == positions_in(_beat(reported))
    assert [] == positions_in(_beat({})._replace(value=b"["))


def test_loss_is_repeated_with_its_first_time() -> None:
    """A resume after that time ends it, not only one after the newest heartbeat."""
    read, lost = positions_in(
        _beat({"control_read": {"0": [3, 2, "d"]}, "control_lost": {"0": [9, 1]}})
    )
    (forged,) = positions_in(_beat({"control_lost": {"0": [9, 10**14]}}))

    assert ControlPosition(3, 500, 2, "d") == read
    assert ControlPosition(9, 1, is_lost=True) == lost
    assert contradicts_topic(lost, 100, {})
    assert 500 == forged.at_ms, "a time after the heartbeat itself is forged"


@pytest.mark.parametrize(
    ("reported", "gone"),
    [
        (ControlPosition(4, 0, 2, "two"), False),
        (ControlPosition(5, 0, 2, "two"), True),
        (ControlPosition(3, 0, 2, "other"), True),
        (ControlPosition(2, 0, 1, "compacted away"), False),
        (ControlPosition(0, 0), False),
    ],
)
def test_position_that_contradicts_the_topic_is_a_loss(
    reported: ControlPosition, gone: bool
) -> None:
    """An offset after the end, or another record at it; a compacted record proves nothing."""
    assert gone == contradicts_topic(reported, 4, {2: "two", 3: "three"})


def test_only_a_resume_after_the_newest_heartbeat_ends_the_halt() -> None:
    """Regardless of which executor had read further."""
    assert ControlPosition(9, 200) == latest_position(
        [ControlPosition(9, 100), ControlPosition(5, 200)]
    )
    assert latest_position([]) is None


def test_sentence_of_the_halt_names_the_loss() -> None:
    """A replay writes the same sentence; a forged sentence differs."""
    stop = lost_records_halt("arena.control[0]@4", 12)

    assert stop == parse_lost_records_halt(stop.sentence)
    assert parse_lost_records_halt(stop.sentence + " now") is None
    assert parse_lost_records_halt("trading was halted at 09:12:03 UTC") is None
