"""Recovery on a real log: a checkpoint gives the same state, or is not used."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from arena import checkpoint as checkpoint_module
from arena import topics
from arena.accounts import Shard
from arena.bus.base import Bus
from arena.checkpoint import FORMAT, pack_shard
from arena.clock import SystemClock
from arena.node import Node
from arena.settings import Settings
from tests.arena.test_accounts import Log
from trading_tools.checkpoints import ShardCheckpoint
from trading_tools.events import state_digest_of
from trading_tools.recovery import EventLog

ORDERS = 30
BETWEEN = 10


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder for this test."""
    return tmp_path


def _node(bus: Bus, home: Path) -> Node:
    settings = Settings(home=home, checkpoint_events=BETWEEN)
    return Node("tools", "test", settings, bus, SystemClock())


def _written(orders: int = ORDERS, size: str = "0.001") -> Log:
    """Some orders, followed by the digest of the state."""
    log = Log()
    log.claim("one")
    log.open()
    for number in range(orders):
        log.append(log.fill(str(number), "buy", size))
    _attest(log)
    return log


def _attest(log: Log) -> None:
    packed = sha256(pack_shard(log.shard)).hexdigest()
    log.append(state_digest_of(log.shard, packed, datetime.now(UTC)))


def _kept(log: Log) -> Shard:
    """The state before the newest digest."""
    shard = Shard()
    for offset, (kind, value) in enumerate(log.records[:-1]):
        shard.apply(kind, value, offset)
    return shard


async def _append(bus: Bus, records: list[tuple[str, bytes]]) -> None:
    await bus.ensure_topics([topics.EVENTS])
    for kind, value in records:
        headers = (("type", kind.encode()),)
        ack = await bus.send_bytes(
            topics.EVENTS.name, value, key=b"a", partition=0, headers=headers
        )
        await ack


async def _recover(bus: Bus, home: Path) -> tuple[Shard, int]:
    """The recovered shard, and the offset at which its fold started."""
    log = EventLog(_node(bus, home), 0)
    await log.open()
    first = log.shard.next_offset
    await log.fold_to(await log.end())
    await log.close()
    return log.shard, first


async def test_second_start_uses_the_checkpoint(bus: Bus, home: Path) -> None:
    """It reads only newer records, and has the same state as a fold of everything."""
    log = _written()
    await _append(bus, log.records)
    shard, first = await _recover(bus, home)
    assert (log.shard, 0) == (shard, first)

    for number in range(3):
        log.append(log.fill(f"later-{number}", "buy", "0.002"))
    await _append(bus, log.records[-3:])
    shard, first = await _recover(bus, home)

    assert (log.shard, len(log.records) - 4) == (shard, first)


async def test_records_without_effect_at_the_end_are_skipped(bus: Bus, home: Path) -> None:
    """The head is then before the offset at which the fold continues."""
    log = _written()
    log.claim("late", epoch=1)
    _attest(log)
    await _append(bus, log.records)
    file = ShardCheckpoint(_node(bus, home), 0).file
    file.write(pack_shard(_kept(log)))

    shard, first = await _recover(bus, home)

    assert (log.shard, len(log.records) - 1) == (shard, first)
    assert 1 == shard.ignored


async def test_checkpoint_of_another_log_is_discarded(bus: Bus, home: Path) -> None:
    """The topic was created again with other orders: the fold starts at the first record."""
    checkpoint = ShardCheckpoint(_node(bus, home), 0)
    checkpoint.save(pack_shard(_kept(_written(size="0.002"))))
    await checkpoint.settle()
    log = _written(ORDERS + 5)
    await _append(bus, log.records)

    shard, first = await _recover(bus, home)

    assert (log.shard, 0) == (shard, first)


def _richer(shard: Shard) -> None:
    shard.accounts["a"].cash += 10**12


def _forgetful(shard: Shard) -> None:
    shard.orders.pop("3")


def _further(shard: Shard) -> None:
    shard.source_offset += 100


