"""A judge that resumes from a checkpoint publishes the same bytes as one that read everything."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from arena import logs, topics
from arena.bus.base import Bus
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.checkpoint import pack_shard, unpack_shard
from arena.errors import Malformed
from arena.fold_checkpoint import FoldPositions
from arena.messages import TurnStarted
from arena.settings import Settings
from arena.wide_integers import pack_wide
from judge import checkpoints
from judge.checkpoints import SeasonCheckpoint
from judge.evaluations.check_fold import TurnChecks
from judge.season import SEASON_TOPICS, Season, SeasonBuilder
from judge.season import packed_rows as season_rows
from judge.season.checkpoint_format import (
    CHECKPOINT_TOPICS,
    FORMAT,
    SeasonPacker,
    read_head,
    restore,
)
from judge.season.packed_rows import PackedRows, RecentIds
from judge.service import JudgeOptions, judge_once
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario
from tests.judge.test_service import running, until

JUDGE_OPTIONS = JudgeOptions(resamples=300)


@pytest.fixture(autouse=True)
def checkpoint_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save a checkpoint after every few records."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_RECORDS", 50)


def checkpoint_in(home: Path) -> SeasonCheckpoint:
    """The checkpoint in a home folder."""
    return SeasonCheckpoint(Settings(home=home), logs.get("test"))


async def fold(bus: Bus, checkpoint: SeasonCheckpoint) -> int:
    """Read to the end offsets batch by batch; returns the number of records read."""
    reader = await bus.log_reader(*SEASON_TOPICS)
    await checkpoint.open(reader, bus)
    count = 0
    while await reader.lag():
        for record in await reader.read(max_records=40):
            checkpoint.apply(record)
            count += 1
        await checkpoint.file.wait_until_written()
    await reader.close()
    await checkpoint.close()
    return count


def assert_same(one: Season, other: Season) -> None:
    """Check that every field is equal, arrays to the last bit."""
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, err_msg=field.name)
        else:
            assert left == right, field.name


async def test_a_checkpoint_changes_no_byte_and_saves_reading(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """With a checkpoint, without one, and after more records: the same season, the same bytes."""
    scenario, done = Scenario().run(40), 0
    done = await publish(memory_bus, scenario)
    everything = await fold(memory_bus, checkpoint_in(tmp_path))
    for steps in (0, 1, 25):
        done = await publish(memory_bus, scenario.run(steps), done)
        again = checkpoint_in(tmp_path)
        few = await fold(memory_bus, again)
        fresh = SeasonBuilder()
        for record in scenario.records:
            fresh.apply(record)

        assert_same(fresh.season(), again.builder.season())
        assert_same(fresh.season(30), again.builder.season(30))
        assert few < everything / 2 + 40 * steps
        with_it = await judge_once(memory_bus, JUDGE_OPTIONS, checkpoint=checkpoint_in(tmp_path))
        without = await judge_once(memory_bus, JUDGE_OPTIONS)
        assert without.model_dump_json() == with_it.model_dump_json()


async def test_segments_do_not_grow_with_the_season(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Segments are written once: a longer season has more of them, and no larger ones."""
    scenario, done = Scenario().run(30), 0
    done = await publish(memory_bus, scenario)
    await fold(memory_bus, checkpoint_in(tmp_path))
    folder = tmp_path / "checkpoints" / "=" / "judge.segments"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    await publish(memory_bus, scenario.run(60), done)
    await fold(memory_bus, checkpoint_in(tmp_path))
    after = {path.name: path for path in folder.iterdir()}

    assert before.items() <= {n: path.stat().st_mtime_ns for n, path in after.items()}.items()
    assert len(after) > 2 * len(before)
    sizes = sorted(path.stat().st_size for path in after.values())
    assert sizes[-1] < 8 * sizes[len(sizes) // 2]


async def test_forged_balances_are_rejected(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A file with a valid checksum and header but other balances is discarded."""
    scenario = Scenario().run(40)
    await publish(memory_bus, scenario)
    await fold(memory_bus, checkpoint_in(tmp_path))
    file = checkpoint_in(tmp_path).file.file
    head = read_head(file.read() or b"")
    partition, packed = next(iter(head.shards.items()))
    shard = unpack_shard(packed)
    next(iter(shard.accounts.values())).cash += 10**12
    head.shards[partition] = pack_shard(shard)
    file.write(pack_wide(head))

    again = checkpoint_in(tmp_path)
    await fold(memory_bus, again)

    fresh = SeasonBuilder()
    for record in scenario.records:
        fresh.apply(record)
    assert fresh.season().account_digest == again.builder.season().account_digest


@pytest.mark.parametrize("topic", CHECKPOINT_TOPICS)
@pytest.mark.parametrize("lost", [True, False])
async def test_other_logs_are_read_from_the_start(
    memory_bus: MemoryBus, tmp_path: Path, topic: str, lost: bool
) -> None:
    """A truncated log, and a log with another record at that offset, match no checkpoint."""
    scenario = Scenario().run(40)
    await publish(memory_bus, scenario)
    everything = await fold(memory_bus, checkpoint_in(tmp_path))
    whole = checkpoint_in(tmp_path)
    await whole.open(await memory_bus.log_reader(*SEASON_TOPICS), memory_bus)
    offsets = whole.builder.ends[topic]
    partition, end = next(iter(offsets.items()))
    log = memory_bus.cluster.logs[topic, partition]
    if lost:
        del log[end - 1 :]
    else:
        offset = end - 1
        if topic == topics.EVENTS.name:
            offset = whole.builder.folds.accounts.shards[partition].head_offset
        value = (log[offset].value or b"")[:-1] + b', "unknown": 1}'
        log[offset] = log[offset]._replace(value=value)

    count = await fold(memory_bus, checkpoint_in(tmp_path))

    assert everything - 200 < count <= everything
    assert "folded again" in memory_bus.lost[topic, f"{partition}, judge"]


async def test_a_missing_or_truncated_segment_discards_the_checkpoint(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Everything is read from the start and saved again."""
    scenario = Scenario().run(40)
    await publish(memory_bus, scenario)
    everything = await fold(memory_bus, checkpoint_in(tmp_path))
    folder = tmp_path / "checkpoints" / "=" / "judge.segments"
    for spoil in (Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])):
        spoil(next(folder.iterdir()))
        assert everything == await fold(memory_bus, checkpoint_in(tmp_path))
        assert everything / 2 > await fold(memory_bus, checkpoint_in(tmp_path))


