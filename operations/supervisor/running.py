"""One run of an arena: its directory, its record, its processes, and the commands for them.

Writes `<home>/runs/<time>/`: a copy of the ARENA.toml, run.json with the current state, and
`logs/supervisor.log` with what happened to the processes. If the disk is full, that is reported
once and the run continues; `stop` ends every process as usual.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from arena.agent_health import DeadAgent
from arena.atomic_files import disk_full_named, write_atomic
from arena.error_causes import explain_error
from arena.runs import LOGS, SPEC_FILE, RunRecord, write_run
from operations.processes.child import ProcessSpec
from operations.supervisor.command_steps import CommandFilter, refusal_of
from operations.supervisor.supervision_link import SupervisionLink
from operations.supervisor.supervisor import Change, Supervisor

RUN = "this run:"
"""Name in a change that does not concern a process."""


class ArenaRun:
    """A supervised arena, with its record on disk.

    Args:
        record: The run before its start.
        directory: The directory of the run; exists.
        processes: The processes in start order.
        spec_text: The ARENA.toml, saved beside the record.
        on_change: Called with each change to show to the user.
        link: Receives commands and reports what is supervised; None to do neither.
        lock_step: True if the market waits for every agent.
    """

    def __init__(
        self,
        record: RunRecord,
        directory: Path,
        processes: Sequence[ProcessSpec],
        *,
        spec_text: str,
        on_change: Callable[[Change], None] = lambda change: None,
        link: SupervisionLink | None = None,
        lock_step: bool = False,
    ) -> None:
        """Write the record; call `start` to start the processes."""
        self.directory = directory
        self._record = record
        self._on_change = on_change
        self._link = link
        self._lock_step = lock_step
        self._commands = CommandFilter()
        self._reported_errors: set[str] = set()
        self._log = directory / LOGS / "supervisor.log"
        self.supervisor = Supervisor(processes, directory, on_change=self._note)
        write_atomic(directory / SPEC_FILE, spec_text)
        self._write_record()

    @property
    def record(self) -> RunRecord:
        """The state of the run."""
        return self._record

    def start(self, stopped: Callable[[], bool]) -> None:
        """Start every process in order, until `stopped` returns True."""
        if self._link is not None:
            self._publish()
            self._link.start()
        self.supervisor.start(stopped)
        self._write()
        self._publish()

    def tick(self) -> None:
        """Do what is due; call it about ten times a second."""
        self._obey()
        self.supervisor.tick()
        if self.supervisor.records() != self._record.processes:
            self._write()
        self._publish()

    def note_dead(self, dead: tuple[DeadAgent, ...]) -> None:
        """Save the dead agents in the record."""
        if dead != self._record.dead:
            self._record = self._record.model_copy(update={"dead": dead})
            self._write()

    def stop(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """End every process and close the record; `hurried` shortens the wait for them."""
        self.supervisor.stop(hurried=hurried)
        self._record = self._record.model_copy(update={"ended_at": datetime.now(UTC)})
        self._write()
        if self._link is not None:
            self._publish()
            self._link.stop()

    def _obey(self) -> None:
        """Carry out the commands that arrived, each once."""
        if self._link is None:
            return
        for received in self._link.take():
            command = received.command
            if not self._commands.is_new(command):
                self._link.note(f"command {command.command_id} came again; it is not repeated")
            elif why := refusal_of(received):
                self.supervisor.refuse(command, why)
            else:
                self.supervisor.obey(command)
        for text in self._link.take_notes():
            self._note(Change(RUN, text))

    def _publish(self) -> None:
        if self._link is not None:
            report = self.supervisor.report(self._link.run, lock_step=self._lock_step)
            self._link.publish(report)

    def _write(self) -> None:
        with self._report_write_errors():
            self._write_record()

    def _write_record(self) -> None:
        records = self.supervisor.records()
        self._record = self._record.model_copy(update={"processes": records})
        write_run(self.directory, self._record)

    def _note(self, change: Change) -> None:
        line = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {change.name} {change.text}"
        with (
            self._report_write_errors(),
            disk_full_named(self._log),
            self._log.open("a", encoding="utf-8") as log,
        ):
            log.write(line + os.linesep)
        self._on_change(change)

    @contextmanager
    def _report_write_errors(self) -> Iterator[None]:
        """Report a write error once per cause, and continue."""
        try:
            yield
        except OSError as error:
            text = str(explain_error(error) or error)
            if text not in self._reported_errors:
                self._reported_errors.add(text)
                self._on_change(Change(RUN, text))
