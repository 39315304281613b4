"""Drafts that a killed process left beside the file it was replacing."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.checkpoint import ChecksummedFile
from arena.draft_files import DRAFT_AGE_S, clear_drafts
from arena.exports import export_topics, read_manifest

OLD = time.time() - 2 * DRAFT_AGE_S


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def put(path: Path, age: float = OLD) -> Path:
    """A file of an age."""
    path.write_bytes(b"half")
    os.utime(path, (age, age))
    return path


def test_drafts_of_dead_processes_are_removed(tmp_path: Path, dead: int) -> None:
    """A living process's draft, a young one and other files stay."""
    gone = [put(tmp_path / f".judge.{dead}"), put(tmp_path / f".judge.{dead}.old")]
    stay = [
        put(tmp_path / f".judge.{os.getpid()}"),
        put(tmp_path / ".judge.1"),
        put(tmp_path / f".judge.{dead}.txt"),
        put(tmp_path / f".judge.segment.{dead}"),
        put(tmp_path / f"judge.{dead}"),
    ]
    young = put(tmp_path / f".ledger.{dead}", time.time())
    clear_drafts(tmp_path / "judge")
    clear_drafts(tmp_path / "ledger")

    assert [] == [path for path in gone if path.exists()]
    assert [*stay, young] == [path for path in [*stay, young] if path.exists()]
    clear_drafts(tmp_path / "missing" / "judge")


def test_reading_checkpoint_removes_old_drafts(tmp_path: Path, dead: int) -> None:
    """Every process does this at its start."""
    file = ChecksummedFile(tmp_path / "judge")
    file.write(b"whole")
    draft = put(tmp_path / f".judge.{dead}")

    assert b"whole" == file.read()
    assert not draft.exists()


async def test_export_removes_drafts_of_killed_exports(
    memory_bus: MemoryBus, tmp_path: Path, dead: int
) -> None:
    """A kill between the two renames costs nothing: the older export is put back first."""
    folder = tmp_path / "records"
    await export_topics(memory_bus, folder, ["agent.turns"], prefix="older.")
    os.utime(folder, (OLD, OLD))
    folder.rename(tmp_path / f".records.{dead}.old")
    with pytest.raises(Exception, match="no.such"):
        await export_topics(memory_bus, folder, ["no.such"])

    assert "older." == read_manifest(folder).prefix
    memory_bus.cluster.grow("agent.turns", 6)
    draft = tmp_path / f".records.{dead}"
    draft.mkdir()
    os.utime(draft, (OLD, OLD))
    manifest = await export_topics(memory_bus, folder, ["agent.turns"])

    assert set(range(6)) == set(manifest.topics["agent.turns"].partitions)
    assert ["records"] == os.listdir(tmp_path)
