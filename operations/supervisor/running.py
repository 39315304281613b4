"""One run of an arena: its directory, its record, its processes.

Writes `<home>/runs/<time>/`: ARENA.toml as it was, run.json as it is, `logs/supervisor.log`
with what happened to the processes. If the disk takes no more, that is said once, and the run
continues; its stop ends every process as always.
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
from operations.supervisor.supervisor import Change, Supervisor

RUN = "this run:"
"""What a change is about that concerns no process."""


class ArenaRun:
    """A supervised arena whose record on disk follows it.

    Args:
        record: What is known before the start.
        directory: Of the run; exists.
        processes: In start order.
        spec_text: The ARENA.toml, kept beside the record.
        on_change: Told what a person may want to know.
    """

    def __init__(
        self,
        record: RunRecord,
        directory: Path,
        processes: Sequence[ProcessSpec],
        *,
        spec_text: str,
        on_change: Callable[[Change], None] = lambda change: None,
    ) -> None:
        """Write the record; start nothing yet."""
        self.directory = directory
        self._record = record
        self._on_change = on_change
        self._unwritten: set[str] = set()
        self._log = directory / LOGS / "supervisor.log"
        self.supervisor = Supervisor(processes, directory, on_change=self._note)
        write_atomic(directory / SPEC_FILE, spec_text)
        self._write_record()

    @property
    def record(self) -> RunRecord:
        """How the run fares."""
        return self._record

    def start(self, stopped: Callable[[], bool]) -> None:
        """Start every process in order; `stopped` is asked in between."""
        self.supervisor.start(stopped)
        self._write()

    def tick(self) -> None:
        """Do what is due; call it some ten times a second."""
        self.supervisor.tick()
        if self.supervisor.records() != self._record.processes:
            self._write()

    def note_dead(self, dead: tuple[DeadAgent, ...]) -> None:
        """Keep who is dead in the record."""
        if dead != self._record.dead:
            self._record = self._record.model_copy(update={"dead": dead})
            self._write()

    def stop(self, hurried: Callable[[], bool] = lambda: False) -> None:
        """End every process, and close the record; `hurried` cuts the wait for them short."""
        self.supervisor.stop(hurried=hurried)
        self._record = self._record.model_copy(update={"ended_at": datetime.now(UTC)})
        self._write()

    def _write(self) -> None:
        with self._said_if_failed():
            self._write_record()

    def _write_record(self) -> None:
        records = self.supervisor.records()
        self._record = self._record.model_copy(update={"processes": records})
        write_run(self.directory, self._record)

    def _note(self, change: Change) -> None:
        line = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {change.name} {change.text}"
        with (
            self._said_if_failed(),
            disk_full_named(self._log),
            self._log.open("a", encoding="utf-8") as log,
        ):
            log.write(line + os.linesep)
        self._on_change(change)

    @contextmanager
    def _said_if_failed(self) -> Iterator[None]:
        """Say what cannot be written, once for each cause, and go on."""
        try:
            yield
        except OSError as error:
            words = str(explain_error(error) or error)
            if words not in self._unwritten:
                self._unwritten.add(words)
                self._on_change(Change(RUN, words))
