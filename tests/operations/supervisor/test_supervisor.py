"""The supervisor with small real processes."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from arena.errors import ArenaError
from arena.runs import ProcessState
from operations.processes.child import ProcessSpec
from operations.supervisor.restart import RestartPolicy
from operations.supervisor.supervisor import Change, Supervisor

QUICK = RestartPolicy(first_delay_s=0.05, delay_s_max=0.1, crashes_max=2, window_s=60.0)
FOREVER = "import time\nwhile True: time.sleep(60)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready', flush=True)\nwhile True: time.sleep(60)"
)
WITH_GRANDCHILD = (
    "import subprocess, sys, time\n"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(p.pid, flush=True)\n"
    "while True: time.sleep(60)"
)


def python(name: str, code: str, **more: object) -> ProcessSpec:
    """A process that runs a piece of Python."""
    return ProcessSpec(name, (sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def wait_for(condition: Callable[[], object], deadline_s: float = 20.0) -> None:
    """Poll until the condition holds."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, "the condition did not come true in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """True while a process exists and is not a zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    """Create supervisors and stop them after the test."""
    created: list[Supervisor] = []

    def make(*specs: ProcessSpec, **options: object) -> Supervisor:
        supervisor = Supervisor(specs, tmp_path, policy=QUICK, **options)  # type: ignore[arg-type]
        created.append(supervisor)
        return supervisor

    yield make
    for supervisor in created:
        supervisor.stop()


def ticked(supervisor: Supervisor) -> Supervisor:
    """The supervisor after it did what is due."""
    supervisor.tick()
    return supervisor


def state_of(supervisor: Supervisor, name: str) -> ProcessState:
    """The state of one process after a tick."""
    return next(r.state for r in ticked(supervisor).records() if r.name == name)


def test_killed_process_is_restarted(supervised: Callable[..., Supervisor]) -> None:
    """SIGKILL from another process is a crash: a new process is started."""
    supervisor = supervised(python("node", FOREVER))
    supervisor.start()
    first = supervisor.records()[0].pid
    assert first is not None

    os.kill(first, signal.SIGKILL)

    wait_for(lambda: ticked(supervisor).records()[0].restarts == 1)
    record = supervisor.records()[0]
    assert (record.state, record.exit_code) == ("running", -9)
    assert record.pid != first


def test_process_that_always_crashes_is_given_up(supervised: Callable[..., Supervisor]) -> None:
    """After the allowed crashes it is not restarted, and the reason is reported."""
    changes: list[Change] = []
    crashing = python("node", "raise SystemExit('no market')")
    supervisor = supervised(crashing, on_change=changes.append)
    supervisor.start()

    wait_for(lambda: state_of(supervisor, "node") == "given_up")

    assert supervisor.records()[0].restarts == QUICK.crashes_max
    assert "given up: 3 crashes in 60 s" in changes[-1].text
    assert changes[-1].text.endswith("its last line: no market")
    assert supervisor.all_ended


def test_usage_error_is_not_restarted(supervised: Callable[..., Supervisor]) -> None:
    """After exit code 2 the process is given up at once; the log has the reason."""
    supervisor = supervised(python("node", "print('no such flag'); raise SystemExit(2)"))
    supervisor.start()

    wait_for(lambda: state_of(supervisor, "node") == "given_up")

    assert supervisor.records()[0].restarts == 0
    assert supervisor.log_tail("node") == "no such flag"


def test_missing_package_is_not_restarted(supervised: Callable[..., Supervisor]) -> None:
    """A restart does not install a missing package."""
    code = (
        "from arena.command_exit import run_command\n"
        "def work(): import no_such_package\nrun_command(work)"
    )
    supervisor = supervised(python("node", code))
    supervisor.start()

    wait_for(lambda: state_of(supervisor, "node") != "running")

    assert "given_up" == state_of(supervisor, "node")
    assert "no_such_package is not installed" in supervisor.log_tail("node")


def test_last_process_is_stopped_after_the_others_have_ended(
    supervised: Callable[..., Supervisor], tmp_path: Path
) -> None:
    """It can still read what a process writes that ends slowly."""
    note = tmp_path / "note"
    slow = (
        "import pathlib, signal, time\n"
        "def end(*_): time.sleep(0.3); pathlib.Path(NOTE).write_text('written'); raise SystemExit\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\n"
        "while True: time.sleep(60)"
    ).replace("NOTE", repr(str(note)))
    reads = (
        "import pathlib, signal, time\n"
        "def end(*_): raise SystemExit(0 if pathlib.Path(NOTE).exists() else 1)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\n"
        "while True: time.sleep(60)"
    ).replace("NOTE", repr(str(note)))
    supervisor = supervised(python("reads", reads, stops_last=True), python("slow", slow))
    supervisor.start()
    logs = [tmp_path / "logs/reads.log", tmp_path / "logs/slow.log"]
    wait_for(lambda: all(log.read_text() == "ready\n" for log in logs))

    supervisor.stop()

    assert [0, 0] == [record.exit_code for record in supervisor.records()]


def test_stop_kills_processes_that_ignore_sigterm(
    supervised: Callable[..., Supervisor], tmp_path: Path
) -> None:
    """SIGTERM, then SIGKILL after the deadline: no process is left."""
    supervisor = supervised(python("kind", FOREVER), python("stubborn", STUBBORN))
    supervisor.start()
    pids = [r.pid for r in supervisor.records()]
    wait_for(lambda: (tmp_path / "logs/stubborn.log").read_text() == "ready\n")

    supervisor.stop(deadline_s=0.5)

    assert [is_alive(pid) for pid in pids if pid] == [False, False]
    assert {r.state for r in supervisor.records()} == {"stopped"}
    assert [r.exit_code for r in supervisor.records()] == [-15, -9]


def test_grandchild_ends_with_its_parent(
    supervised: Callable[..., Supervisor], tmp_path: Path
) -> None:
    """What is left of the group of a crashed process is ended."""
    supervisor = supervised(python("node", WITH_GRANDCHILD))
    supervisor.start()
    log = tmp_path / "logs/node.log"
    wait_for(lambda: log.read_text().endswith("\n"))
    grandchild = int(log.read_text().split()[0])

    os.kill(supervisor.records()[0].pid or 0, signal.SIGKILL)

    wait_for(lambda: ticked(supervisor) and not is_alive(grandchild))


def test_start_waits_for_the_port_of_each_process(
    supervised: Callable[..., Supervisor],
) -> None:
    """A process that never answers on its port ends the start; the error has its last line."""
    supervisor = supervised(
        python("exchange", "raise SystemExit('port taken')", ready_port=1),
        python("connector", FOREVER),
    )

    with pytest.raises(ArenaError, match="exchange ended: port taken"):
        supervisor.start()

    assert supervisor.records()[1].pid is None


def test_keys_of_other_processes_are_not_in_the_environment(
    supervised: Callable[..., Supervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process has only the keys that it uses."""
    monkeypatch.setenv("SOME_KEY", "secret-value")
    code = "import os; print(os.environ.get('SOME_KEY'), os.environ['MINE'])"
    supervisor = supervised(
        python("node", code, environ={"MINE": "yes"}, without=frozenset({"SOME_KEY"}))
    )
    supervisor.start()

    wait_for(lambda: state_of(supervisor, "node") == "finished")

    assert (tmp_path / "logs/node.log").read_text() == "None yes\n"


