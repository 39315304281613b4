"""Leadership among the connectors of one venue: one publishes, the others are hot standbys.

The connectors form a consumer group on `market.snapshots`; the one that is assigned its partition
publishes. A dead one loses it within the session timeout.
"""

import asyncio

from arena import topics
from arena.bus.base import Assignment, Bus
from arena.bus.base import Start as StartAt

READ_TIMEOUT_S = 1.0


class Leadership:
    """Membership in the venue's consumer group.

    Args:
        bus: The bus.
        venue: Name of the venue.

    Attributes:
        leads: True while this process must publish.
        changed: Set when `leads` may have changed; the reader of `leads` clears it.
    """

    def __init__(self, bus: Bus, venue: str) -> None:
        """Create the membership; call `run` to join the group."""
        self.leads = False
        self.changed = asyncio.Event()
        self._bus = bus
        self._group = f"connector.{venue}"

    async def run(self) -> None:
        """Join the group and stay in it until cancelled."""
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
