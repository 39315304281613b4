"""The web app: pages, REST, events and static files over one reader of an arena."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

import arena
from arena.errors import ArenaError
from dashboard.model.arena_reader import ArenaReader
from dashboard.web import api, api_seed, errors, events, pages
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions
from dashboard.web.state import Web

STATIC = Path(__file__).with_name("static")
GZIP_BYTES_MIN = 1024
OPENAPI = "/api/openapi.json"


def create_app(reader: ArenaReader, options: WebOptions, hub: Hub | None = None) -> FastAPI:
    """The app.

    Args:
        reader: Reads the arena; the caller runs its follower.
        options: The options of the process.
        hub: Sends changes to viewers; the caller runs it. None for a new one, not run.
    """
    app = FastAPI(
        title="The arena",
        description="What the terminal and the page show, as JSON.",
        version=arena.__version__,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": errors.ErrorAnswer, "description": "An error"}},
    )
    hub = hub or Hub(reader, hide_prompts=options.hide_prompts)
    app.state.web = Web(reader, options, hub)
    for router in (api.router, api_seed.router, events.router, pages.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    app.add_exception_handler(HTTPException, errors.on_http_error)
    app.add_exception_handler(RequestValidationError, errors.on_invalid)
    app.add_exception_handler(ArenaError, errors.on_arena_error)
    app.add_exception_handler(Exception, errors.on_unexpected)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN)
    return app
