"""Child processes end with their parent, and only the right process is ever signalled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from arena.processes import end_process, is_same_process, started_at
from operations.localbroker.child import Child

DEADLINE_S = 15.0
PARENT_SCRIPT = """
import sys, time
from pathlib import Path
from operations.localbroker.child import Child
child = Child(["sleep", "600"], cwd=Path("/"), console_log=Path(sys.argv[1]))
print(child.pid, flush=True)
if sys.argv[2] == "detach":
    child.detach()
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


def start_parent(log: Path, mode: str) -> tuple["subprocess.Popen[str]", int]:
    """A parent in a process of its own, and the pid of its child."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT_SCRIPT, str(log), mode], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def test_child_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL of the parent ends the child, although nobody could say goodbye."""
    parent, pid = start_parent(tmp_path / "log", "tied")
    assert started_at(pid) is not None

    parent.kill()
    parent.wait(DEADLINE_S)

    assert wait_until(lambda: started_at(pid) is None)


def test_detached_child_outlives_its_parent(tmp_path: Path) -> None:
    """Without its lifeline the child goes on when the parent has ended."""
    parent, pid = start_parent(tmp_path / "log", "detach")
    parent.wait(DEADLINE_S)
    started = started_at(pid)

    assert started is not None
    assert end_process(pid, started)
    assert wait_until(lambda: started_at(pid) is None)


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """Stop waits for its deadline only, then uses SIGKILL."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    log = tmp_path / "log"
    child = Child(
        [sys.executable, "-c", f"{script}; time.sleep(600)"], cwd=tmp_path, console_log=log
    )
    assert wait_until(lambda: log.read_text() == "1\n")

    child.stop(deadline_s=0.2)

    assert -signal.SIGKILL == child.exit_code


def test_stopping_leaves_no_lifeline(tmp_path: Path) -> None:
    """After stop neither the child nor the shell that held it is there."""
    before = {process.pid for process in psutil.Process(os.getpid()).children()}
    child = Child(["sleep", "600"], cwd=tmp_path, console_log=tmp_path / "log")
    assert before != {process.pid for process in psutil.Process(os.getpid()).children()}

    child.stop()

    assert before == {process.pid for process in psutil.Process(os.getpid()).children()}
    assert -signal.SIGTERM == child.exit_code


def test_reused_pid_is_not_signalled() -> None:
    """A process with the recorded pid but another start time is left alone."""
    started = started_at(os.getpid())
    assert started is not None

    assert is_same_process(os.getpid(), started)
    assert not end_process(os.getpid(), started - 3600)
