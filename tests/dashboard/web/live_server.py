"""A web app over an arena in memory on a real port, for browsers; it runs in a thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from arena import topics
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.clock import SystemClock
from arena.tasks import run_until_first_ends
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.web.app import create_app
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions
from dashboard.web.server import listen, run_server
from tests.dashboard.publishing import publish
from tests.dashboard.scenario import Scenario

START_S = 30


@dataclass(slots=True)
class LiveArena:
    """An arena that a browser can open.

    Attributes:
        url: Address of the page, without a slash at the end.
        scenario: What is published; `change` it only by that method.
    """

    url: str
    scenario: Scenario
    _loop: asyncio.AbstractEventLoop
    _bus: MemoryBus
    _published: int

    def change(self, act: Callable[[Scenario], object]) -> None:
        """Change the scenario, and publish its new records."""

        async def publish_more() -> None:
            act(self.scenario)
            self._published = await publish(self._bus, self.scenario, self._published)

        asyncio.run_coroutine_threadsafe(publish_more(), self._loop).result(START_S)


async def until(event: asyncio.Event) -> None:
    """Wait for an event."""
    await event.wait()


@contextmanager
def live_arena(
    scenario: Scenario | None = None,
    *,
    records: MemoryCluster | None = None,
    options: WebOptions | None = None,
    port: int = 0,
    token: str = "",
) -> Iterator[LiveArena]:
    """Serve a scenario until the block ends.

    Args:
        scenario: What is published.
        records: The records of a whole arena, instead of a scenario.
        options: Options of the app.
        port: Port; 0 for a free one.
        token: The token for writes.
    """
    ready = threading.Event()
    found: list[LiveArena] = []
    stop: list[Callable[[], object]] = []
    failed: list[BaseException] = []

    async def serve() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        given = options or WebOptions()
        cluster, clock = MemoryCluster(), SystemClock()  # a cluster belongs to one loop
        if records is not None:
            cluster.logs, cluster.partitions = records.logs, records.partitions
        bus = MemoryBus(cluster)
        await bus.start()
        await bus.ensure_topics(topics.fixed_topics())
        shown = scenario or Scenario(agents=())
        count = 0 if scenario is None else await publish(bus, scenario)
        follower = TopicFollower(bus, clock, ArenaView())
        await follower.open()
        reader = ArenaReader(bus, clock, follower, run=given.run, boot=str(id(ready)))
        hub = Hub(reader, hide_prompts=given.hide_prompts)
        listener = listen("127.0.0.1", port)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found.append(LiveArena(url, shown, loop, bus, count))
        app = create_app(reader, given, hub, token=token, by="web/tests")
        ready.set()
        await run_until_first_ends(
            follower.follow(), hub.run(), run_server(app, listener, given, clock), until(ended)
        )
        await follower.close()
        await bus.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # the test shows it
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(START_S)
    if failed:
        raise failed[0]
    try:
        yield found[0]
    finally:
        stop[0]()
        thread.join(START_S)
