"""A run whose disk is full, and one that is stopped in a hurry."""

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


def run_in(directory: Path, said: list[Change]) -> ArenaRun:
    """A run of one process that takes no SIGTERM, started."""
    process = ProcessSpec("stubborn", (sys.executable, "-c", STUBBORN))
    record = RunRecord(
        command="up", name="x", prefix="", bootstrap="", pid=os.getpid(), pid_started_at=0.0,
        started_at=datetime.now(UTC),
    )  # fmt: skip
    run = ArenaRun(record, directory, [process], spec_text="", on_change=said.append)
    run.start(lambda: False)
    end_s = time.monotonic() + 20
    while "ready" not in run.supervisor.log_tail("stubborn"):
        assert time.monotonic() < end_s
        time.sleep(0.02)
    return run


def test_a_full_disk_stops_no_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is said once; every process ends, in a hurry at once."""
    said: list[Change] = []
    run = run_in(tmp_path, said)
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
    words = "run.json: no space left on device; free space on that disk"
    assert [
        Change("stubborn", "killed: it did not end at once"),
        Change("this run:", words),
    ] == said
    assert "killed" in (tmp_path / "logs" / "supervisor.log").read_text()


def test_a_log_that_cannot_be_copied_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a log that is too long gives its room back."""

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


def test_a_second_ctrl_c_hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same key twice within a moment is one; later it cuts every wait short."""
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    found = []
    with StopSignals() as signals:
        for pause_s in (0.0, AGAIN_S / 2, AGAIN_S):
            now_s += pause_s
            os.kill(os.getpid(), signal.SIGINT)
            found.append((signals.received, signals.hurried))

    assert [(signal.SIGINT, False)] * 2 + [(signal.SIGINT, True)] == found
