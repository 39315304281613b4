"""The process `arena web`: reads topics like every dashboard, and answers browsers and programs.

Reads what `dashboard.model.topic_follower` reads; writes a checkpoint of its view to
`<home>/checkpoints`.
"""

import asyncio
import socket

from fastapi import FastAPI

from arena.fold_checkpoint import CheckpointFile
from arena.node import Node
from arena.tasks import run_until_first_ends
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.web.app import create_app
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions
from dashboard.web.server import listen, run_server

READY_TIMEOUT_S = 60.0


async def serve(node: Node, options: WebOptions) -> None:
    """Serve the arena until cancelled.

    Raises:
        DependencyMissing: The port is in use.
    """
    listener = listen(options.host, options.port)
    file = CheckpointFile(
        node.settings,
        "web",
        node.log,
        threads=node.threads,
        logs_failures=not options.run.ended,
    )
    follower = TopicFollower(node.bus, node.clock, ArenaView(), file)
    try:
        await follower.open()
        reader = ArenaReader(node.bus, node.clock, follower, run=options.run, boot=node.new_name())
        hub = Hub(reader, hide_prompts=options.hide_prompts)
        app = create_app(reader, options, hub)
        node.status = "running"
        await run_until_first_ends(
            follower.follow(),
            hub.run(),
            _serve(app, listener, options, hub, reader),
        )
    finally:
        listener.close()
        await follower.close()


async def _serve(
    app: FastAPI, listener: socket.socket, options: WebOptions, hub: Hub, reader: ArenaReader
) -> None:
    """Answer requests until cancelled, and print the address when the first answer is whole."""
    host, port = listener.getsockname()[:2]
    address = f"{options.scheme}://{_shown_host(host)}:{port}/"
    serving = asyncio.ensure_future(run_server(app, listener, options, reader.clock))
    try:
        await reader.ready(READY_TIMEOUT_S)
        if not serving.done():
            print(f"arena web: {address}", flush=True)
        await serving
    finally:
        hub.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _shown_host(host: str) -> str:
    """A host as it is typed into a browser on this machine."""
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