async def test_a_full_disk_leaves_the_last_checkpoint_valid(
    memory_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write does not damage what was saved before."""
    scenario = Scenario().run(40)
    done = await publish(memory_bus, scenario)
    await fold(memory_bus, checkpoint_in(tmp_path))
    await publish(memory_bus, scenario.run(40), done)
    with monkeypatch.context() as patch:
        patch.setattr("arena.checkpoint.os.fsync", _no_space)
        failing = checkpoint_in(tmp_path)
        await fold(memory_bus, failing)
    again = checkpoint_in(tmp_path)
    await fold(memory_bus, again)

    assert failing.file.failed
    assert_same(failing.builder.season(), again.builder.season())


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


async def test_a_restarted_judge_continues_over_a_real_broker(
    bus: KafkaBus, settings: Settings
) -> None:
    """It publishes nothing twice, and its next bytes are those of a judge that read everything."""
    scenario = Scenario().run(40)
    done = await publish(bus, scenario)
    async with running(settings, "first") as first:
        await until(lambda: len(first.published) == 1)
    await publish(bus, scenario.run(24), done)
    async with running(settings, "second") as second:
        await until(lambda: len(second.published) == 2)
        assert 1 == second.node.counters["evaluations"]
        path = second.checkpoint.file.file.path

    fresh = await judge_once(bus, JUDGE_OPTIONS)
    resumed = await judge_once(
        bus, JUDGE_OPTIONS, checkpoint=SeasonCheckpoint(settings, logs.get("t"))
    )
    assert fresh.model_dump_json() == resumed.model_dump_json()
    assert settings.home / "checkpoints" / settings.prefix / "judge" == path
    assert path.is_file()


def test_another_checkpoint_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of an older arena and a foreign file are not checkpoints."""
    packed = SeasonPacker().pack(SeasonBuilder(), FoldPositions(), TurnChecks())
    assert packed is not None
    restore(read_head(packed.head), [packed.segment])
    with pytest.raises(Malformed, match="not a season checkpoint"):
        restore(read_head(packed.head), [b"\x01"])
    monkeypatch.setattr("judge.season.checkpoint_format.FORMAT", FORMAT + 1)

    with pytest.raises(Malformed, match=f"format {FORMAT}, this is {FORMAT + 1}"):
        read_head(packed.head)


def test_packed_rows_are_read_once() -> None:
    """Packed rows come first, and only rows added since then are packed next."""
    rows: PackedRows[int] = PackedRows([memoryview(b"\x01\x02"), memoryview(b"\x03")], list)
    rows.append(4)

    assert [4] == rows.take_new()
    rows.append(5)
    assert [1, 2, 3, 4, 5] == list(rows)
    assert [5] == rows.take_new()
    assert [] == rows.take_new()


def test_recent_ids_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ids are dropped."""
    monkeypatch.setattr(season_rows, "IDS_REMEMBERED", 2)
    ids = RecentIds()
    for one in ("a", "b", "c"):
        ids.add(one)

    assert ["b", "c"] == list(ids)
    assert "a" not in ids


def test_a_late_start_does_not_reopen_a_turn() -> None:
    """A paused router may publish a turn's start after its end; no turn stays open."""
    scenario = Scenario().run(2)
    builder = SeasonBuilder()
    late = next(r for r in scenario.records if isinstance(r.message(), TurnStarted))
    for record in [*scenario.records, late]:
        builder.apply(record)

    assert {} == builder.folds.turns.begun
