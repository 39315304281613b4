"""An arena in memory behind the web app, for tests without a network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.supervision import ProcessAddress
from arena.tasks import run_until_first_ends
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.web.app import create_app
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario

HOST = "127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Served:
    """A web app over an arena in memory.

    Attributes:
        client: Sends requests to the app.
        reader: Reads the arena.
        hub: Sends the changes.
        bus: The bus of the arena.
    """

    client: httpx.AsyncClient
    reader: ArenaReader
    hub: Hub
    bus: MemoryBus


@asynccontextmanager
async def serving(
    scenario: Scenario,
    options: WebOptions | None = None,
    *,
    boot: str = "boot",
    token: str = "",
    own: ProcessAddress | None = None,
) -> AsyncIterator[Served]:
    """Publish a scenario and serve it.

    Args:
        scenario: The records.
        options: Options of the app.
        boot: Name of this process in the ids of events.
        token: The token for writes.
        own: The process of the app, as its supervisor knows it.
    """
    options = options or WebOptions()
    bus, clock = MemoryBus(), SystemClock()
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    await publish(bus, scenario)
    follower = TopicFollower(bus, clock, ArenaView())
    await follower.open()
    reader = ArenaReader(bus, clock, follower, run=options.run, boot=boot)
    hub = Hub(reader, hide_prompts=options.hide_prompts)
    app = create_app(reader, options, hub, token=token, by="web/tests", own=own)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        running = asyncio.ensure_future(run_until_first_ends(follower.follow(), hub.run()))
        try:
            yield Served(client, reader, hub, bus)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await follower.close()
            await bus.close()
