"""Which arena a command means."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.commands.status import _dead_of_run
from arena.commands.where import find_arena
from arena.supervisor.runs import RunRecord, write_run
from arena.vitals import Dead

BOOTSTRAP = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one run, which is running, of the arena without a prefix."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "ARENA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    directory = tmp_path / "runs" / "20260101-000000"
    directory.mkdir(parents=True)
    write_run(
        directory,
        RunRecord(
            command="up",
            name="arena",
            prefix="",
            bootstrap=BOOTSTRAP,
            pid=os.getpid(),
            pid_started_at=0.0,
            started_at=datetime.now(UTC),
            dead=(Dead(agent="m", cause="no key", turns=3),),
        ),
    )
    return tmp_path


@pytest.mark.parametrize(("prefix", "is_its"), [(None, True), ("", True), ("a", False)])
@pytest.mark.parametrize("named", [False, True])
def test_a_run_is_of_its_own_prefix_only(
    prefix: str | None, is_its: bool, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of a run are not shown as those of an arena with another prefix."""
    if prefix is not None:
        monkeypatch.setenv("ARENA_PREFIX", prefix)
    with find_arena(run_name="20260101-000000" if named else None) as where:
        assert BOOTSTRAP == where.settings.bootstrap_servers
        assert (prefix or "") == where.settings.prefix
        assert is_its == (where.run is not None)
        assert is_its == (where.directory is not None)
    assert is_its == bool(_dead_of_run(None, None))
    assert is_its == bool(_dead_of_run(None, prefix))
