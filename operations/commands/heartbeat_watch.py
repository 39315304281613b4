"""Follows heartbeats during `arena up`: which agents are dead, and whether the venue sends prices.

Reads `arena.heartbeats` in its own thread, since the supervisor's loop has no event loop.
"""

import asyncio
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress

from arena import topics
from arena.agent_health import DeadAgent, dead_agents_of
from arena.bus.base import LATEST, Record
from arena.errors import ArenaError, Malformed
from arena.liveness import CONNECTOR, feed_down, market_warning, running_connectors
from arena.messages import Heartbeat
from arena.settings import Settings
from arena.shadow_agents import is_shadow

READ_TIMEOUT_S = 0.5
RETRY_AFTER_S = 5.0
"""Pause after the broker could not be read."""
STOP_TIMEOUT_S = 5.0


class HeartbeatWatch:
    """Follows the heartbeats from `start` to `stop`.

    Args:
        settings: Broker and prefix of the arena.
    """

    def __init__(self, settings: Settings) -> None:
        """Create the watch; `start` begins to read."""
        self._settings = settings
        self._dead_of_node: Mapping[str, tuple[DeadAgent, ...]] = {}
        self._connectors: dict[str, Heartbeat] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat-watch", daemon=True)

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; the connection is closed when this returns."""
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_S)

    def dead(self) -> tuple[DeadAgent, ...]:
        """The agents that are dead now, by name."""
        found = {one.agent: one for dead in self._dead_of_node.values() for one in dead}
        return tuple(dead for _, dead in sorted(found.items()))

    def feed_down(self) -> str:
        """Why a venue sends nothing, and what to do; "" if prices come."""
        return _joined(map(feed_down, self._connectors.values()))

    def market_warning(self) -> str:
        """What else is wrong with the market data; "" if nothing is."""
        return _joined(map(market_warning, self._connectors.values()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(ArenaError):
                asyncio.run(self._follow())
            self._stopping.wait(RETRY_AFTER_S)

    async def _follow(self) -> None:
        from arena.bus.kafka import KafkaBus

        bus = KafkaBus(self._settings, client_id="arena-up")
        await bus.start()
        try:
            reader = await bus.log_reader(topics.HEARTBEATS.name, start=LATEST)
            while not self._stopping.is_set():
                for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                    self._apply(record)
        finally:
            await bus.close()

    def _apply(self, record: Record) -> None:
        try:
            beat = record.message() if record.value is not None else None
        except Malformed:
            return  # `arena tail arena.heartbeats` shows it
        if not isinstance(beat, Heartbeat):
            return
        if beat.kind == CONNECTOR:
            running = running_connectors([*self._without(beat.node), beat])
            self._connectors = {one.node: one for one in running}
        if beat.status != "stopping":
            dead = tuple(one for one in dead_agents_of(beat) if not is_shadow(one.agent))
            self._dead_of_node = {**self._dead_of_node, beat.node: dead}

    def _without(self, node: str) -> list[Heartbeat]:
        return [beat for beat in self._connectors.values() if beat.node != node]


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
