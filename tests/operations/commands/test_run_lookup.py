"""The arena that a command uses."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arena.agent_health import DeadAgent
from arena.bus.exported import ExportedBus
from arena.errors import ArenaError, DependencyMissing, UsageError
from arena.exports import Manifest
from arena.processes import started_at
from arena.run_lookup import exported_records, find_arena
from arena.runs import BOOKS, MANIFEST, RECORDS, RunRecord, read_run, write_run
from arena.settings import Settings
from connectors.cli_context import context
from ledger.locate import books_of, require_books, run_path_with_books
from operations.commands.status import _dead_of_run

BOOTSTRAP = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one running run of the arena without a prefix."""
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
            dead=(DeadAgent(agent="m", cause="no key", turns=3),),
        ),
    )
    return tmp_path


@pytest.mark.parametrize(("prefix", "is_its"), [(None, True), ("", True), ("a", False)])
@pytest.mark.parametrize("named", [False, True])
def test_run_belongs_to_its_prefix_only(
    prefix: str | None, is_its: bool, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command for another prefix does not show the run's processes."""
    if prefix is not None:
        monkeypatch.setenv("ARENA_PREFIX", prefix)
    with find_arena(run_name="20260101-000000" if named else None) as location:
        assert BOOTSTRAP == location.settings.bootstrap_servers
        assert (prefix or "") == location.settings.prefix
        assert is_its == (location.run is not None)
        assert is_its == (location.directory is not None)
    assert is_its == bool(_dead_of_run(None, None))
    assert is_its == bool(_dead_of_run(None, prefix))


def ended_run(home: Path, name: str, *, exported: bool) -> Path:
    """A run with its own broker that ended a day ago."""
    directory = home / "runs" / name
    directory.mkdir(parents=True)
    began = datetime.now(UTC) - timedelta(days=1)
    write_run(
        directory,
        RunRecord(
            command="demo",
            name="arena",
            prefix=f"{name}.",
            bootstrap="127.0.0.1:2",
            broker_home=str(directory),
            pid=1,
            pid_started_at=0.0,
            started_at=began,
            ended_at=began,
        ),
    )
    if exported:
        (directory / RECORDS).mkdir()
        (directory / MANIFEST).write_text(Manifest(topics={}).model_dump_json())
    return directory


async def test_ended_run_is_read_from_its_export(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that only reads gets the export, whatever broker the environment names."""
    directory = ended_run(home, "done", exported=True)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:3")

    with find_arena(run_name="do", offline=True) as location:
        assert (directory, directory / RECORDS) == (location.directory, location.records)
        assert "the exported records of run done" == location.name
        assert [] == await location.topics()
        assert isinstance(location.bus("test"), ExportedBus)
    with find_arena("127.0.0.1:4", None, "done", offline=True) as location:
        assert (None, "127.0.0.1:4") == (location.records, location.settings.bootstrap_servers)
    with find_arena(offline=True) as location:
        assert ("127.0.0.1:3", None) == (location.settings.bootstrap_servers, location.run)


@pytest.mark.parametrize("offline", [False, True])
def test_command_for_running_arenas_uses_the_running_one(home: Path, offline: bool) -> None:
    """A newer run that has ended is skipped; if it is named, the error says when it ended."""
    run = home / "runs" / "20260101-000000"
    own = {"pid": os.getpid(), "pid_started_at": started_at(os.getpid())}
    record = read_run(run)
    assert record is not None
    write_run(run, record.model_copy(update=own | {"started_at": datetime(2026, 1, 1, tzinfo=UTC)}))
    ended_run(home, "done", exported=False)

    with find_arena(start_broker=False, offline=offline) as location:
        assert run == location.directory
    with (
        pytest.raises(ArenaError, match="run done ended at .*; none of its processes is running"),
        find_arena(run_name="done", start_broker=False),
    ):
        pass


def test_replays_use_the_newest_export(home: Path) -> None:
    """A folder, a run, or the newest run with an export; two of them are refused."""
    directory = ended_run(home, "done", exported=True)

    assert directory / RECORDS == exported_records(None, None)
    assert directory / RECORDS == exported_records(None, "don")
    assert Path("x") == exported_records(Path("x"), None)
    with pytest.raises(UsageError, match="are both given"):
        exported_records(Path("x"), "done")
    with pytest.raises(UsageError, match="has no exported records"):
        exported_records(None, "2026")


def test_books_are_those_of_the_newest_run_with_books(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer run without books is skipped; a named run or a home without books is refused."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(DependencyMissing, match="this arena has no books"):
        require_books(books_of(None, None))
    directory = ended_run(home, "done", exported=False)
    (directory / BOOKS).touch()

    assert directory / BOOKS == books_of(None, None).path
    assert directory / BOOKS == books_of(None, None, "last").path
    assert home / "ledger-a.db" == books_of(None, "a.").path
    assert str(directory) == run_path_with_books(None, None, None, None)
    with pytest.raises(UsageError, match="run 20260101-000000 has no books") as caught:
        books_of(None, None, "2026")
    assert "done" in (caught.value.remedy or "")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:3")
    assert run_path_with_books(None, None, None, None) is None


def test_context_goes_to_the_arena_that_runs_here(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`arena connector context` without a broker finds the running arena, as `arena halt` does."""
    record = RunRecord(
        command="up",
        name="arena",
        prefix="mine.",
        bootstrap=BOOTSTRAP,
        pid=os.getpid(),
        pid_started_at=started_at(os.getpid()),
        started_at=datetime.now(UTC),
    )
    write_run(home / "runs" / "20260101-000000", record)
    found: list[Settings] = []
    monkeypatch.setattr(
        "arena.node.run_node", lambda kind, name, settings, *_: found.append(settings)
    )
    context([home / "news.jsonl"])
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:3")
    context([home / "news.jsonl"])

    assert [(BOOTSTRAP, "mine."), ("127.0.0.1:3", "")] == [
        (one.bootstrap_servers, one.prefix) for one in found
    ]
    assert f"publishing to the arena at {BOOTSTRAP}, prefix 'mine.'" in capsys.readouterr().err
