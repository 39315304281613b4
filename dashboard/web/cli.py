"""`arena web`: its flags and help."""

from typing import Annotated

import typer

from arena.options import Prefix, Run, Servers
from arena.run_lookup import find_arena


def web(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on; 0 for a free one.", min=0, max=65535)
    ] = 8080,
    bootstrap_servers: Servers = None,
    title: Annotated[str, typer.Option("--title", help="Title of the page.")] = "arena",
    run_name: Run = None,
    prefix: Prefix = None,
) -> None:
    """Show the arena in a browser, and answer programs: page, REST under /api/v1, live events.

    It prints its address when it answers. Without an address of a broker it shows the newest run in
    this folder, even if that has ended.

    Example: arena web --port 8080 --run last
    """
    from arena.node import run_node
    from dashboard.labels import ended_text
    from dashboard.model.arena_reader import RunIdentity
    from dashboard.web.options import WebOptions
    from dashboard.web.process import serve

    with find_arena(bootstrap_servers, prefix, run_name, offline=True, principal="web") as arena:
        bus = arena.bus("arena-web")
        seen = bus.clock.now().astimezone()
        over = arena.run is not None and not arena.run.is_running()
        ended = ended_text(arena.run.ended_at, seen) if arena.run and over else ""
        run = RunIdentity(
            name=arena.directory.name if arena.directory else "",
            directory=arena.directory,
            home=arena.settings.home,
            ended=ended,
        )
        options = WebOptions(host=host, port=port, title=title, run=run)
        run_node("web", "", arena.settings, serve, options, bus=bus, read_only=over)
