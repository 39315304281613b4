"""Results on their way to the agents' inboxes."""

import asyncio
from collections.abc import Iterable

from arena import topics
from arena.bus.base import Acked, Bus
from arena.errors import AppendFailed
from arena.messages import ToolResult

ACK_TIMEOUT_S = 8.0
"""A broker that was killed is back in 3 s; after longer, it is better to start again."""


class Outbox:
    """Sends results to inboxes that surely exist: a send to a missing topic would block for long.

    Args:
        bus: Connected.
    """

    def __init__(self, bus: Bus) -> None:
        """Start without knowing any inbox."""
        self._bus = bus
        self._known: set[str] = set()
        self._sent: list[asyncio.Future[Acked]] = []

    async def prepare(self, agents: Iterable[str]) -> None:
        """Create the inboxes that do not exist."""
        missing = [agent for agent in agents if agent not in self._known]
        if missing:
            await self._bus.ensure_topics([topics.INBOX.member(agent) for agent in missing])
            self._known.update(missing)

    async def send(self, results: Iterable[ToolResult]) -> None:
        """Hand over results, once those of the last time were acked.

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
        """Wait for the acks of what was sent.

        Raises:
            AppendFailed: They did not come in time.
        """
        await within_ack_timeout(self._sent, "results")
        self._sent = []


async def within_ack_timeout(appends: Iterable["asyncio.Future[Acked]"], what: str) -> list[Acked]:
    """The acks of appends, in their order.

    Args:
        appends: As `Bus.send` returned them.
        what: Named in the error.

    Raises:
        AppendFailed: One failed, or did not come in `ACK_TIMEOUT_S`: it may still be in the log.
    """
    try:
        async with asyncio.timeout(ACK_TIMEOUT_S):
            return [await append for append in appends]
    except TimeoutError:
        raise AppendFailed(
            f"no ack for {what} in {ACK_TIMEOUT_S:.0f} s", remedy="start again and recover"
        ) from None
