"""What every route works with, and the answers that are the same for all viewers."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Annotated

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from arena.supervision import ProcessAddress
from dashboard.model import agent_queries, queries, run_queries
from dashboard.model.arena_reader import ArenaReader, Moment
from dashboard.model.hidden_prompts import coaching_without_texts, without_prompts
from dashboard.model.results import AgentCoaching, Leaderboard, Runs, TurnDetail
from dashboard.model.trace import Tracer
from dashboard.web.errors import NotReady
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions
from dashboard.web.rate_limit import Failures
from dashboard.web.sessions import Sessions

READY_TIMEOUT_S = 10.0
"""How long a request waits for the records that existed at the start."""
JSON = "application/json"
GZIP_BYTES_MIN = 1024
GZIP_LEVEL = 5


@dataclass(frozen=True, slots=True)
class Web:
    """What the routes work with.

    Attributes:
        reader: Reads the arena.
        options: The options of the process.
        hub: Sends the changes to the viewers.
        sessions: The token and the sessions.
        tracer: Finds the records of orders.
        failures: The wrong tokens of clients.
        by: Who writes, in the records: "web/<host>".
        halts: Limits the halts that are confirmed at the same time.
        commands: Limits the commands to supervisors that are confirmed at the same time.
        own: This process, to know commands for it; None if it is not a process of the arena.
    """

    reader: ArenaReader
    options: WebOptions
    hub: Hub
    sessions: Sessions
    tracer: Tracer
    failures: Failures
    by: str
    halts: asyncio.Semaphore
    commands: asyncio.Semaphore
    own: ProcessAddress | None = None

    @property
    def can_write(self) -> bool:
        """True if commands can be given to this arena."""
        return not (self.reader.run.ended or self.options.public)

    def leaderboard(self, now: Moment) -> Leaderboard:
        """The ranking of a moment."""
        run, view = self.reader.run, self.reader.view
        return queries.leaderboard(view, now.frame, run=run.name, ended=run.ended)

    def coaching(self, now: Moment, agent: str) -> AgentCoaching:
        """What a coach sees of an agent, without texts if they are hidden; computed once a moment.

        Raises:
            UnknownName: No agent has this name.
        """

        def compute() -> AgentCoaching:
            found = agent_queries.coaching(self.reader.view, now.frame, agent)
            return coaching_without_texts(found) if self.options.hide_prompts else found

        return now.once(f"result coaching {agent}", compute)

    async def turn(self, agent: str, turn_id: str) -> TurnDetail:
        """A whole turn, without its texts if they are hidden.

        Raises:
            UnknownName: There is no such agent or turn.
        """
        await self.moment()
        detail = await self.reader.history.turn(self.reader.view, agent, turn_id)
        return without_prompts(detail) if self.options.hide_prompts else detail

    async def runs(self) -> Runs:
        """The runs of the home."""
        home = self.reader.run.home
        if home is None:
            return Runs(runs=())
        return await self.reader.bus.threads.run(partial(run_queries.runs, home))

    async def report(self, name: str) -> str:
        """The report of a run, as HTML.

        Raises:
            UnknownName: There is no such run, or it has no report.
        """
        home = self.reader.run.home
        if home is None:
            raise queries.UnknownName(f"unknown run {name!r}", remedy="see /runs")
        return await self.reader.bus.threads.run(partial(run_queries.report, home, name))

    async def moment(self) -> Moment:
        """The newest moment, after the records that existed at the start.

        Raises:
            NotReady: They are not read yet.
        """
        if not await self.reader.ready(READY_TIMEOUT_S):
            share = self.reader.read_status().read_share or 0.0
            raise NotReady(share)
        return self.reader.moment()

    async def answer(
        self, request: Request, name: str, compute: Callable[[Moment], BaseModel | None]
    ) -> Response:
        """A result of the newest moment as JSON; computed and encoded once for all viewers.

        Args:
            request: The request.
            name: Name of the answer, with everything that it depends on besides the moment.
            compute: Computes the result.
        """
        moment = await self.moment()
        etag = f'W/"{self.reader.boot}.{moment.number}"'
        if matches(request, etag):
            return Response(status_code=304, headers=cache_headers(etag))
        body = moment.once(name, lambda: json_of(compute(moment)))
        headers = cache_headers(etag)
        if len(body) >= GZIP_BYTES_MIN and "gzip" in request.headers.get("accept-encoding", ""):
            plain, headers["Content-Encoding"] = body, "gzip"
            headers["Vary"] = "Accept-Encoding"
            body = moment.once(f"{name}\ngzip", lambda: gzip.compress(plain, GZIP_LEVEL))
        return Response(body, media_type=JSON, headers=headers)

    async def page_of(
        self, request: Request, name: str, read: Callable[[], Awaitable[BaseModel]]
    ) -> Response:
        """A page of entries as JSON; read and encoded once a moment for all viewers.

        Args:
            request: The request.
            name: Name of the page, with everything that it depends on besides the moment.
            read: Reads the page.
        """
        moment = await self.moment()
        body = moment.known(name)
        if not isinstance(body, bytes):
            encoded = json_of(await read())
            body = moment.once(name, lambda: encoded)
        return self._tagged(request, body)

    def result(self, request: Request, result: BaseModel) -> Response:
        """A result that one viewer asked for as JSON; its ETag is of the content.

        Args:
            request: The request.
            result: The result.
        """
        return self._tagged(request, json_of(result))

    def _tagged(self, request: Request, body: bytes) -> Response:
        etag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
        if matches(request, etag):
            return Response(status_code=304, headers=cache_headers(etag))
        return Response(body, media_type=JSON, headers=cache_headers(etag))


def web_of(request: Request) -> Web:
    """The state of the app that a request is for."""
    found: Web = request.app.state.web
    return found


async def _web(request: Request) -> Web:
    """The same for routes.

    FastAPI runs a dependency that is not asynchronous in a thread, so that every request would wait
    for one: for milliseconds on a busy machine.
    """
    return web_of(request)


WebState = Annotated[Web, Depends(_web)]


def json_of(result: BaseModel | None) -> bytes:
    """A result as JSON; null for None."""
    return orjson.dumps(None) if result is None else result.__pydantic_serializer__.to_json(result)


def cache_headers(etag: str) -> dict[str, str]:
    """The headers of an answer that a client may keep and must ask about."""
    return {"ETag": etag, "Cache-Control": "private, no-cache"}


def matches(request: Request, etag: str) -> bool:
    """True if the client has this answer already."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in (one.strip() for one in known.split(","))
