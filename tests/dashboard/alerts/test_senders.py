"""Senders deliver each message once, retry, and do not wait for each other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pydantic import SecretStr

from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.node import Node
from arena.settings import Settings
from dashboard.alerts.apprise_client import AppriseClient
from dashboard.alerts.found import Alert
from dashboard.alerts.outbox import Outbox
from dashboard.alerts.receivers import Receiver
from dashboard.alerts.senders import ATTEMPTS_MAX, Sender
from dashboard.alerts.state import AlertState
from tests.dashboard.alerts.local_receivers import WebHook

NOW = datetime(2026, 11, 21, 14, tzinfo=UTC)
DEADLINE_S = 60.0


def outbox(*receivers: str, alerts: int = 1) -> Outbox:
    """An outbox with a message for each alert."""
    state = AlertState(is_first=False)
    box = Outbox(state, arena="demo", per_minute=10, receivers=receivers)
    found = [Alert("halt", "halt:all", f"halt:all@{n}", f"halt {n}") for n in range(alerts)]
    box.take(found, [], NOW)
    box.make_messages(NOW)
    return box


async def until(ready: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not ready():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def sending(box: Outbox, **urls: str) -> AsyncIterator[Node]:
    """Senders of these receivers, with short waits between attempts."""
    node = Node("alerts", "alerts", Settings(), MemoryBus(), SystemClock())
    clients = {
        name: await asyncio.to_thread(AppriseClient, Receiver(name, SecretStr(url)))
        for name, url in urls.items()
    }
    senders = [
        Sender(node, name, client, box, on_change=lambda: None, backoff_s=0.01)
        for name, client in clients.items()
    ]
    tasks = [asyncio.create_task(sender.run()) for sender in senders]
    try:
        yield node
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_failed_message_is_sent_again_in_order(hook: WebHook) -> None:
    """A receiver that fails gets the message later, once, and before the next one."""
    hook.status = lambda path, number: 500 if number <= 3 else 200
    box = outbox("a", alerts=2)

    async with sending(box, a=hook.url()) as node:
        await until(lambda: not box.state.messages)

    assert ["halt 0", "halt 1"] == hook.texts
    assert (2, 3) == (node.counters["alerts_delivered"], node.counters["alert_failures"])


async def test_hanging_receiver_delays_no_other(hook: WebHook) -> None:
    """While one receiver does not answer, another has all messages; none is sent twice."""
    box = outbox("a", "b", alerts=3)

    async with sending(box, a=hook.url("hang"), b=hook.url("ok")):
        await until(lambda: box.next_for("b") is None)
        assert ["halt 0", "halt 1", "halt 2"] == hook.texts
        hook.hang.set()
        await until(lambda: not box.state.messages)

    assert 3 == hook.requests.count("/hang")


async def test_message_is_given_up_after_the_last_attempt(hook: WebHook) -> None:
    """Attempts are bounded; the next message says that one is missing."""
    hook.status = lambda path, number: 503 if number <= ATTEMPTS_MAX else 200
    box = outbox("a", alerts=2)

    async with sending(box, a=hook.url()):
        await until(lambda: not box.state.messages)

    assert ["halt 1\n(1 earlier message could not be delivered here)"] == hook.texts
    assert ATTEMPTS_MAX + 1 == len(hook.requests)
    assert {} == box.state.lost
