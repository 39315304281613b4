"""The bus over Kafka leaves nothing open if its start is cancelled."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.errors import KafkaTimeoutError

from arena import topics
from arena.bus.kafka import LOOKUPS_MAX, KafkaBus
from arena.errors import BrokerUnavailable
from arena.settings import Settings

CLIENTS = ("Unclosed AIOKafkaConsumer", "Unclosed AIOKafkaProducer", "Unclosed AIOKafkaClient")
"""Beginnings of aiokafka's warnings about clients that were not closed. A connection that is
cancelled during its handshake has no owner yet: aiokafka closes it, with a warning, when it is
collected."""

Work = Callable[[KafkaBus], Awaitable[object]]


async def join(bus: KafkaBus) -> object:
    """Become a member of a group."""
    return await bus.group_reader("someone", topics.TURNS.name)


async def produce(bus: KafkaBus) -> object:
    """Send with a producer that does not exist yet."""
    return await bus.send_bytes(topics.TURNS.name, b"{}", key=None, partition=0, headers=())


async def follow(bus: KafkaBus) -> object:
    """Read a log."""
    return await bus.log_reader(topics.TURNS.name)


async def connect(bus: KafkaBus) -> None:
    """Connect a bus."""
    await bus.start()


@pytest.mark.parametrize("work", [connect, join, produce, follow])
async def test_cancelled_start_closes_clients(
    bus: KafkaBus, settings: Settings, work: Work
) -> None:
    """Ctrl-C while a process connects: its clients are closed, at whichever step it comes."""
    messages: list[str] = []  # of this loop's clients only: another test has another loop
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: messages.append(context["message"])
    )
    for steps in (1, 2, 3, 5, 8, 13, 21):
        own = KafkaBus(settings, client_id="cut-off")
        if work is not connect:
            await own.start()
        task = asyncio.ensure_future(work(own))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await own.close()
    del own, task
    gc.collect()

    assert [] == [line for line in messages if line.startswith(CLIENTS)]


@pytest.mark.parametrize("slow", [1, LOOKUPS_MAX])
async def test_late_offsets_are_requested_again(
    bus: KafkaBus, monkeypatch: pytest.MonkeyPatch, slow: int
) -> None:
    """One time-out of a busy broker is not the end; the last one names topic and remedy."""
    assert bus._lookup is not None
    ask, asked = bus._lookup.beginning_offsets, 0

    async def answer(partitions: list[object]) -> object:
        nonlocal asked
        asked += 1
        if asked <= slow:
            raise KafkaTimeoutError("late")
        return await ask(partitions)

    monkeypatch.setattr(bus._lookup, "beginning_offsets", answer)
    if slow < LOOKUPS_MAX:
        await (await bus.log_reader(topics.TURNS.name)).close()
    else:
        with pytest.raises(BrokerUnavailable, match=f"offsets of {topics.TURNS.name} in 45 s"):
            await bus.log_reader(topics.TURNS.name)

    assert min(slow + 1, LOOKUPS_MAX) == asked


async def test_bus_can_be_closed_at_once(settings: Settings) -> None:
    """A process that fails right after the start closes its bus: that hides no cause."""
    for _ in range(3):
        own = KafkaBus(settings, client_id="short")
        await own.start()
        await own.close()
