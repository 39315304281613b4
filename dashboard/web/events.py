"""`/api/v1/events`: the stream of one viewer."""

import contextlib
from typing import Annotated

from fastapi import APIRouter, Header, Response
from starlette.types import Receive, Scope, Send

from arena.clock import Clock
from arena.tasks import run_until_first_ends
from dashboard.web.hub import Hub
from dashboard.web.state import READY_TIMEOUT_S, WebState

router = APIRouter(prefix="/api/v1")
SEND_TIMEOUT_S = 30.0
"""A viewer that takes nothing for so long is cut; it resumes when it comes back."""
EVENT_ID_CHARS_MAX = 1_000
STREAM_S = 3600.0
"""A stream ends after this time, so that the viewer's rights are checked again."""


class EventStream(Response):
    """Sends a viewer's events until the viewer or the hub ends the stream.

    Args:
        hub: The hub.
        clock: Time for the limits.
        last_event_id: Id of the event that the viewer saw last; "" for none.
    """

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, clock: Clock, last_event_id: str) -> None:
        """Take what the stream needs; the server calls it."""
        self._hub = hub
        self._clock = clock
        self._last_event_id = last_event_id
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until either side ends."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        sending = self._send(send)
        await run_until_first_ends(
            sending, self._until_gone(receive), timeout_s=STREAM_S, clock=self._clock
        )
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._hub.stream(self._last_event_id)) as chunks:
            async for chunk in chunks:
                with contextlib.suppress(OSError, TimeoutError):
                    async with self._clock.timeout(SEND_TIMEOUT_S):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        continue
                return

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


@router.get(
    "/events",
    status_code=200,
    response_class=EventStream,
    responses={200: {"content": {"text/event-stream": {}}, "description": "The stream"}},
)
async def events(
    web: WebState,
    last_event_id: Annotated[str, Header(max_length=EVENT_ID_CHARS_MAX)] = "",
) -> EventStream:
    """Server-sent events: leaderboard, verdict, prices, health, halt, turn, trade.

    The first events hold the whole newest state; after a cut, `Last-Event-ID` continues after it.
    """
    await web.reader.ready(READY_TIMEOUT_S)
    return EventStream(web.hub, web.reader.clock, last_event_id)
