"""The processes of a storm: started, restarted when one ends, and all stopped at the end.

The supervisor (`arena up`) is one of them; its processes are read from the record of its run. An
orphan reaper ends all processes if this process is killed.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from arena.credentials import ADMIN, credentials_for, credentials_of_command
from arena.processes import is_same_process, started_at
from arena.runs import ProcessRecord, newest_run
from operations.commands.supervised_run import LAUNCHER
from operations.processes.child import ChildProcess, ProcessSpec
from operations.processes.orphan_reaper import OrphanReaper
from operations.storm.fault_plan import SUPERVISED, SUPERVISOR

RESTART_S = 0.3
RESTART_S_MAX = 3.0
STOP_S = 12.0
POLL_S = 0.05


@dataclass
class _StormProcess:
    """A process that the storm runs itself."""

    spec: ProcessSpec
    child: ChildProcess | None = None
    started_s: float = 0.0
    restart_at_s: float = 0.0
    quick_ends: int = 0


@dataclass(frozen=True, slots=True)
class ProcessHandle:
    """A process that can be signalled; a later process with its pid is not signalled."""

    pid: int
    start_time_s: float

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; return False if the process has ended."""
        if not is_same_process(self.pid, self.start_time_s):
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


@dataclass
class StormProcesses:
    """All processes of a storm except brokers and databases.

    Attributes:
        home: `ARENA_HOME` of all of them. logs: Folder for their output.
        environ: Variables for all. secure: True if each logs in as its own principal.
        commands: Process -> its arguments after `arena`. spec: The supervisor's ARENA.toml.
        extra: Process -> more variables.
        ends: How often a process ended by itself, by name and exit code.
    """

    home: Path
    logs: Path
    environ: Mapping[str, str]
    commands: Mapping[str, list[str]]
    spec: Path
    secure: bool = False
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    clock: Callable[[], float] = time.monotonic
    _members: dict[str, _StormProcess] = field(default_factory=dict)
    _killed: set[int] = field(default_factory=set)
    _reaper: OrphanReaper | None = None

    def start(self) -> None:
        """Start the supervisor and all others."""
        up = ["up", str(self.spec), "--no-dashboard", "--no-check"]
        self._start_all({SUPERVISOR: up, **self.commands})

    def start_alone(self) -> None:
        """Start all but the supervisor."""
        self._start_all(self.commands)

    def tick(self) -> None:
        """Restart the processes that have ended."""
        now_s = self.clock()
        for name, member in self._members.items():
            if member.child is not None:
                code = member.child.exit_code()
                if code is not None:
                    self._note_end(name, member, code, now_s)
            elif now_s >= member.restart_at_s:
                self._start(member)
            if member.child is not None:
                member.child.rotate_log()

    def find(self, name: str) -> ProcessHandle | None:
        """Find a process by name, also a supervised one; return None if it does not run."""
        if (member := self._members.get(name)) is not None:
            pid = member.child.pid if member.child is not None else None
        else:
            record = self._supervised().get(name)
            pid = record.pid if record is not None and record.state == "running" else None
        if pid is None or (start_time_s := started_at(pid)) is None:
            return None
        return ProcessHandle(pid, start_time_s)

    def kill(self, name: str) -> bool:
        """Send SIGKILL to a process; return False if it does not run."""
        found = self.find(name)
        if found is None:
            return False
        self._killed.add(found.pid)
        return found.signal(signal.SIGKILL)

    def given_up(self) -> list[str]:
        """Return the processes that the supervisor does not restart any more."""
        return [n for n, r in self._supervised().items() if r.state in ("given_up", "finished")]

    def all_run(self) -> bool:
        """True if every process runs."""
        names = (*self._members, *SUPERVISED)
        return all(self.find(name) is not None for name in names)

    def end(self, *names: str) -> None:
        """Stop some of the storm's own processes and wait; they are not restarted."""
        members = [self._members.pop(name) for name in names if name in self._members]
        children = [m.child for m in members if m.child is not None]
        for child in children:
            child.terminate()
        until_s = time.monotonic() + STOP_S
        while time.monotonic() < until_s and any(c.exit_code() is None for c in children):
            time.sleep(POLL_S)
        for child in children:
            if child.exit_code() is None:
                child.kill()
            if self._reaper is not None:
                self._reaper.remove(child.target)

    def stop(self) -> None:
        """Stop all processes."""
        for name in (*self._members, *SUPERVISED):
            if (found := self.find(name)) is not None:
                found.signal(signal.SIGCONT)
        self.end(*self._members)
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None

    def _start_all(self, commands: Mapping[str, list[str]]) -> None:
        self._reaper = OrphanReaper()
        for name, words in commands.items():
            self._members[name] = _StormProcess(self._spec(name, words))
            self._start(self._members[name])

    def _spec(self, name: str, words: list[str]) -> ProcessSpec:
        environ = {**self.environ, **self.extra.get(name, {})}
        if self.secure:
            admin = credentials_for(self.home, ADMIN)
            own = credentials_of_command(self.home, words[0])
            environ |= admin if name == SUPERVISOR else own
        return ProcessSpec(name=name, argv=(*LAUNCHER, *words), environ=environ)

    def _start(self, member: _StormProcess) -> None:
        assert self._reaper is not None, "start was not called"
        self.logs.mkdir(parents=True, exist_ok=True)
        member.child = ChildProcess(member.spec, self.logs / f"{member.spec.name}.log")
        member.started_s = self.clock()
        self._reaper.add(member.child.target)

    def _note_end(self, name: str, member: _StormProcess, code: int, now_s: float) -> None:
        assert member.child is not None
        assert self._reaper is not None
        self._reaper.remove(member.child.target)
        if member.child.pid in self._killed:
            self._killed.discard(member.child.pid)
            member.quick_ends = 0
        else:
            self.ends[f"{name} {code}"] += 1
            member.quick_ends = member.quick_ends + 1 if now_s - member.started_s < 10 else 0
        member.child = None
        member.restart_at_s = now_s + min(RESTART_S_MAX, RESTART_S * 2**member.quick_ends)

    def _supervised(self) -> dict[str, ProcessRecord]:
        found = newest_run(self.home)
        if found is None or not found[1].is_running():
            return {}
        return {record.name: record for record in found[1].processes}
