"""A dashboard that continues after its checkpoint shows the same as one that read everything."""

import asyncio
import errno
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from arena import logs, topics
from arena.account_state import accounts_digest
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.checkpoint import ChecksummedFile, pack_shard, unpack_shard
from arena.clock import SystemClock
from arena.errors import Malformed
from arena.fold_checkpoint import CheckpointFile, FoldPositions
from arena.messages import OpenAccount
from arena.settings import Settings
from arena.wide_integers import pack_wide, unpack_wide
from dashboard.model import calls, equity_curves, recent_turns, topic_follower
from dashboard.model.frame import build_frame
from dashboard.model.standings import standings
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import CHECKPOINTED, WINDOWS, ArenaView
from dashboard.model.view_checkpoint import FORMAT, ViewImage, pack_view, unpack_view
from dashboard.terminal.app import catch_up
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.dashboard.terminal.test_app import recent_scenario

DEADLINE_S = 40.0


@pytest.fixture(autouse=True)
def checkpoint_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is due after every record."""
    monkeypatch.setattr(topic_follower, "CHECKPOINT_EVERY", 1)


def file_of(home: Path, prefix: str = "") -> CheckpointFile:
    """The checkpoint's file."""
    return CheckpointFile(Settings(home=home, prefix=prefix), "dashboard", logs.get("test"))


async def read_all(
    bus: Any, file: CheckpointFile | None
) -> tuple[ArenaView, int]:  # Any: either bus
    """Read all topics once; return the view, and the number of records that were folded."""
    follower = TopicFollower(bus, SystemClock(), ArenaView(), file)
    await follower.open()
    reading = asyncio.create_task(follower.follow())
    await asyncio.wait_for(catch_up(follower, SystemClock()), DEADLINE_S)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await follower.close()
    return follower.view, follower.view.version


def shown(view: ArenaView, scenario: Scenario) -> tuple[bytes, object]:
    """The standings document as bytes, and everything on the screens."""
    document = json.dumps(standings(view, scenario.wall)).encode()
    return document, build_frame(view, scenario.wall, agent="momentum", trades=400)


