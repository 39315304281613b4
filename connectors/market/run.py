"""From flags to a running process: the live connector, or the playback of a recording."""

import random
from pathlib import Path

from arena.node import Node, run_node
from arena.settings import Settings
from connectors.market.connector import CoinbaseConnector, ConnectorOptions
from connectors.market.feed import VENUE
from connectors.market.playback import Playback


def run_connector(
    settings: Settings,
    *,
    products: tuple[str, ...],
    interval_s: float,
    ws_url: str,
    rest_url: str,
    record: Path | None,
) -> None:
    """Run the connector and exit with the process's exit code."""
    options = ConnectorOptions(products, interval_s, ws_url, rest_url, record)

    async def serve(node: Node) -> None:
        await CoinbaseConnector(options, node, random.Random()).serve()

    run_node("connector", VENUE, settings, serve)


def run_playback(
    settings: Settings,
    *,
    frames: Path,
    interval_s: float,
    speed: float | None,
    products: tuple[str, ...],
) -> None:
    """Publish a recording and exit with the process's exit code."""

    async def serve(node: Node) -> None:
        await Playback(node, frames, interval_s=interval_s, speed=speed, products=products).serve()

    run_node("connector", "replay", settings, serve)
