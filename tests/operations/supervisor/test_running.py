"""A run with a full disk, and a hurried stop."""

import errno
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from arena.runs import RunRecord
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.stop_signals import AGAIN_S, StopSignals
from operations.supervisor import running
from operations.supervisor.running import ArenaRun
from operations.supervisor.supervisor import STOP_DEADLINE_S, Change

STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready', flush=True)\nwhile True: time.sleep(60)"
)


def start_run(directory: Path, changes: list[Change]) -> ArenaRun:
    """Start a run of one process that ignores SIGTERM."""
    process = ProcessSpec("stubborn", (sys.executable, "-c", STUBBORN))
    record = RunRecord(
        command="up", name="x", prefix="", bootstrap="", pid=os.getpid(), pid_started_at=0.0,
        started_at=datetime.now(UTC),
    )  # fmt: skip
    run = ArenaRun(record, directory, [process], spec_text="", on_change=changes.append)
    run.start(lambda: False)
    end_s = time.monotonic() + 20
    while "ready" not in run.supervisor.log_tail("stubborn"):
        assert time.monotonic() < end_s
        time.sleep(0.02)
    return run


def test_stop_works_with_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write error is reported once; every process ends, at once if hurried."""
    changes: list[Change] = []
    run = start_run(tmp_path, changes)
    pid = run.record.processes[0].pid

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "run.json")

    monkeypatch.setattr(running, "write_run", full)
    began_s = time.monotonic()
    run.tick()
    run.stop(hurried=lambda: True)

    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert time.monotonic() - began_s < STOP_DEADLINE_S
    error = "run.json: no space left on device; free space on that disk"
    assert [
        Change("stubborn", "killed: it did not end at once"),
        Change("this run:", error),
    ] == changes
    assert "killed" in (tmp_path / "logs" / "supervisor.log").read_text()


def test_log_that_cannot_be_copied_is_truncated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, truncating a long log frees its space."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    log = tmp_path / "a.log"
    log.write_text("x" * 100)
    child = ChildProcess(ProcessSpec("a", (sys.executable, "-c", "")), log)
    monkeypatch.setattr("shutil.copyfile", full)
    child.rotate_log(bytes_max=10)
    child.kill()

    assert 0 == log.stat().st_size
    assert not (tmp_path / "a.log.1").exists()


def test_second_ctrl_c_hurries_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two within a moment are one; a later one ends every wait at once."""
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    found = []
    with StopSignals() as signals:
        for pause_s in (0.0, AGAIN_S / 2, AGAIN_S):
            now_s += pause_s
            os.kill(os.getpid(), signal.SIGINT)
            found.append((signals.received, signals.hurried))

    assert [(signal.SIGINT, False)] * 2 + [(signal.SIGINT, True)] == found
