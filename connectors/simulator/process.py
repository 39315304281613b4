"""The process `arena exchange`: a venue outside the arena, without Kafka."""

from arena.node import Node
from connectors.simulator.run import ExchangeOptions, run_exchange


async def serve(node: Node, options: ExchangeOptions) -> None:
    """Serve the simulated exchange until its prices end."""
    await run_exchange(options, node.clock)