async def test_restored_view_is_the_same_and_reads_little(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """With and without a checkpoint, document and frame are equal, also after more records."""
    scenario, file = recent_scenario(30), file_of(tmp_path)
    done = await publish(memory_bus, scenario)
    first, folded = await read_all(memory_bus, file)
    for steps in (0, 1, 12):
        scenario.run(steps)
        done = await publish(memory_bus, scenario, done)
        fresh, whole = await read_all(memory_bus, None)
        again, few = await read_all(memory_bus, file)

        assert shown(fresh, scenario) == shown(again, scenario)
        assert fresh.accounts.digest() == again.accounts.digest()
        assert whole - few >= 30 * 10
    assert folded > 0
    assert first.accounts.digest() != again.accounts.digest()


async def test_forged_balances_are_discarded(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A file with a valid seal and head but other balances is not used."""
    scenario, file = recent_scenario(30), file_of(tmp_path)
    await publish(memory_bus, scenario)
    await read_all(memory_bus, file)
    image = unpack_wide(file.file.read() or b"", ViewImage)
    partition, packed = next(iter(image.shards.items()))
    shard = unpack_shard(packed)
    next(iter(shard.accounts.values())).cash += 10**12
    image.shards[partition] = pack_shard(shard)
    file.file.write(pack_wide(image))

    again, _ = await read_all(memory_bus, file)

    fresh, _ = await read_all(memory_bus, None)
    assert shown(fresh, scenario) == shown(again, scenario)


async def test_restored_windows_continue_exactly(
    memory_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items leave a restored window at the same record as any other."""
    monkeypatch.setattr(equity_curves, "SNAPSHOTS_WINDOW", 7)
    monkeypatch.setattr(equity_curves, "FILLS_KEPT", 5)
    monkeypatch.setattr(recent_turns, "TURNS_WINDOW", 9)
    monkeypatch.setattr(calls, "CALLS_WINDOW", 11)
    for topic, length in ((topics.SNAPSHOTS, 7), (topics.TURNS, 9), (topics.LLM_CALLS, 11)):
        monkeypatch.setitem(WINDOWS, topic.name, length)
    scenario, done = recent_scenario(4), 0
    for steps in (0, 3, 20):
        done = await publish(memory_bus, scenario.run(steps), done)
        again, _ = await read_all(memory_bus, file_of(tmp_path))
        fresh, _ = await read_all(memory_bus, None)

        assert shown(fresh, scenario) == shown(again, scenario)
        assert fresh.turns.window.complete == again.turns.window.complete


async def test_truncated_log_is_read_again(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A checkpoint that is ahead of the log is discarded."""
    scenario, file = recent_scenario(6), file_of(tmp_path)
    await publish(memory_bus, scenario)
    await read_all(memory_bus, file)
    for topic in CHECKPOINTED:
        del memory_bus.cluster.logs[topic, 0][-1:]

    fresh, whole = await read_all(memory_bus, None)
    again, count = await read_all(memory_bus, file)

    assert whole == count
    assert shown(fresh, scenario) == shown(again, scenario)


@pytest.mark.parametrize("topic", CHECKPOINTED)
async def test_log_of_another_cluster_is_read_again(
    memory_bus: MemoryBus, tmp_path: Path, topic: str
) -> None:
    """A checkpoint is discarded if the log has another record at its offset."""
    scenario, file = recent_scenario(6), file_of(tmp_path)
    await publish(memory_bus, scenario)
    await read_all(memory_bus, file)
    log = next(log for (name, _), log in memory_bus.cluster.logs.items() if name == topic and log)
    value = (log[-1].value or b"")[:-1] + b', "unknown": 1}'
    log[-1] = log[-1]._replace(value=value)

    again, count = await read_all(memory_bus, file)
    _, whole = await read_all(memory_bus, None)

    assert whole == count
    assert bool(again.accounts.broken) is False


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x93\x01\x02\x03"])
async def test_invalid_bytes_are_discarded(
    memory_bus: MemoryBus, tmp_path: Path, payload: bytes
) -> None:
    """A sealed file that is not a view is refused and replaced."""
    scenario, file = recent_scenario(3), file_of(tmp_path)
    await publish(memory_bus, scenario)
    ChecksummedFile(file.file.path).write(payload)

    await read_all(memory_bus, file)
    _, few = await read_all(memory_bus, file)
    _, whole = await read_all(memory_bus, None)

    assert few < whole


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of another version is not used."""
    packed = pack_view(ArenaView(), FoldPositions())
    assert packed is not None
    monkeypatch.setattr("dashboard.model.view_checkpoint.FORMAT", FORMAT + 1)

    with pytest.raises(Malformed, match=f"format {FORMAT}, this is {FORMAT + 1}"):
        unpack_view(packed)


async def test_broken_log_has_no_checkpoint(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The error is found and shown again at every start."""
    scenario, file = recent_scenario(3), file_of(tmp_path)
    await publish(memory_bus, scenario)
    stray = OpenAccount(call_id="1", agent="a", issued_at=scenario.wall)
    await memory_bus.append(topics.EVENTS.name, stray, partition=0)

    view, _ = await read_all(memory_bus, file)

    assert view.accounts.broken
    assert not file.file.path.exists()


@pytest.mark.parametrize("logs_failures", [True, False])
async def test_unwritable_checkpoint_is_logged_if_asked_for(
    logs_failures: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dashboard of an ended run in a read-only home prints no log line."""
    warnings: list[str] = []

    def fail(self: ChecksummedFile, payload: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    log = SimpleNamespace(warning=lambda text, **_: warnings.append(text))
    monkeypatch.setattr(ChecksummedFile, "write", fail)
    file = CheckpointFile(Settings(home=tmp_path), "dashboard", log, logs_failures=logs_failures)
    file.write(b"x")
    await file.wait_until_written()

    assert file.failed
    assert logs_failures is ("checkpoint not written" in warnings)


async def test_restored_view_is_the_same_over_a_real_broker(
    bus: KafkaBus, settings: Settings
) -> None:
    """With several partitions, the screen and the digest of the accounts are the same."""
    scenario = recent_scenario(10)
    file = CheckpointFile(settings, "dashboard", logs.get("test"))
    done = await publish(bus, scenario)
    await read_all(bus, file)
    await publish(bus, scenario.run(2), done)

    fresh, whole = await read_all(bus, None)
    again, few = await read_all(bus, file)

    assert shown(fresh, scenario) == shown(again, scenario)
    assert accounts_digest(scenario.shard.accounts) == again.accounts.digest()
    assert few < whole / 2
    assert settings.home / "checkpoints" / settings.prefix / "dashboard" == file.file.path
