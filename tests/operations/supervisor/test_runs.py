"""Runs: found by name, sorted by UTC, listed and removed."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from arena.errors import ArenaError, UsageError
from arena.exports import MANIFEST_FILE, Manifest
from arena.processes import started_at
from arena.runs import (
    EXPORT_NEEDED,
    RECORDS,
    RECORDS_NEEDED,
    ProcessRecord,
    RunRecord,
    find_run,
    has_export,
    newest_run,
    write_run,
)
from operations.commands import runs as commands
from operations.supervisor.run_list import (
    choose_runs_to_prune,
    list_runs,
    parse_duration,
    remove_run,
)

NOW = datetime(2026, 10, 25, 12, tzinfo=UTC)
FAR_EAST = timezone(timedelta(hours=14))


def make_run(home: Path, name: str, began: datetime, **changes: object) -> Path:
    """A run that ended ten minutes after it began, with its record."""
    directory = home / "runs" / name
    directory.mkdir(parents=True)
    record = RunRecord(
        command="compete",
        name="arena",
        prefix=f"{name}.",
        bootstrap="127.0.0.1:1",
        broker_home=str(directory),
        pid=1,
        pid_started_at=0.0,
        started_at=began,
        ended_at=began + timedelta(minutes=10),
        processes=(ProcessRecord(name="tools", command=("arena",), log="x", state="stopped"),),
        agents=("a", "b"),
        version="9.9.9",
    )
    write_run(directory, record.model_copy(update=changes))
    return directory


def export(directory: Path) -> None:
    """An export without a topic, written now."""
    (directory / RECORDS).mkdir()
    (directory / RECORDS / MANIFEST_FILE).write_text(Manifest(topics={}).model_dump_json())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs; their names are local times of a night on which clocks were set back."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    make_run(tmp_path, "2026-10-25T02-50-00", NOW - timedelta(hours=11))
    make_run(tmp_path, "2026-10-25T02-10-00", NOW - timedelta(hours=10, minutes=30))
    make_run(tmp_path, "2026-10-24T23-00-00", (NOW - timedelta(hours=10)).astimezone(FAR_EAST))
    return tmp_path


def test_runs_are_sorted_by_utc(home: Path) -> None:
    """The newest run started last, whatever its name or the times of its files."""
    os.utime(home / "runs" / "2026-10-25T02-50-00")

    names = [run.name for run in list_runs(home)]

    assert ["2026-10-24T23-00-00", "2026-10-25T02-10-00", "2026-10-25T02-50-00"] == names
    assert names == [find_run(home, f"last~{n}" if n else "last")[0].name for n in range(3)]


@pytest.mark.parametrize("name", ["2026-10-25T02-10-00", "2026-10-25T02-1", "PATH"])
def test_run_is_found_by_name_prefix_or_path(home: Path, name: str) -> None:
    """A prefix of only one name is enough."""
    directory = home / "runs" / "2026-10-25T02-10-00"

    found, record = find_run(home, str(directory) if name == "PATH" else name)

    assert (directory.name, f"{directory.name}.") == (found.name, record.prefix)


@pytest.mark.parametrize(
    ("name", "said", "remedy"),
    [
        ("2026-10-25", "2 runs start with '2026-10-25'", "2026-10-25T02-10-00"),
        ("never", "no run 'never' in", "2026-10-24T23-00-00, 2026-10-25T02-10-00"),
        ("", "no run '' in", "2026-10-24T23-00-00"),
        ("last~3", "no run 'last~3': .* has 3 runs", "2026-10-24T23-00-00"),
        ("last~", "no run 'last~'", "2026-10-24T23-00-00"),
        ("../runs", "no run '../runs'", "2026-10-24T23-00-00"),
    ],
)
def test_unknown_run_is_refused_with_known_names(
    home: Path, name: str, said: str, remedy: str
) -> None:
    """The error lists runs that exist."""
    with pytest.raises(UsageError, match=said) as caught:
        find_run(home, name)
    assert remedy in (caught.value.remedy or "")


def test_newest_run_with_the_needed_files_is_used(home: Path) -> None:
    """A command gets the newest run that has it; a named run without it is refused."""
    export(home / "runs" / "2026-10-25T02-10-00")
    (home / "runs" / "2026-10-25T02-50-00" / "kafka").mkdir()

    assert "2026-10-25T02-10-00" == find_run(home, "last", need=EXPORT_NEEDED)[0].name
    assert "2026-10-25T02-50-00" == find_run(home, "last~1", need=RECORDS_NEEDED)[0].name
    newest = newest_run(home, RECORDS_NEEDED)
    assert newest is not None
    assert "2026-10-25T02-10-00" == newest[0].name
    with pytest.raises(UsageError, match="has no exported records") as caught:
        find_run(home, "2026-10-24", need=EXPORT_NEEDED)
    assert "2026-10-25T02-10-00" in (caught.value.remedy or "")
    with pytest.raises(UsageError, match="has 1 run with exported records"):
        find_run(home, "last~1", need=EXPORT_NEEDED)


def test_export_older_than_the_end_is_not_used(home: Path) -> None:
    """A competition that was resumed after its export is read from its broker."""
    directory = home / "runs" / "2026-10-25T02-10-00"
    export(directory)
    _, record = find_run(home, directory.name)
    later = datetime.now(UTC) + timedelta(hours=1)

    assert has_export(directory, record)
    assert not has_export(directory, record.model_copy(update={"ended_at": later}))
    assert not has_export(
        directory, record.model_copy(update={"ended_at": None, "started_at": later})
    )


def test_list_shows_each_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """States, times in UTC, agents, version and size; a broken run.json is listed, too."""
    own = {"pid": os.getpid(), "pid_started_at": started_at(os.getpid())}
    make_run(home, "a", NOW, ended_at=None, **own)
    make_run(home, "b", NOW - timedelta(days=1), ended_at=None)
    make_run(home, "c", NOW - timedelta(days=2), processes=())
    (home / "runs" / "d").mkdir()
    (home / "runs" / "d" / "run.json").write_text("{")

    commands.list_(as_json=True)
    found = {run["name"]: run for run in json.loads(capsys.readouterr().out)}

    states = {name: run["state"] for name, run in found.items() if len(name) == 1}
    assert {"a": "running", "b": "killed", "c": "not started", "d": "unreadable"} == states
    run = found["2026-10-24T23-00-00"]
    assert ("2026-10-25T02:00:00+00:00", "2026-10-25T02:10:00+00:00") == (
        run["started"],
        run["ended"],
    )
    assert ("compete", ["a", "b"], "9.9.9") == (run["kind"], run["agents"], run["version"])
    assert run["size_bytes"] > 0
    commands.show("2026-10-24")
    assert "tools: stopped" in capsys.readouterr().out
    commands.list_()
    assert "7 runs" in capsys.readouterr().out


def test_run_in_use_is_not_deleted(home: Path, tmp_path: Path) -> None:
    """Not while it runs, not a folder outside the home, not without an answer."""
    own = {"pid": os.getpid(), "pid_started_at": started_at(os.getpid())}
    running = make_run(home, "busy", NOW, ended_at=None, **own)
    elsewhere = make_run(tmp_path / "other", "x", NOW)

    with pytest.raises(ArenaError, match="run busy is running"):
        commands.delete(["2026-10-24", "busy"], yes=True)
    with pytest.raises(UsageError, match="is not in"):
        commands.delete([str(elsewhere)], yes=True)
    with pytest.raises(UsageError, match="asks first"):
        commands.delete(["2026-10-24"])
    assert running.is_dir()
    assert 4 == len(list_runs(home))


def test_deleted_run_leaves_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named runs are deleted; of a link, only the link; nothing else is deleted."""
    target = make_run(home.parent / "far", "target", NOW)
    (home / "runs" / "link").symlink_to(target)
    (home / "runs" / "broken").mkdir()

    commands.delete(["last~1", "link", "2026-10-25T02-1", "broken"], yes=True)

    assert ["2026-10-25T02-50-00"] == sorted(os.listdir(home / "runs"))
    assert target.is_dir()
    assert 4 == capsys.readouterr().out.count("deleted ")


