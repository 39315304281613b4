"""Child processes end with their parent, and only the right process is ever signalled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from arena.processes import end_process, is_same_process, started_at
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.orphan_reaper import OrphanReaper

DEADLINE_S = 15.0
PARENT_SCRIPT = """
import sys, time
from pathlib import Path
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.orphan_reaper import OrphanReaper
reaper = OrphanReaper()
child = ChildProcess(ProcessSpec("sleep", ("sleep", "600")), Path(sys.argv[1]))
reaper.add(child.target)
print(child.pid, flush=True)
if sys.argv[2] == "released":
    reaper.release()
    sys.exit()
time.sleep(600)
"""


def wait_until(condition: Callable[[], bool]) -> bool:
    """Poll until the condition holds or the deadline has passed."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def has_ended(child: ChildProcess) -> bool:
    """True if a child has an exit code."""
    return child.exit_code() is not None


def start_parent(log: Path, mode: str) -> tuple["subprocess.Popen[str]", int]:
    """A parent in a process of its own, and the pid of its child."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT_SCRIPT, str(log), mode], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def test_child_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL of the parent ends the child."""
    parent, pid = start_parent(tmp_path / "log", "tied")
    assert started_at(pid) is not None

    parent.kill()
    parent.wait(DEADLINE_S)

    assert wait_until(lambda: started_at(pid) is None)


def test_released_child_outlives_its_parent(tmp_path: Path) -> None:
    """Without its reaper the child continues after the parent has ended."""
    parent, pid = start_parent(tmp_path / "log", "released")
    parent.wait(DEADLINE_S)
    started = started_at(pid)

    assert started is not None
    assert end_process(pid, started)
    assert wait_until(lambda: started_at(pid) is None)


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """Stop waits for its deadline only, then uses SIGKILL."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    log = tmp_path / "log"
    child = ChildProcess(
        ProcessSpec("deaf", (sys.executable, "-c", f"{script}; time.sleep(600)")), log
    )
    assert wait_until(lambda: log.read_text() == "1\n")

    child.stop(deadline_s=0.2)

    assert -signal.SIGKILL == child.exit_code()


def test_stop_leaves_no_process(tmp_path: Path) -> None:
    """After stop and close neither the child nor the reaper is there."""
    before = {process.pid for process in psutil.Process(os.getpid()).children()}
    reaper = OrphanReaper()
    child = ChildProcess(ProcessSpec("sleep", ("sleep", "600")), tmp_path / "log")
    reaper.add(child.target)
    assert before != {process.pid for process in psutil.Process(os.getpid()).children()}

    child.stop()
    reaper.close()

    assert before == {process.pid for process in psutil.Process(os.getpid()).children()}
    assert -signal.SIGTERM == child.exit_code()


def test_log_of_an_earlier_process_is_kept_or_replaced(tmp_path: Path) -> None:
    """Output is appended to the log file unless a new one is asked for."""
    spec = ProcessSpec("echo", (sys.executable, "-c", "print(1)"))
    log = tmp_path / "log"
    for append, expected in ((True, "1\n"), (True, "1\n1\n"), (False, "1\n")):
        child = ChildProcess(spec, log, append=append)
        assert wait_until(partial(has_ended, child))

        assert expected == log.read_text()


def test_reused_pid_is_not_signalled() -> None:
    """A process with the recorded pid but another start time is left alone."""
    started = started_at(os.getpid())
    assert started is not None

    assert is_same_process(os.getpid(), started)
    assert not end_process(os.getpid(), started - 3600)


def test_ended_process_is_not_signalled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its end was seen, no signal is sent: another group may have its number."""
    killed = ChildProcess(ProcessSpec("sleep", ("sleep", "600")), tmp_path / "log")
    killed.kill()
    ended = ChildProcess(ProcessSpec("true", ("true",)), tmp_path / "log")
    assert wait_until(lambda: ended.exit_code() is not None)
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda *signalled: sent.append(signalled))

    for child in (killed, ended):
        assert child.exit_code() is not None
        child.terminate()
        child.stop()

    assert [] == sent
