"""The process `arena web`: reads topics like every dashboard, and answers browsers and programs.

Reads what `dashboard.model.topic_follower` reads; writes halts and resumes to `arena.control`,
commands to supervisors to `arena.supervision`, a checkpoint of its view to `<home>/checkpoints`,
and at the first start a token.
"""

import asyncio
import socket

from starlette.types import ASGIApp

from arena.addresses import url_host
from arena.fold_checkpoint import CheckpointFile
from arena.node import Node
from arena.supervision import ProcessAddress
from arena.tasks import run_until_first_ends
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.web.app import create_app
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions
from dashboard.web.server import listen, run_server
from dashboard.web.token_file import read_or_make_token

READY_TIMEOUT_S = 60.0


async def serve(node: Node, options: WebOptions) -> None:
    """Serve the arena until cancelled.

    Raises:
        DependencyMissing: The port is in use.
        UsageError: The token or the address cannot be used.
    """
    token = _token(options)
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
        own = ProcessAddress(node.host, node.pid)
        app = create_app(reader, options, hub, token=token, by=f"web/{node.host}", own=own)
        node.status = "running"
        await run_until_first_ends(
            follower.follow(),
            hub.run(),
            _serve(app, listener, options, hub, reader),
        )
    finally:
        listener.close()
        await follower.close()


def _token(options: WebOptions) -> str:
    """The token for writes, "" if there are none; the place of its file is printed."""
    if options.public or options.token_file is None:
        return ""
    token, is_new = read_or_make_token(options.token_file)
    made = "made for" if is_new else "of"
    print(f"token {made} this page: {options.token_file}", flush=True)
    return token


async def _serve(
    app: ASGIApp, listener: socket.socket, options: WebOptions, hub: Hub, reader: ArenaReader
) -> None:
    """Answer requests until cancelled, and print the address when the first answer is whole."""
    host, port = listener.getsockname()[:2]
    address = f"{options.scheme}://{url_host(host)}:{port}/"
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
