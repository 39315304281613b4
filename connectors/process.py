"""The process `arena connector`: a live venue, a recording, or prices in step with the agents."""

from arena.node import Node
from connectors.market.lockstep.run import LockstepOptions, serve_lockstep
from connectors.market.options import ConnectorOptions, PlaybackOptions


async def serve(node: Node, options: ConnectorOptions | PlaybackOptions | LockstepOptions) -> None:
    """Publish market data until cancelled, or until a recording or replay ends."""
    if isinstance(options, LockstepOptions):
        await serve_lockstep(node, options)
    elif isinstance(options, PlaybackOptions):
        from connectors.market.playback import Playback

        playback = Playback(
            node,
            options.venue,
            options.frames,
            interval_s=options.interval_s,
            speed=options.speed,
            products=options.products,
        )
        await playback.serve()
    else:
        # Imported here, so that a replay does not load the client of live venues.
        from connectors.market.connector import LiveConnector

        await LiveConnector(options, node, node.random).serve()
