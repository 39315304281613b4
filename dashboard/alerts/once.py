"""What `arena alerts --once` and `arena alerts test` do; neither is a process of the arena.

`alerts_now` reads the topics to their ends and returns what holds. `try_receivers` sends one
message to each receiver, at the same time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from arena.bus.base import Bus
from arena.clock import SystemClock
from arena.errors import ArenaError, BrokerUnavailable
from arena.findings import Finding, broken, ok
from arena.tasks import run_until_first_ends
from arena.threads import WorkerThreads
from dashboard.alerts.apprise_client import AppriseClient, Delivery
from dashboard.alerts.conditions import Limits, find_alerts
from dashboard.alerts.drawdowns import DrawdownFold
from dashboard.alerts.found import Alert
from dashboard.alerts.receivers import Receiver
from dashboard.alerts.state import AlertState
from dashboard.alerts.watch import Watch

READ_S_MAX = 120.0
TEST_S_MAX = 30.0
TEST_TITLE = "test"
TEST_BODY = "This is a test of `arena alerts`. Nothing has happened."


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a test message.

    Attributes:
        receiver: Name of the receiver.
        delivery: Whether it confirmed the message.
        took_s: Wall time until it did, or until the attempt failed.
    """

    receiver: str
    delivery: Delivery
    took_s: float


async def alerts_now(bus: Bus, limits: Limits, state: AlertState) -> list[Alert]:
    """The alerts that hold now.

    Args:
        bus: A connected bus.
        limits: When a condition is an alert.
        state: Has the remembered peaks.

    Raises:
        BrokerUnavailable: The topics could not be read within `READ_S_MAX`.
    """
    watch = Watch(bus, bus.clock, limits, drawdowns=DrawdownFold(state.peaks))
    found: list[Alert] | None = None

    async def look() -> None:
        nonlocal found
        await watch.read_to_end()
        found = [alert for alert in find_alerts(watch.situation(once=True)) if alert.is_now]

    try:
        await watch.open()
        await run_until_first_ends(watch.follow(), look(), timeout_s=READ_S_MAX, clock=bus.clock)
    finally:
        await watch.close()
    if found is None:
        raise BrokerUnavailable(
            f"the topics were not read to their ends in {READ_S_MAX:.0f} s",
            remedy="check the broker with `arena topics describe`",
        )
    return found


async def try_receivers(receivers: Sequence[Receiver], title: str) -> list[Trial]:
    """Send one message to every receiver, all at the same time.

    Args:
        receivers: The receivers.
        title: Name of the arena.

    Raises:
        UsageError: An address cannot be used; nothing was sent.
    """
    clients = [AppriseClient(receiver) for receiver in receivers]
    trials = (_try(one, client, title) for one, client in zip(receivers, clients, strict=True))
    return [*await asyncio.gather(*trials)]


async def _try(receiver: Receiver, client: AppriseClient, title: str) -> Trial:
    clock = SystemClock()
    began_s = clock.monotonic()
    work = partial(client.send, f"{title}: {TEST_TITLE}", TEST_BODY, "test")
    try:
        async with clock.timeout(TEST_S_MAX):
            delivery = await WorkerThreads().run_daemon(work, name="alert-test")
    except TimeoutError:
        delivery = Delivery(False, f"it did not answer within {TEST_S_MAX:.0f} s")
    return Trial(receiver.name, delivery, clock.monotonic() - began_s)


def check_receivers(receivers: Sequence[Receiver]) -> list[Finding]:
    """Check the addresses without sending anything."""
    found = []
    for receiver in receivers:
        try:
            AppriseClient(receiver)
        except ArenaError as error:
            found.append(broken("alerts", error.args[0], error.remedy))
        else:
            found.append(ok("alerts", f"{receiver.name} is an address that Apprise knows"))
    return found
