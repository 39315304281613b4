"""`arena web`: its flags and help."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.options import Prefix, Run, Servers
from arena.run_lookup import ArenaLocation, find_arena

if TYPE_CHECKING:
    from dashboard.model.arena_reader import RunIdentity

TOKEN_FILE = "web-token"


Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[
    int, typer.Option("--port", help="Port to listen on; 0 for a free one.", min=0, max=65535)
]
Title = Annotated[str, typer.Option("--title", help="Title of the page.")]
Certificate = Annotated[
    Path | None, typer.Option("--tls-cert", help="Certificate, PEM.", metavar="FILE")
]
Key = Annotated[Path | None, typer.Option("--tls-key", help="Its private key.", metavar="FILE")]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow --host beyond this machine without TLS.")
]
Public = Annotated[
    bool, typer.Option("--public", help="Let anyone read without the token; refuse all writes.")
]
HidePrompts = Annotated[
    bool, typer.Option("--hide-prompts", help="Leave out prompts, conversations and reasoning.")
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option("--allow-host", help="Further name of this server; repeatable.", metavar="NAME"),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="File of the token, made at the first start. [web-token in ARENA_HOME]",
        metavar="FILE",
        show_default=False,
    ),
]


def web(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    run_name: Run = None,
    bootstrap_servers: Servers = None,
    prefix: Prefix = None,
    title: Title = "arena",
    tls_cert: Certificate = None,
    tls_key: Key = None,
    insecure: Insecure = False,
    public: Public = False,
    hide_prompts: HidePrompts = False,
    allow_host: AllowHost = None,
    token_file: TokenFile = None,
) -> None:
    """Show the arena in a browser, and answer programs: REST under /api/v1, live events.

    Reads are open on this machine; every command needs the token. It prints its address when it
    answers. Without a broker's address it shows the newest run here, even if that has ended.

    Example: arena web --run last
    """
    from arena.node import run_node
    from dashboard.web.options import WebOptions, check_exposure, check_names
    from dashboard.web.process import serve
    from dashboard.web.server import check_tls

    check_tls(tls_cert, tls_key)
    check_names(allow_host or ())
    check_exposure(host, tls=tls_cert is not None, insecure=insecure)
    with find_arena(bootstrap_servers, prefix, run_name, offline=True, principal="web") as arena:
        bus = arena.bus("arena-web")
        over = arena.run is not None and not arena.run.is_running()
        options = WebOptions(
            host=host,
            port=port,
            title=title,
            run=_identity(arena, bus.clock.now(), over=over),
            tls_cert=tls_cert,
            tls_key=tls_key,
            public=public,
            hide_prompts=hide_prompts,
            token_file=token_file or arena.settings.home / TOKEN_FILE,
            allowed_hosts=tuple(allow_host or ()),
        )
        run_node("web", "web", arena.settings, serve, options, bus=bus, read_only=over)


def _identity(arena: ArenaLocation, now: datetime, *, over: bool) -> "RunIdentity":
    from dashboard.labels import ended_text
    from dashboard.model.arena_reader import RunIdentity

    ended = ""
    if over and arena.run is not None:
        ended = ended_text(arena.run.ended_at, now.astimezone())
    return RunIdentity(
        name=arena.directory.name if arena.directory else "",
        directory=arena.directory,
        home=arena.settings.home,
        ended=ended,
    )
