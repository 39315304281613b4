"""A supervisor's connection to its arena, in a thread of its own.

Reads `arena.supervision`; writes `arena.heartbeats` with what is supervised, and `dead_letters`.
The supervisor never waits for it: while the broker does not answer, processes are supervised as
usual, no command is received, and the connection is tried again. The first connection starts at the
end of the topic, a later one where the last one was.
"""

import asyncio
import queue
import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

from arena import logs, topics
from arena.bus.base import LATEST, Record, Start
from arena.bus.dead_letters import send_dead_letter
from arena.clock import SystemClock
from arena.error_causes import error_message
from arena.errors import BrokenLog, Malformed
from arena.messages import ProcessCommand
from arena.node import Node, serve_node
from arena.settings import Settings
from arena.supervision import SUPERVISED, SUPERVISOR, Supervised
from arena.tasks import run_until_first_ends
from arena.visible_text import one_line
from operations.supervisor.command_steps import ReceivedCommand
from operations.supervisor.note_limit import NoteLimit

READ_TIMEOUT_S = 0.5
RETRY_AFTER_S = 2.0
"""Pause after the connection was lost."""
STOP_TIMEOUT_S = 5.0
WAITING_MAX = 64
"""Most commands that wait for the supervisor's next tick."""
NOTE_CHARS_MAX = 400


class SupervisionLink:
    """Receives commands and sends heartbeats from `start` to `stop`.

    Args:
        settings: Broker, prefix and login.
        run: Name of the run.
    """

    def __init__(self, settings: Settings, run: str) -> None:
        """Create the link; `start` connects."""
        self.run = run_name(run)
        self.host = socket.gethostname()
        self._settings = settings
        self._commands: queue.Queue[ReceivedCommand] = queue.Queue(WAITING_MAX)
        self._notes = NoteLimit()
        self._notes_lock = threading.Lock()
        self._started_at = datetime.now(UTC)
        self._given: Supervised | None = None
        self._report: Supervised | None = None
        self._offsets: dict[tuple[str, int], int] | None = None
        self._problem = ""
        self._stopping = threading.Event()
        self._connected = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="supervision", daemon=True)

    def start(self) -> None:
        """Start to connect; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Send the last heartbeat and disconnect; returns after `STOP_TIMEOUT_S` at the latest."""
        connected = self._connected.is_set()
        self._stopping.set()
        self._wake()
        if self._thread.is_alive() and connected:
            self._thread.join(STOP_TIMEOUT_S)

    def take(self) -> list[ReceivedCommand]:
        """The commands for this supervisor that arrived since the last call."""
        return [self._commands.get_nowait() for _ in range(self._commands.qsize())]

    def take_notes(self) -> list[str]:
        """What to tell the user since the last call."""
        with self._notes_lock:
            return self._notes.take(time.monotonic())

    def publish(self, report: Supervised) -> None:
        """Send a heartbeat if the report has changed."""
        if report != self._given:
            self._given = report
            self._report = report.fitted()
            self._wake()

    def _wake(self) -> None:
        loop, changed = self._loop, self._changed
        if loop is not None and changed is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:
                return  # it was closed meanwhile

    def note(self, text: str) -> None:
        """Add a note for the user; too many in a minute are only counted."""
        with self._notes_lock:
            self._notes.add(one_line(text, NOTE_CHARS_MAX), time.monotonic())

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with logs.without_client():
                    asyncio.run(self._connect())
            except (Exception, asyncio.CancelledError) as error:  # supervision never depends on it
                self._note_problem(error)
            self._stopping.wait(RETRY_AFTER_S)

    def _note_problem(self, error: BaseException) -> None:
        if isinstance(error, BrokenLog):
            self._offsets = None  # another topic has its name now
        text = error_message(error) or type(error).__name__
        if not self._problem:
            self.note(f"commands of `arena process` are not received: {text}")
        self._problem = text

    async def _connect(self) -> None:
        from arena.bus.kafka import KafkaBus

        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        bus = KafkaBus(self._settings, client_id="arena-supervisor")
        node = Node(SUPERVISOR, self.run, self._settings, bus, SystemClock(), host=self.host)
        node.started_at = self._started_at
        try:
            await serve_node(node, self._serve, None)
        finally:
            self._loop = self._changed = None

    async def _serve(self, node: Node, _options: None) -> None:
        topic = topics.SUPERVISION.name
        await node.bus.ensure_topics([topics.SUPERVISION])
        start = LATEST if self._offsets is None else Start(offsets=self._offsets)
        reader = await node.bus.log_reader(topic, start=start)
        offsets = {pair: at.position for pair, at in (await reader.positions()).items()}
        self._offsets = offsets
        if self._problem:
            self._problem = ""
            self.note("commands of `arena process` are received again")

        async def receive() -> None:
            while not self._stopping.is_set():
                for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                    await self._receive(node, record)
                    offsets[topic, record.partition] = record.offset + 1

        node.status = "running"
        self._connected.set()
        try:
            await run_until_first_ends(receive(), self._beat_on_change(node))
        finally:
            self._connected.clear()
            self._put_report(node)
            await reader.close()

    async def _beat_on_change(self, node: Node) -> None:
        changed = self._changed
        assert changed is not None, "the link is not connected"
        while not self._stopping.is_set():
            changed.clear()
            self._put_report(node)
            await node.beat()
            await changed.wait()

    def _put_report(self, node: Node) -> None:
        if self._report is not None:
            node.details[SUPERVISED] = self._report.detail()

    async def _receive(self, node: Node, record: Record) -> None:
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        try:
            command = record.message()
        except Malformed as error:
            node.counters["dead_letters"] += 1
            self.note(f"{where} cannot be read, and is in dead_letters: {error}")
            await send_dead_letter(node.bus, record, str(error), node.id, node.clock.now())
            return
        if not isinstance(command, ProcessCommand):
            self.note(f"{where} is ignored: a {command.type_name()} is not a command")
            return
        if (command.host, command.run) != (self.host, self.run):
            return  # for another supervisor
        appended = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=record.timestamp_ms)
        age_s = (await node.broker_now() - appended).total_seconds()
        try:
            self._commands.put_nowait(ReceivedCommand(command, age_s))
        except queue.Full:
            self.note(f"{where} is ignored: {WAITING_MAX} commands are waiting already")


def run_name(folder: str) -> str:
    """The name of a run in messages: that of its folder, with other characters as "-"."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", folder).strip("-_")[:64] or "run"
