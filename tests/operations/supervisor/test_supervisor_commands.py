"""A supervisor obeys commands, with small real processes."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.messages import ProcessCommand
from arena.supervision import Action, CommandOutcome, SupervisedProcess
from operations.processes.child import ProcessSpec
from operations.supervisor.supervisor import (
    STOP_DEADLINE_S,
    STOP_LAST_DEADLINE_S,
    Change,
    Supervisor,
)
from tests.operations.supervisor.test_supervisor import (
    FOREVER,
    QUICK,
    STUBBORN,
    is_alive,
    python,
    ticked,
    wait_for,
)

NUMBERS = itertools.count()


def command(action: Action, process: str = "node", reason: str = "new key") -> ProcessCommand:
    """A command with a new id."""
    return ProcessCommand(
        command_id=f"command-{next(NUMBERS):08d}",
        host="alpha",
        run="r",
        process=process,
        action=action,
        reason=reason,
        by="cli/alpha",
        issued_at=datetime.now(UTC),
    )


class _Commanded:
    """A started supervisor, its changes, and a clock that can be set forward."""

    def __init__(self, directory: Path, *specs: ProcessSpec) -> None:
        self.changes: list[Change] = []
        self.ahead_s = 0.0
        self.supervisor = Supervisor(
            specs,
            directory,
            policy=QUICK,
            on_change=self.changes.append,
            clock=lambda: time.monotonic() + self.ahead_s,
        )
        self.supervisor.start()

    def obey(self, action: Action, process: str = "node") -> CommandOutcome:
        """Obey a command and wait for its outcome."""
        sent = command(action, process)
        self.supervisor.obey(sent)
        wait_for(lambda: self.ticked().outcome(sent).state != "pending")
        return self.outcome(sent)

    def tick(self) -> None:
        """Do what is due."""
        self.supervisor.tick()

    def ticked(self) -> "_Commanded":
        """Do what is due, and return it."""
        self.tick()
        return self

    def outcome(self, sent: ProcessCommand) -> CommandOutcome:
        found = self.supervisor.report("r").outcome(sent.command_id)
        assert found is not None
        return found

    def process(self, name: str = "node") -> SupervisedProcess:
        found = self.supervisor.report("r").process(name)
        assert found is not None
        return found


@pytest.fixture
def commanded(tmp_path: Path) -> Iterator[Callable[..., _Commanded]]:
    """Start supervisors and stop them after the test."""
    started: list[_Commanded] = []

    def start(*specs: ProcessSpec) -> _Commanded:
        started.append(_Commanded(tmp_path, *specs))
        return started[-1]

    yield start
    for one in started:
        one.supervisor.stop()


def test_stopped_process_stays_stopped_until_it_is_started(
    commanded: Callable[..., _Commanded],
) -> None:
    """It is not restarted and not a crash; the run continues; a start uses the planned command."""
    run = commanded(python("node", FOREVER, kind="judge"))
    first = run.process()

    stopped = run.obey("stop")
    run.ahead_s = 3_600.0
    run.tick()
    held = run.process()
    again = run.obey("start")
    new = run.process()

    assert first.pid is not None
    assert not is_alive(first.pid)
    assert ("done", "cli/alpha", "new key") == (stopped.state, stopped.by, stopped.reason)
    assert ("stopped", "stopped by cli/alpha: new key", 0) == (held.state, held.note, held.restarts)
    assert held.is_stopped_by_command
    assert held.since >= first.since
    assert not run.supervisor.all_ended
    assert ("done", f"started, pid {new.pid}") == (again.state, again.text)
    assert ("running", "", "judge") == (new.state, new.note, new.kind)
    assert run.supervisor.records()[0].command == python("node", FOREVER).argv
    assert not new.is_stopped_by_command


def test_restart_ends_the_process_and_starts_it(commanded: Callable[..., _Commanded]) -> None:
    """It has another pid and a later start, and no crash is counted, however often."""
    run = commanded(python("node", FOREVER))
    pids, starts = {run.process().pid}, [run.process().since]

    for _ in range(QUICK.crashes_max + 2):
        assert "done" == run.obey("restart").state
        pids.add(run.process().pid)
        starts.append(run.process().since)

    assert QUICK.crashes_max + 3 == len(pids)
    assert sorted(set(starts)) == starts
    assert "running" == run.process().state


def test_start_after_a_stop_continues_after_crashes(
    commanded: Callable[..., _Commanded], tmp_path: Path
) -> None:
    """A process that was given up is started by a command, and is restarted after a crash again."""
    flag = tmp_path / "works"
    code = f"import pathlib\nif not pathlib.Path({str(flag)!r}).exists(): raise SystemExit('no')\n"
    run = commanded(python("node", code + FOREVER))
    wait_for(lambda: run.ticked().process().state == "failed")
    nothing = run.obey("stop")
    assert ("done", "it did not run: it had been given up") == (nothing.state, nothing.text)
    assert ("failed", False) == (run.process().state, run.process().is_stopped_by_command)

    flag.touch()
    assert "done" == run.obey("start").state
    first = run.process()
    os.kill(first.pid or 0, signal.SIGKILL)
    wait_for(lambda: run.ticked().process().restarts > first.restarts)

    assert "running" == run.process().state


@pytest.mark.parametrize(
    ("stops_last", "limit_s"), [(False, STOP_DEADLINE_S), (True, STOP_LAST_DEADLINE_S)]
)
def test_process_that_ignores_sigterm_is_killed(
    commanded: Callable[..., _Commanded], tmp_path: Path, stops_last: bool, limit_s: float
) -> None:
    """It has the time of a usual stop; the outcome says that it was killed."""
    run = commanded(python("node", STUBBORN, stops_last=stops_last))
    wait_for(lambda: (tmp_path / "logs/node.log").read_text() == "ready\n")
    pid = run.process().pid
    sent = command("stop")

    run.supervisor.obey(sent)
    run.ahead_s = limit_s - 2.0
    run.tick()
    before = run.outcome(sent)
    run.ahead_s = limit_s
    run.tick()

    assert ("pending", f"pid {pid} has SIGTERM, and is ending") == (before.state, before.text)
    assert "done" == run.outcome(sent).state
    assert run.outcome(sent).text.startswith("killed, because it did not end after ")
    assert ("stopped", -9) == (run.process().state, run.supervisor.records()[0].exit_code)


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [("stop", "start", "running"), ("restart", "stop", "stopped"), ("stop", "restart", "running")],
)
def test_later_command_replaces_one_that_is_not_done(
    commanded: Callable[..., _Commanded],
    tmp_path: Path,
    first: Action,
    second: Action,
    state: str,
) -> None:
    """The process ends once, and is then as the later command asked for."""
    run = commanded(python("node", STUBBORN))
    wait_for(lambda: (tmp_path / "logs/node.log").read_text() == "ready\n")
    earlier, later = command(first), command(second)

    run.supervisor.obey(earlier)
    run.supervisor.obey(later)
    run.ahead_s = STOP_DEADLINE_S
    run.tick()

    assert ("replaced", "done") == (run.outcome(earlier).state, run.outcome(later).state)
    assert state == run.process().state
    assert later.command_id == (run.process().command or earlier).command_id


def test_commands_without_effect_say_why(commanded: Callable[..., _Commanded]) -> None:
    """What is as asked for is done; what this run does not have is refused."""
    run = commanded(python("node", FOREVER))

    running = run.obey("start")
    run.obey("stop")
    stopped = run.obey("stop")
    unknown = run.obey("stop", "noed")

    assert ("done", "it was running already") == (running.state, running.text)
    assert ("done", "it was stopped already") == (stopped.state, stopped.text)
    assert ("refused", "this run has no process 'noed'; it has node") == (
        unknown.state,
        unknown.text,
    )
    assert ["node stop from cli/alpha (new key): done: it was stopped already"] == [
        f"{change.name} {change.text}" for change in run.changes if "already" in change.text
    ][1:]


def test_waiting_restart_is_cancelled_by_a_stop(commanded: Callable[..., _Commanded]) -> None:
    """A process that crashed is not started again, as a stop asks for."""
    run = commanded(python("node", FOREVER))
    os.kill(run.process().pid or 0, signal.SIGKILL)
    wait_for(lambda: run.ticked().process().state != "running")

    outcome = run.obey("stop")
    run.ahead_s = 3_600.0

    assert ("done", "its restart was cancelled") == (outcome.state, outcome.text)
    assert "stopped" == ticked(run.supervisor).report("r").processes[0].state


def test_process_in_the_foreground_is_not_commanded(tmp_path: Path) -> None:
    """Its end would end the run; nothing is done to it."""
    supervisor = Supervisor([python("dashboard", FOREVER, foreground=True)], tmp_path)
    sent = command("stop", "dashboard")

    supervisor.obey(sent)

    outcome = supervisor.report("r").outcome(sent.command_id)
    assert outcome is not None
    assert ("refused", False) == (outcome.state, supervisor.report("r").processes[0].commandable)


def test_process_that_cannot_be_started_is_reported(
    commanded: Callable[..., _Commanded], tmp_path: Path
) -> None:
    """The supervisor continues; the process has failed, with the reason."""
    program = tmp_path / "program"
    program.symlink_to("/bin/sleep")
    run = commanded(ProcessSpec("node", (str(program), "60")), python("other", FOREVER))
    run.obey("stop")
    program.unlink()

    outcome = run.obey("start")

    assert "failed" == outcome.state
    assert "it could not be started: " in outcome.text
    assert ("failed", "running") == (run.process().state, run.process("other").state)


def test_run_ends_while_a_process_is_being_stopped(
    commanded: Callable[..., _Commanded], tmp_path: Path
) -> None:
    """The end of the run ends it like the others."""
    run = commanded(python("node", STUBBORN))
    wait_for(lambda: (tmp_path / "logs/node.log").read_text() == "ready\n")
    pid = run.process().pid or 0
    run.supervisor.obey(command("restart"))

    run.supervisor.stop(deadline_s=0.1)

    assert not is_alive(pid)
    assert "stopped" == run.process().state