def test_long_log_is_rotated(supervised: Callable[..., Supervisor], tmp_path: Path) -> None:
    """A long log is copied and truncated while its process continues to write."""
    code = "import sys, time\nprint('x' * 1000, flush=True)\nsys.stdin.read()\n" + FOREVER
    supervisor = supervised(python("node", code))
    supervisor.start()
    log = tmp_path / "logs/node.log"
    wait_for(lambda: log.stat().st_size == 1001)

    supervisor._processes[0].child.rotate_log(bytes_max=500)  # type: ignore[union-attr]

    assert (log.stat().st_size, log.with_suffix(".log.1").stat().st_size) == (0, 1001)


def test_end_of_the_foreground_process_ends_the_run(
    supervised: Callable[..., Supervisor],
) -> None:
    """The dashboard shares the terminal; the run ends when the user quits it."""
    supervisor = supervised(python("node", FOREVER), python("screen", "pass", foreground=True))
    supervisor.start()
    assert not supervisor.foreground_ended

    wait_for(lambda: ticked(supervisor).foreground_ended)

    assert [r.state for r in supervisor.records()] == ["running", "finished"]


PARENT = textwrap.dedent("""\
    import sys, time
    from pathlib import Path
    from operations.processes.child import ProcessSpec
    from operations.processes.stop_signals import StopSignals
    from operations.supervisor.supervisor import Supervisor
    children = [ProcessSpec(str(i), (sys.executable, "-c", code)) for i, code in
                enumerate(sys.argv[2:])]
    with StopSignals() as signals:
        supervisor = Supervisor(children, Path(sys.argv[1]))
        supervisor.start()
        print(*(r.pid for r in supervisor.records()), flush=True)
        while signals.received is None:
            supervisor.tick()
            time.sleep(0.02)
        supervisor.stop()
    sys.exit(128 + signals.received)
    """)


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """A process that supervises a simple child and one with a grandchild, and their pids."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), FOREVER, WITH_GRANDCHILD],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    log = tmp_path / "logs/1.log"
    wait_for(lambda: log.read_text().endswith("\n"))
    yield process, [*pids, int(log.read_text().split()[0])]
    for pid in (process.pid, *pids):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_sigkill_of_the_supervisor_leaves_no_process(
    parent: tuple["subprocess.Popen[str]", list[int]],
) -> None:
    """The orphan reaper ends the children and grandchildren of a killed supervisor."""
    process, pids = parent
    assert [is_alive(pid) for pid in pids] == [True] * 3

    process.kill()

    wait_for(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_to_the_whole_group_stops_all_processes(
    parent: tuple["subprocess.Popen[str]", list[int]], number: signal.Signals
) -> None:
    """Ctrl-C, SIGTERM or a closed terminal: all end, and the exit code has the signal."""
    process, pids = parent

    os.killpg(process.pid, number)
    os.killpg(process.pid, number)

    assert process.wait(20) == 128 + number
    assert not any(is_alive(pid) for pid in pids)
