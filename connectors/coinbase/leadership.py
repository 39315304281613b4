"""Who publishes: of several connectors of one venue one does, the others are hot standbys.

The broker decides: they form a consumer group on `market.snapshots`, and whoever is given its
partition publishes. A dead one loses it within the session time-out.
"""

import asyncio

from arena import topics
from arena.bus.base import Assignment, Bus
from arena.bus.base import Start as StartAt

READ_TIMEOUT_S = 1.0


class Leadership:
    """Membership in the venue's group.

    Attributes:
        leads: True while this process is the one that publishes.
        changed: Set when that may have changed; whoever acts on it clears it.
    """

    def __init__(self, bus: Bus, venue: str) -> None:
        """Not a member yet."""
        self.leads = False
        self.changed = asyncio.Event()
        self._bus = bus
        self._group = f"connector.{venue}"

    async def run(self) -> None:
        """Be a member until cancelled."""
        reader = await self._bus.group_reader(
            self._group,
            topics.SNAPSHOTS.name,
            start=StartAt("latest"),
            on_change=self._on_change,
        )
        try:
            while True:
                reader.pause(reader.assignment())
                await reader.read(timeout_s=READ_TIMEOUT_S)
        finally:
            self.leads = False
            await reader.close()

    def _on_change(self, assignment: Assignment) -> None:
        self.leads = any(partition == 0 for _, partition in assignment)
        self.changed.set()