@pytest.mark.parametrize(
    ("keep", "older_than", "left"),
    [
        (2, None, ["2026-10-25T02-10-00", "2026-10-24T23-00-00"]),
        (None, "10h", ["2026-10-24T23-00-00"]),
        (2, "10h", ["2026-10-25T02-10-00", "2026-10-24T23-00-00"]),
        (0, "1w", [f"2026-10-25T02-{m}-00" for m in (50, 10)] + ["2026-10-24T23-00-00"]),
        (0, None, []),
    ],
)
def test_prune_removes_what_no_limit_keeps(
    home: Path, keep: int | None, older_than: str | None, left: list[str]
) -> None:
    """The newest runs stay, and those that ended within the duration."""
    span = None if older_than is None else parse_duration(older_than)

    for run in choose_runs_to_prune(list_runs(home), NOW, keep=keep, older_than=span):
        remove_run(home, run)

    assert sorted(left) == sorted(os.listdir(home / "runs"))


def test_prune_dry_run_removes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run deletes nothing; the next prune deletes what an interrupted removal left."""
    (home / "runs" / ".removed-1-old").mkdir()

    commands.prune(keep=1, dry_run=True)
    assert 3 == len(list_runs(home))
    assert 2 == capsys.readouterr().out.count("would delete 2026")
    commands.prune(keep=1, yes=True)
    assert ["2026-10-24T23-00-00"] == os.listdir(home / "runs")
    with pytest.raises(UsageError, match="a limit is missing"):
        commands.prune()
    with pytest.raises(UsageError, match="'7 fortnights' is not a duration"):
        commands.prune(older_than="7 fortnights")
