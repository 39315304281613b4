"""What versions of prompts cost a router: `python -m tests.routers.measure_coaching`.

Starts a local broker, and asks for the text of an agent on one snapshot after another.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from arena.node import Node
from arena.progress import no_progress
from arena.settings import Settings
from operations.localbroker.broker_lookup import find_or_start_broker
from routers.coaching_reader import CoachingReader
from routers.memory import AgentHistory
from tests.routers.builders import AS_OF
from tests.routers.fake_peers import agent_config

SNAPSHOTS = 3_000
WARM_UP = 200


async def measure(settings: Settings) -> None:
    """Print milliseconds of CPU and of waiting per snapshot, and of CPU per further agent."""
    bus = KafkaBus(settings, client_id="measure-coaching")
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    config, history = agent_config(), AgentHistory()
    node = Node("router", "measured", settings, bus, SystemClock())
    reader = CoachingReader(node, [config.agent])
    await reader.register(config, history)
    for number in range(WARM_UP):
        await reader.text_for(config, history, (0, number), AS_OF)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    for number in range(WARM_UP, WARM_UP + SNAPSHOTS):
        await reader.text_for(config, history, (0, number), AS_OF)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    print(f"a snapshot: {1e3 * cpu_s / SNAPSHOTS:.3f} ms CPU, {1e3 * wall_s / SNAPSHOTS:.3f} ms")
    cpu_s = time.process_time()
    for _ in range(SNAPSHOTS):
        await reader.text_for(config, history, (0, WARM_UP + SNAPSHOTS - 1), AS_OF)
    print(f"a further agent: {1e3 * (time.process_time() - cpu_s) / SNAPSHOTS:.3f} ms CPU")
    await reader.close()
    await bus.close()


def main() -> None:
    """Measure on a broker of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with find_or_start_broker(home, port=0, progress=no_progress) as broker:
            asyncio.run(measure(Settings(bootstrap_servers=broker.bootstrap, home=home)))


if __name__ == "__main__":
    main()
