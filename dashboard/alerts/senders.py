"""One sender per receiver: delivers its messages in order, with retries, beside the event loop.

A delivery runs in a daemon thread. If it hangs, only its receiver waits: a second attempt would be
a second message, because a slow receiver may have the first one. After `ATTEMPTS_MAX` failed
attempts a message is given up, and the next one says so.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from arena.node import Node
from arena.tasks import wait_for_tasks
from dashboard.alerts.apprise_client import Delivery
from dashboard.alerts.outbox import Outbox
from dashboard.alerts.state import WaitingMessage

ATTEMPTS_MAX = 9
BACKOFF_S = 1.0
BACKOFF_S_MAX = 60.0
SLOW_S = 30.0
"""After this time without a result a delivery is reported as hanging."""


class Client(Protocol):
    """Delivers messages to one receiver."""

    def send(self, title: str, body: str, kind: str) -> Delivery:
        """Deliver a message; blocks."""
        ...


class Sender:
    """The messages of one receiver.

    Attributes:
        wake: Set when there may be a new message.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        client: Client,
        outbox: Outbox,
        on_change: Callable[[], None],
        *,
        backoff_s: float = BACKOFF_S,
    ) -> None:
        """Create the sender; call `run`.

        Args:
            node: Clock, randomness, threads, log and counters.
            name: Name of the receiver.
            client: Delivers to it.
            outbox: Holds the messages.
            on_change: Called when a message was confirmed or given up.
            backoff_s: Wait after the first failed attempt; it doubles up to `BACKOFF_S_MAX`.
        """
        self._node = node
        self._name = name
        self._client = client
        self._outbox = outbox
        self._on_change = on_change
        self._backoff_s = backoff_s
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Deliver messages until cancelled."""
        while True:
            message = self._outbox.next_for(self._name)
            if message is None:
                self.wake.clear()
                await self.wake.wait()
            else:
                await self._deliver(message)

    async def _deliver(self, message: WaitingMessage) -> None:
        """Try until the receiver confirms the message or it is given up."""
        log = self._node.log.bind(receiver=self._name, message=message.number)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            if self._name not in message.receivers:  # given up because too many wait
                return
            delivery = await self._attempt(message)
            if delivery.delivered:
                self._node.counters["alerts_delivered"] += 1
                self._outbox.confirm(message.number, self._name)
                self._on_change()
                return
            self._node.counters["alert_failures"] += 1
            log.warning("alert not delivered", attempt=attempt, why=delivery.cause)
            if attempt < ATTEMPTS_MAX:
                await self._node.clock.sleep(self._wait_s(attempt))
        log.error("alert given up", attempts=ATTEMPTS_MAX)
        self._outbox.give_up(message.number, self._name)
        self._on_change()

    def _wait_s(self, attempt: int) -> float:
        wait_s = min(BACKOFF_S_MAX, self._backoff_s * 2.0 ** (attempt - 1))
        return wait_s * (0.5 + 0.5 * self._node.random.random())

    async def _attempt(self, message: WaitingMessage) -> Delivery:
        body = self._outbox.body_for(message, self._name)
        work = partial(self._client.send, message.title, body, message.state)
        sending = asyncio.ensure_future(
            self._node.threads.run_daemon(work, name=f"alert-{message.number}")
        )
        try:
            await wait_for_tasks([sending], SLOW_S, self._node.clock)
            if not sending.done():
                self._node.log.warning("receiver does not answer", receiver=self._name)
            return await sending
        finally:
            sending.cancel()
