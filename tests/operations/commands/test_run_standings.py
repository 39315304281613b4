"""The output of demo, up and compete after a stop, and after a process was given up."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from pydantic import JsonValue

from arena.errors import ArenaError
from arena.runs import ProcessRecord
from arena.settings import Settings
from operations.commands import demo, run_standings
from operations.commands.run_standings import (
    NO_SNAPSHOTS_TEXT,
    given_up_lines,
    interim_lines,
    read_standings,
)
from operations.processes.stop_signals import StopSignals

AGENT: dict[str, JsonValue] = {
    "rank": 1, "agent": "momentum", "alive": True, "strategy": "momentum", "model": "scripted",
    "scripted": True, "equity_usd": "100412.77", "return_pct": "0.41", "fees_usd": "96.10",
    "trades": 14, "rejections": 1,
}  # fmt: skip
DOCUMENT: dict[str, JsonValue] = {"snapshots": 1, "agents": [AGENT]}
LOST = ProcessRecord(
    name="tools", command=(), log="tools.log", state="given_up", note="it crashed 5 times"
)


def test_interim_standings_are_a_table() -> None:
    """One snapshot is enough; without any there is a sentence instead."""
    lines = interim_lines(DOCUMENT)

    assert "Standings so far, after 1 snapshot:" == lines[0]
    assert "momentum" in lines[2]
    assert [NO_SNAPSHOTS_TEXT] == interim_lines({"snapshots": 0, "agents": []})


def test_given_up_process_is_named_with_its_log() -> None:
    """Other processes are not named."""
    stopped = ProcessRecord(name="x", command=(), log="x.log", state="stopped")

    assert [
        "tools could not be kept running: it crashed 5 times; read tools.log"
    ] == given_up_lines([stopped, LOST])


def test_wait_for_standings_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C returns at once, and the dashboard's process has ended."""
    monkeypatch.setattr(run_standings, "LAUNCHER", ("sleep", "60", "#"))

    with pytest.raises(ArenaError, match="could not be read"):
        read_standings(Settings(), deadline_s=10)
    monkeypatch.setattr(run_standings, "LAUNCHER", ("sh", "-c", "sleep 60"))
    assert read_standings(Settings(), deadline_s=10, cancelled=lambda: True) is None
    with StopSignals() as signals:
        signals.hurried = True
        assert [] == run_standings.interim_standings(Settings(), signals)


@pytest.mark.parametrize(("lost", "code"), [([], 0), ([LOST], 1)])
def test_demo_with_a_given_up_process_exits_with_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lost: list[ProcessRecord],
    code: int,
) -> None:
    """The output names the process."""

    @contextlib.contextmanager
    def broker(*_: Any, **__: Any) -> Iterator[Any]:
        yield SimpleNamespace(
            bootstrap="b:1", kind="apache-kafka", durable=True, data_dir=tmp_path, version=None,
            note="",
        )  # fmt: skip

    def run(self: Any, *_: Any) -> Any:
        self.processes = tuple(lost)
        return DOCUMENT

    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setattr(demo, "find_or_start_broker", broker)
    monkeypatch.setattr(demo, "ensure_topics", lambda *_: None)
    monkeypatch.setattr("operations.commands.demo._DemoRun.run", run)
    with pytest.raises(SystemExit) as ended:
        demo.demo(seconds=1)

    shown = capsys.readouterr().out
    assert code == ended.value.code
    assert ("tools could not be kept running" in shown) == bool(lost)
    assert not isinstance(ended.value, typer.Exit)
