"""`arena dashboard`: its flags and help."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from arena.atomic_files import require_writable
from arena.errors import UsageError
from arena.options import Prefix, Run, Servers
from arena.run_lookup import find_arena

Picture = Annotated[
    Path | None,
    typer.Option(
        "--svg",
        help="Write the last screen as an SVG picture; in a pipe, write it now and exit.",
        metavar="FILE",
    ),
]
Width = Annotated[
    int | None, typer.Option("--width", help="Columns of a printed screen.", min=20, max=1000)
]
Height = Annotated[
    int | None, typer.Option("--height", help="Lines of a printed screen.", min=5, max=500)
]


def dashboard(
    bootstrap_servers: Servers = None,
    once: Annotated[
        bool, typer.Option("--once", help="Read to the end of the topics, print, and exit.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once: print the standings as JSON.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Exit after this many seconds.", min=0)
    ] = None,
    width: Width = None,
    height: Height = None,
    svg: Picture = None,
    title: Annotated[str, typer.Option("--title", help="Title at the top.")] = "arena",
    run_name: Run = None,
    prefix: Prefix = None,
) -> None:
    """Show the arena in the terminal: ranking, equity, positions, trades, thoughts, health.

    It only reads, so any number of dashboards may run. On a terminal it fills the screen (q quits,
    ? shows help); into a pipe it prints a line per snapshot. Without an address it shows the newest
    run in this folder, even if that has ended; into a pipe an ended run is printed once.

    Example: arena dashboard --once --json
    """
    from arena.node import run_node
    from dashboard.labels import ended_text
    from dashboard.process import serve
    from dashboard.terminal.app import DashboardOptions
    from dashboard.terminal.terminal import can_show_screens

    if as_json and not once:
        raise UsageError("--json needs --once", remedy="add --once")
    require_writable(svg, "--svg")
    with find_arena(bootstrap_servers, prefix, run_name, offline=True) as arena:
        settings = arena.settings
        bus = arena.bus("arena-dashboard")
        seen = bus.clock.now().astimezone()
        over = arena.run is not None and not arena.run.is_running()
        picture_only = svg is not None and not once and seconds is None and not can_show_screens()
        # An ended run has no new records: in a pipe its screen is printed once.
        whole = over and seconds is None and not can_show_screens()
        options = DashboardOptions(
            once=once or whole,
            as_json=as_json,
            seconds=seconds,
            width=width,
            height=height,
            svg=svg,
            picture_only=picture_only,
            title=title,
            ended=ended_text(arena.run.ended_at, seen) if arena.run and over else "",
            broker=settings.bootstrap_servers,
        )
        try:
            run_node("dashboard", "", settings, serve, options, bus=bus)
        except BrokenPipeError:
            # The reader of the pipe has gone; the interpreter must not complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if picture_only:
        print(f"written: {svg}")
