"""The web app: pages, REST, events and static files over one reader of an arena."""

import asyncio

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

import arena
from arena.errors import ArenaError
from arena.supervision import ProcessAddress
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.trace import Tracer
from dashboard.web import (
    api,
    api_agents,
    api_short,
    docs_page,
    errors,
    events,
    halt_commands,
    login,
    pages,
    process_commands,
)
from dashboard.web.error_pages import with_page
from dashboard.web.guard import Guard
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions
from dashboard.web.rate_limit import Failures
from dashboard.web.sessions import Sessions
from dashboard.web.state import GZIP_BYTES_MIN, GZIP_LEVEL, Web
from dashboard.web.static_files import STATIC, CheckedFiles

HALTS_MAX = 4
COMMANDS_MAX = 8
DESCRIPTION = """What the terminal and the page show, as JSON.

Money is text with all its digits. Times are UTC. Reads are open on this machine; a write needs
`Authorization: Bearer TOKEN`, and `arena web` prints the file of the token at its start."""
OPENAPI = "/api/openapi.json"
PARTS = (
    api,
    api_agents,
    api_short,
    docs_page,
    events,
    halt_commands,
    login,
    pages,
    process_commands,
)
ROUTERS = tuple(part.router for part in PARTS)


def create_app(
    reader: ArenaReader,
    options: WebOptions,
    hub: Hub | None = None,
    *,
    token: str = "",
    by: str = "web",
    own: ProcessAddress | None = None,
) -> ASGIApp:
    """The app behind its guard.

    Args:
        reader: Reads the arena; the caller runs its follower.
        options: The options of the process.
        hub: Sends changes to viewers; the caller runs it. None for a new one, not run.
        token: The token; "" to refuse every write.
        by: Who writes, in the records.
        own: This process; None if it is not a process of the arena.
    """
    app = FastAPI(
        title="The arena",
        description=DESCRIPTION,
        version=arena.__version__,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": errors.ErrorAnswer, "description": "An error"}},
    )
    sessions, failures = Sessions(token), Failures()
    app.state.web = Web(
        reader=reader,
        options=options,
        hub=hub or Hub(reader, hide_prompts=options.hide_prompts),
        sessions=sessions,
        tracer=Tracer(reader.bus, reader.history),
        failures=failures,
        by=by,
        halts=asyncio.Semaphore(HALTS_MAX),
        commands=asyncio.Semaphore(COMMANDS_MAX),
        own=own,
    )
    for router in ROUTERS:
        app.include_router(router)
    files = CheckedFiles(directory=STATIC, packages=[("arena.page", "static")], check_dir=False)
    app.mount("/static", files, name="static")
    app.add_exception_handler(HTTPException, with_page(errors.on_http_error))
    app.add_exception_handler(RequestValidationError, with_page(errors.on_invalid))
    app.add_exception_handler(ArenaError, with_page(errors.on_arena_error))
    app.add_exception_handler(ClientDisconnect, errors.on_gone)
    app.add_exception_handler(Exception, errors.on_unexpected)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=GZIP_LEVEL)
    return Guard(app, options, sessions, failures, reader.clock)
