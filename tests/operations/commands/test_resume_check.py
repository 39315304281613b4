"""A contest whose snapshots retention has deleted counts them, or is refused."""

from io import StringIO
from pathlib import Path
from signal import SIGINT
from types import SimpleNamespace

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.runs import MANIFEST
from arena.settings import Settings
from operations.commands.compete_monitor import FOLLOWED_TOPICS, ContestMonitor
from operations.commands.live_line import LiveLine
from operations.commands.resume_check import deleted_snapshots, require_snapshots
from operations.processes.stop_signals import StopSignals
from operations.specs.arena_spec import parse_spec
from tests.faults.test_retention import delete
from tests.operations.commands.test_compete_judged import TEXT, WANTED, Run
from tests.routers.builders import snapshot

SNAPSHOTS = topics.SNAPSHOTS.name
COUNT = 5


@pytest.mark.parametrize("deleted", [0, 3])
async def test_contest_with_a_snapshot_can_continue(
    deleted: int, bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """The deleted snapshots are counted."""
    for number in range(COUNT):
        await bus.append(SNAPSHOTS, snapshot(number), key="test", partition=0)
    await delete(settings, {SNAPSHOTS: deleted})

    await require_snapshots(bus, tmp_path / "run")
    reader = await bus.log_reader(SNAPSHOTS, topics.TURNS.name)

    assert deleted == await deleted_snapshots(reader)
    await reader.close()


async def test_contest_without_any_published_snapshot_can_continue(
    bus: KafkaBus, tmp_path: Path
) -> None:
    """It was stopped before the first one."""
    await require_snapshots(bus, tmp_path / "run")


@pytest.mark.parametrize("is_exported", [False, True])
async def test_contest_whose_snapshots_are_all_deleted_is_refused(
    is_exported: bool, bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """The remedy is a new contest, and the report if there are exported records."""
    for number in range(COUNT):
        await bus.append(SNAPSHOTS, snapshot(number), key="test", partition=0)
    await delete(settings, {SNAPSHOTS: COUNT})
    if is_exported:
        (tmp_path / MANIFEST).parent.mkdir()
        (tmp_path / MANIFEST).write_text("{}")

    with pytest.raises(UsageError, match="retention has deleted all its 5 snapshots") as refused:
        await require_snapshots(bus, tmp_path)

    assert "start a new contest" in refused.value.remedy
    assert is_exported is ("compete report" in refused.value.remedy)


async def test_progress_counts_deleted_snapshots(
    bus: KafkaBus, memory_bus: MemoryBus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were played, so a resumed contest ends with as many as were planned."""
    supervisor = SimpleNamespace(foreground_ended=False)
    monkeypatch.setattr(Run, "supervisor", supervisor, raising=False)
    monkeypatch.setattr(Run, "note_dead", lambda self, dead: None, raising=False)
    for number in range(COUNT):
        await bus.append(SNAPSHOTS, snapshot(number), key="test", partition=0)
    await delete(settings, {SNAPSHOTS: 3})
    printed, signals = StringIO(), StopSignals()
    run, spec = Run(memory_bus, "finished", ()), parse_spec(TEXT, path="c.toml")
    line = LiveLine(printed)
    monitor = ContestMonitor(run, spec, line, seconds=None)  # type: ignore[arg-type]  # a stand-in
    reader = await bus.log_reader(*FOLLOWED_TOPICS)
    signals.received = SIGINT

    await monitor._follow(reader, signals)
    await reader.close()

    assert f"{COUNT}/{WANTED} snapshots" in printed.getvalue()
