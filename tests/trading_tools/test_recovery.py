"""Recovery on a real log: the same state from a checkpoint, and none that does not fit."""

from pathlib import Path

import pytest

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Bus
from arena.clock import SystemClock
from arena.node import Node
from arena.settings import Settings
from tests.arena.test_accounts import Log
from trading_tools import checkpoints
from trading_tools.checkpoints import ShardCheckpoint
from trading_tools.recovery import EventLog

ORDERS = 30
BETWEEN = 10


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and a checkpoint every few events."""
    monkeypatch.setattr(checkpoints, "EVENTS_BETWEEN", BETWEEN)
    return tmp_path


def _node(bus: Bus, home: Path) -> Node:
    return Node("tools", "test", Settings(home=home), bus, SystemClock())


def _written(orders: int = ORDERS, size: str = "0.001") -> Log:
    log = Log()
    log.claim("one")
    log.open()
    for number in range(orders):
        log.append(log.fill(str(number), "buy", size))
    return log


async def _append(bus: Bus, records: list[tuple[str, bytes]]) -> None:
    await bus.ensure_topics([topics.EVENTS])
    for kind, value in records:
        headers = (("type", kind.encode()),)
        ack = await bus.send_bytes(
            topics.EVENTS.name, value, key=b"a", partition=0, headers=headers
        )
        await ack


async def _recover(bus: Bus, home: Path) -> tuple[Shard, int]:
    """The recovered shard, and the offset that its fold began at."""
    log = EventLog(_node(bus, home), 0)
    await log.open()
    first = log.shard.next_offset
    await log.fold_to(await log.end())
    await log.close()
    return log.shard, first


async def test_the_second_life_begins_at_the_checkpoint(bus: Bus, home: Path) -> None:
    """It reads only what came since, and stands where a fold of everything stands."""
    log = _written()
    await _append(bus, log.records)
    shard, first = await _recover(bus, home)
    assert (log.shard, 0) == (shard, first)

    for number in range(3):
        log.append(log.fill(f"later-{number}", "buy", "0.002"))
    await _append(bus, log.records[-3:])
    shard, first = await _recover(bus, home)

    assert (log.shard, len(log.records) - 3) == (shard, first)


async def test_records_without_effect_at_the_end_are_passed(bus: Bus, home: Path) -> None:
    """The head then stands before the place where the fold goes on."""
    log = _written()
    log.claim("late", epoch=1)
    await _append(bus, log.records)
    await _recover(bus, home)

    shard, first = await _recover(bus, home)

    assert (log.shard, len(log.records)) == (shard, first)
    assert 1 == shard.ignored


async def test_a_checkpoint_of_another_log_is_thrown_away(bus: Bus, home: Path) -> None:
    """The topic was made anew with other orders: the fold begins at the first record."""
    checkpoint = ShardCheckpoint(_node(bus, home), 0)
    checkpoint.keep(_written(size="0.002").shard)
    await checkpoint.settle()
    log = _written(ORDERS + 5)
    await _append(bus, log.records)

    shard, first = await _recover(bus, home)

    assert (log.shard, 0) == (shard, first)


async def test_a_checkpoint_ahead_of_the_log_is_thrown_away(bus: Bus, home: Path) -> None:
    """The log lost its tail."""
    log = _written(4)
    checkpoint = ShardCheckpoint(_node(bus, home), 0)
    checkpoint.keep(_written().shard)
    await checkpoint.settle()
    await _append(bus, log.records)

    shard, first = await _recover(bus, home)

    assert (log.shard, 0) == (shard, first)
    assert checkpoint.file.read() is None


async def test_a_damaged_checkpoint_is_passed_over(bus: Bus, home: Path) -> None:
    """A file that is whole but no shard, and one that was cut."""
    log = _written(4)
    await _append(bus, log.records)
    file = ShardCheckpoint(_node(bus, home), 0).file

    file.write(b"no shard")
    assert (log.shard, 0) == await _recover(bus, home)
    file.path.write_bytes(b"cut")
    assert (log.shard, 0) == await _recover(bus, home)


async def test_a_home_that_cannot_be_written_costs_only_the_saving(
    bus: Bus, home: Path, tmp_path: Path
) -> None:
    """Recovery goes on where no checkpoint can be kept."""
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    log = _written()
    await _append(bus, log.records)

    assert (log.shard, 0) == await _recover(bus, home)
