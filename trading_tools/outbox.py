"""Sends results to the agents' inboxes."""

import asyncio
from collections.abc import Iterable

from arena import topics
from arena.bus.base import AppendAck, Bus
from arena.clock import Clock
from arena.errors import AppendFailed
from arena.messages import ToolResult

ACK_TIMEOUT_S = 8.0
"""A broker that was killed is back in 3 s; after more time it is better to start again."""


class Outbox:
    """Sends results to inboxes that exist: a send to a missing topic would block for a long time.

    Args:
        bus: Connected.
    """

    def __init__(self, bus: Bus) -> None:
        """Take the bus to send with."""
        self._bus = bus
        self._known: set[str] = set()
        self._sent: list[asyncio.Future[AppendAck]] = []

    async def prepare(self, agents: Iterable[str]) -> None:
        """Create the inboxes that do not exist."""
        missing = [agent for agent in agents if agent not in self._known]
        if missing:
            await self._bus.ensure_topics([topics.INBOX.member(agent) for agent in missing])
            self._known.update(missing)

    async def send(self, results: Iterable[ToolResult]) -> None:
        """Send results, after the previous ones were acked.

        Raises:
            AppendFailed: They were not acked in time.
        """
        await self.settle()
        results = list(results)
        await self.prepare({result.agent for result in results})
        self._sent = [
            await self._bus.send(topics.inbox(result.agent), result, partition=0)
            for result in results
        ]

    async def settle(self) -> None:
        """Wait for the acks of the results that were sent.

        Raises:
            AppendFailed: They did not come in time.
        """
        await within_ack_timeout(self._bus.clock, self._sent, "results")
        self._sent = []


async def within_ack_timeout(
    clock: Clock, appends: Iterable["asyncio.Future[AppendAck]"], what: str
) -> list[AppendAck]:
    """Wait for the acks of appends, in their order.

    Args:
        clock: The clock of the time-out.
        appends: The futures that `Bus.send` returned.
        what: Names the appends in the error.

    Raises:
        AppendFailed: One failed, or did not come in `ACK_TIMEOUT_S`: it may still be in the log.
    """
    try:
        async with clock.timeout(ACK_TIMEOUT_S):
            return [await append for append in appends]
    except TimeoutError:
        raise AppendFailed(
            f"no ack for {what} in {ACK_TIMEOUT_S:.0f} s", remedy="start again and recover"
        ) from None