@pytest.mark.parametrize("forge", [_richer, _forgetful, _further])
async def test_forged_state_with_a_valid_head_is_discarded(
    bus: Bus, home: Path, forge: Callable[[Shard], None]
) -> None:
    """Seal, head and the digest's offset are valid; the state is not the folded one."""
    log = _written()
    await _append(bus, log.records)
    shard = _kept(log)
    forge(shard)
    file = ShardCheckpoint(_node(bus, home), 0).file
    file.write(pack_shard(shard))

    assert (log.shard, 0) == await _recover(bus, home)


async def test_checkpoint_without_a_digest_in_the_log_is_discarded(bus: Bus, home: Path) -> None:
    """It may be correct, but nothing in the log proves it."""
    log = _written()
    _, last = log.records.pop(), log.records
    await _append(bus, last)
    ShardCheckpoint(_node(bus, home), 0).file.write(pack_shard(_kept(_written())))

    shard, first = await _recover(bus, home)

    assert (_kept(_written()).digest(), 0) == (shard.digest(), first)


async def test_checkpoint_in_another_format_is_discarded(
    bus: Bus, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether an older version wrote the file or the digest."""
    monkeypatch.setattr(checkpoint_module, "FORMAT", FORMAT - 1)
    log = _written()
    packed = pack_shard(_kept(log))
    monkeypatch.undo()
    await _append(bus, log.records)
    file = ShardCheckpoint(_node(bus, home), 0).file
    file.write(packed)

    assert (log.shard, 0) == await _recover(bus, home)
    assert file.read() != packed


async def test_nothing_is_saved_if_the_owner_folds_differently(bus: Bus, home: Path) -> None:
    """The digest in the log differs from that of the local fold."""
    log = Log()
    log.claim("one")
    log.open()
    for number in range(ORDERS):
        log.append(log.fill(str(number), "buy", "0.001"))
    log.append(state_digest_of(log.shard, "00", datetime.now(UTC)))
    await _append(bus, log.records)

    assert (log.shard, 0) == await _recover(bus, home)
    assert ShardCheckpoint(_node(bus, home), 0).file.read() is None


async def test_owner_appends_a_digest_and_saves_that_state(bus: Bus, home: Path) -> None:
    """The next start uses the checkpoint and folds only newer records."""
    log = _written(ORDERS)
    await _append(bus, log.records[:-1])
    owner = EventLog(_node(bus, home / "first"), 0)
    await owner.open()
    await owner.fold_to(await owner.end())
    assert await owner.claim()
    due = owner.digest()
    assert due is not None
    append, packed = due
    await _append(bus, [(append.kind, append.value)])
    owner.save(packed)
    await owner.close()

    shard, first = await _recover(bus, home / "first")

    assert (owner.shard, append.offset) == (shard, first)


async def test_checkpoint_ahead_of_the_log_is_discarded(bus: Bus, home: Path) -> None:
    """The log lost its end."""
    log = _written(4)
    checkpoint = ShardCheckpoint(_node(bus, home), 0)
    checkpoint.save(pack_shard(_kept(_written())))
    await checkpoint.settle()
    await _append(bus, log.records)

    shard, first = await _recover(bus, home)

    assert (log.shard, 0) == (shard, first)
    assert checkpoint.file.read() is None


async def test_damaged_checkpoint_is_ignored(bus: Bus, home: Path) -> None:
    """A valid file without a shard, and one that was cut."""
    log = _written(4)
    await _append(bus, log.records)
    file = ShardCheckpoint(_node(bus, home), 0).file

    file.write(b"no shard")
    assert (log.shard, 0) == await _recover(bus, home)
    file.path.write_bytes(b"cut")
    assert (log.shard, 0) == await _recover(bus, home)


async def test_unwritable_home_does_not_stop_recovery(bus: Bus, home: Path, tmp_path: Path) -> None:
    """Recovery works even if no checkpoint can be saved."""
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    log = _written()
    await _append(bus, log.records)

    assert (log.shard, 0) == await _recover(bus, home)
