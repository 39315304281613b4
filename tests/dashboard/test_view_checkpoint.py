"""A dashboard that goes on behind its checkpoint shows what one shows that read everything."""

import asyncio
import json
from pathlib import Path
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
from dashboard import calls, equity_curves, recent_turns, topic_follower
from dashboard.app import catch_up
from dashboard.frame import build_frame
from dashboard.standings import standings
from dashboard.topic_follower import TopicFollower
from dashboard.view import CHECKPOINTED, WINDOWS, ArenaView
from dashboard.view_checkpoint import FORMAT, ViewImage, pack_view, unpack_view
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.dashboard.test_app import recent_scenario

DEADLINE_S = 40.0


@pytest.fixture(autouse=True)
def kept_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is due after every record."""
    monkeypatch.setattr(topic_follower, "CHECKPOINT_EVERY", 1)


def file_of(home: Path, prefix: str = "") -> CheckpointFile:
    """The checkpoint's file."""
    return CheckpointFile(Settings(home=home, prefix=prefix), "dashboard", logs.get("test"))


async def read_all(
    bus: Any, file: CheckpointFile | None
) -> tuple[ArenaView, int]:  # Any: either bus
    """What a dashboard of one look shows, and how many records it folded itself."""
    looking = TopicFollower(bus, SystemClock(), ArenaView(), file)
    await looking.open()
    reading = asyncio.create_task(looking.follow())
    await asyncio.wait_for(catch_up(looking, SystemClock()), DEADLINE_S)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await looking.close()
    return looking.view, looking.view.version


def shown(view: ArenaView, scenario: Scenario) -> tuple[bytes, object]:
    """The standings document as bytes, and everything on the screens."""
    document = json.dumps(standings(view, scenario.wall)).encode()
    return document, build_frame(view, scenario.wall, agent="momentum", trades=400)


async def test_it_shows_the_same_and_reads_little(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """With a checkpoint, without one, and after more records: the same bytes, the same frame."""
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


async def test_forged_balances_are_not_taken_over(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A file with a true seal and head, and other balances, is thrown away."""
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


async def test_the_windows_go_on_as_if_nothing_had_been(
    memory_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What falls out of a window falls out of a restored one at the same record."""
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


async def test_a_log_that_lost_its_tail_is_read_anew(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The checkpoint is ahead of the log: it is thrown away."""
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
async def test_another_clusters_log_is_read_anew(
    memory_bus: MemoryBus, tmp_path: Path, topic: str
) -> None:
    """A log of the same length that holds another record at the place: it is thrown away."""
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
async def test_foreign_bytes_are_thrown_away(
    memory_bus: MemoryBus, tmp_path: Path, payload: bytes
) -> None:
    """A file that is sealed and no view is refused, and written anew."""
    scenario, file = recent_scenario(3), file_of(tmp_path)
    await publish(memory_bus, scenario)
    ChecksummedFile(file.file.path).write(payload)

    await read_all(memory_bus, file)
    _, few = await read_all(memory_bus, file)
    _, whole = await read_all(memory_bus, None)

    assert few < whole


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of an older arena is no checkpoint."""
    packed = pack_view(ArenaView(), FoldPositions())
    assert packed is not None
    monkeypatch.setattr("dashboard.view_checkpoint.FORMAT", FORMAT + 1)

    with pytest.raises(Malformed, match=f"format {FORMAT}, this is {FORMAT + 1}"):
        unpack_view(packed)


async def test_a_broken_log_is_not_kept(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """What cannot be folded is folded again, and said again, at every start."""
    scenario, file = recent_scenario(3), file_of(tmp_path)
    await publish(memory_bus, scenario)
    stray = OpenAccount(call_id="1", agent="a", issued_at=scenario.wall)
    await memory_bus.append(topics.EVENTS.name, stray, partition=0)

    view, _ = await read_all(memory_bus, file)

    assert view.accounts.broken
    assert not file.file.path.exists()


async def test_it_holds_over_a_real_broker(bus: KafkaBus, settings: Settings) -> None:
    """Several partitions, real fetches and seeks: the same screen, and the accounts' digest."""
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
