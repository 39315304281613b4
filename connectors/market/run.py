"""From options to a running process: the live connector, or the playback of a recording."""

from dataclasses import dataclass
from pathlib import Path

from arena.node import Node, run_node
from arena.settings import Settings
from connectors.market.connector import ConnectorOptions, LiveConnector
from connectors.market.playback import Playback
from connectors.market.venue import Venue


@dataclass(frozen=True, slots=True)
class PlaybackOptions:
    """Options of a playback.

    Attributes:
        venue: The venue whose frames the recording holds.
        frames: File of the recording.
        interval_s: Venue seconds from snapshot to snapshot.
        speed: Recorded seconds per wall second; None for as fast as it can be read.
        products: Products to publish; empty for all.
    """

    venue: Venue
    frames: Path
    interval_s: float
    speed: float | None
    products: tuple[str, ...]


def run_connector(settings: Settings, options: ConnectorOptions) -> None:
    """Run the connector and exit with the process's exit code."""

    async def serve(node: Node) -> None:
        await LiveConnector(options, node, node.random).serve()

    run_node("connector", options.venue.name, settings, serve)


def run_playback(settings: Settings, options: PlaybackOptions) -> None:
    """Publish a recording and exit with the process's exit code."""

    async def serve(node: Node) -> None:
        playback = Playback(
            node,
            options.venue,
            options.frames,
            interval_s=options.interval_s,
            speed=options.speed,
            products=options.products,
        )
        await playback.serve()

    run_node("connector", "replay", settings, serve)
