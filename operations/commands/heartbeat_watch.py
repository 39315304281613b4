"""Which agents of an `arena up` are dead, and whether its venue is heard, as heartbeats say it.

Reads `arena.heartbeats` in a thread of its own, since the supervisor's loop has no event loop.
"""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress

from arena import topics
from arena.agent_health import DeadAgent, dead_agents_of
from arena.bus.base import LATEST, Record
from arena.errors import ArenaError, Malformed
from arena.liveness import FEED_DOWN
from arena.messages import Heartbeat
from arena.settings import Settings
from operations.supervisor.plan import CONNECTOR

READ_TIMEOUT_S = 0.5
AGAIN_AFTER_S = 5.0
"""After the broker could not be read."""
STOP_TIMEOUT_S = 5.0


class HeartbeatWatch:
    """Follows the heartbeats from `start` to `stop`.

    Args:
        settings: Broker and prefix.
    """

    def __init__(self, settings: Settings) -> None:
        """Read nothing yet."""
        self._settings = settings
        self._told: Mapping[str, tuple[DeadAgent, ...]] = {}
        self._feed_down = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dead-watch", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; the connection is closed when this returns."""
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_S)

    def dead(self) -> tuple[DeadAgent, ...]:
        """The dead by now, by name."""
        found = {one.agent: one for told in self._told.values() for one in told}
        return tuple(dead for _, dead in sorted(found.items()))

    def feed_down(self) -> str:
        """Why the venue sends nothing and what to do, as the connector says; "" if it does."""
        return self._feed_down

    def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(ArenaError):
                asyncio.run(self._follow())
            self._stopping.wait(AGAIN_AFTER_S)

    async def _follow(self) -> None:
        from arena.bus.kafka import KafkaBus

        bus = KafkaBus(self._settings, client_id="arena-up")
        await bus.start()
        try:
            reader = await bus.log_reader(topics.HEARTBEATS.name, start=LATEST)
            while not self._stopping.is_set():
                for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                    self._take(record)
        finally:
            await bus.close()

    def _take(self, record: Record) -> None:
        try:
            beat = record.message() if record.value is not None else None
        except Malformed:
            return  # `arena tail arena.heartbeats` shows it
        if isinstance(beat, Heartbeat) and beat.status != "stopping":
            self._told = {**self._told, beat.node: dead_agents_of(beat)}
            if beat.kind == CONNECTOR:
                self._feed_down = str(beat.details.get(FEED_DOWN, ""))
