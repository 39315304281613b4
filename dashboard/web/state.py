"""What every route works with, and the answers that are the same for all viewers."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from dashboard.model.arena_reader import ArenaReader, Moment
from dashboard.web.errors import NotReady
from dashboard.web.hub import Hub
from dashboard.web.options import WebOptions

READY_TIMEOUT_S = 10.0
"""How long a request waits for the records that existed at the start."""
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Web:
    """What the routes work with.

    Attributes:
        reader: Reads the arena.
        options: The options of the process.
        hub: Sends the changes to the viewers.
    """

    reader: ArenaReader
    options: WebOptions
    hub: Hub

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
        return Response(body, media_type=JSON, headers=cache_headers(etag))

    def page(self, request: Request, result: BaseModel) -> Response:
        """A result that one viewer asked for as JSON; its ETag is of the content.

        Args:
            request: The request.
            result: The result.
        """
        body = json_of(result)
        etag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
        if matches(request, etag):
            return Response(status_code=304, headers=cache_headers(etag))
        return Response(body, media_type=JSON, headers=cache_headers(etag))


def web_of(request: Request) -> Web:
    """The state of the app that a request is for."""
    found: Web = request.app.state.web
    return found


WebState = Annotated[Web, Depends(web_of)]


def json_of(result: BaseModel | None) -> bytes:
    """A result as JSON; null for None."""
    return orjson.dumps(None) if result is None else result.__pydantic_serializer__.to_json(result)


def cache_headers(etag: str) -> dict[str, str]:
    """The headers of an answer that a client may keep and must ask about."""
    return {"ETag": etag, "Cache-Control": "no-cache"}


def matches(request: Request, etag: str) -> bool:
    """True if the client has this answer already."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in (one.strip() for one in known.split(","))
