"""The process `arena connector`: a venue, a recording, prices in step with the agents, context."""

from arena.node import Node
from connectors.market.context.service import ContextOptions, serve_context
from connectors.market.lockstep.run import LockstepOptions, serve_lockstep
from connectors.market.options import ConnectorOptions, PlaybackOptions


async def serve(
    node: Node, options: ConnectorOptions | PlaybackOptions | LockstepOptions | ContextOptions
) -> None:
    """Publish market data until cancelled, or until a recording, replay or file ends."""
    if isinstance(options, LockstepOptions):
        await serve_lockstep(node, options)
    elif isinstance(options, ContextOptions):
        await serve_context(node, options)
    elif isinstance(options, PlaybackOptions):
        from connectors.market.playback import Playback

        playback = Playback(
            node,
            options.venue,
            options.frames,
            interval_s=options.interval_s,
            speed=options.speed,
            products=options.products,
            features=options.features,
            context_files=options.context,
        )
        await playback.serve()
    else:
        # Imported here, so that a replay does not load the client of live venues.
        from connectors.market.connector import LiveConnector

        await LiveConnector(options, node, node.random).serve()
