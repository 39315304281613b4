"""The WebSocket shell: connect, subscribe, read, watch, reconnect. It makes no decisions.

The venue's session decides what to do, `Backoff` how long to wait. The read loop parses, folds and
queues; it never waits for the broker, because a venue disconnects slow readers. However a
connection ends, the reaction is the same: wait with jitter, reconnect, subscribe again.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from arena import logs
from arena.clock import Clock
from arena.messages import Ticker
from connectors.market.bans import BanTimer
from connectors.market.connection_errors import cannot_reach, host_of, unexpected_status
from connectors.market.events import (
    Event,
    FrameIgnored,
    FrameMalformed,
    RequestRefused,
    VenueRefused,
)
from connectors.market.feed import Dropped, Feed, Received
from connectors.market.http_client import USER_AGENT, is_loopback
from connectors.market.rate_limits import (
    Backoff,
    ConnectLimiter,
    Uniform,
    refused_delay,
    retry_after,
)
from connectors.market.session import (
    Action,
    Close,
    Drop,
    Send,
    Settled,
    Stable,
    VenueSession,
)
from connectors.market.venue import Venue

FRAME_BYTES_MAX: Final = 4 << 20
"""Four times the largest frame seen on our channels; a larger one closes with 1009."""
FRAMES_QUEUED_MAX: Final = 256
OPEN_TIMEOUT_S: Final = 10.0
PING_INTERVAL_S: Final = 20.0
PING_TIMEOUT_S: Final = 20.0
CLOSE_TIMEOUT_S: Final = 3.0
TICK_S: Final = 1.0
TOO_BIG: Final = 1009
ABNORMAL: Final = 1006
GOODBYE: Final = 1000
REFUSED: Final = (403, 418, 429, 451)
"""451 is a venue's answer to a country that it does not serve, 418 to one that ignored 429."""


class Sink(Protocol):
    """Receiver of what the stream reads."""

    def on_frame(self, raw: bytes, received: Received) -> None:
        """Handle every frame as received, for a recording."""

    def on_ticker(self, ticker: Ticker) -> None:
        """Handle a new ticker."""

    def on_malformed(self, frame: FrameMalformed, received: Received) -> None:
        """Handle bytes that are not a message."""

    def on_refused(self, product_id: str, reason: str) -> None:
        """Handle a product that the venue refuses."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a connection ended.

    Attributes:
        why: One word for the counters.
        detail: Text for people.
        refused: True if the venue refused the connection.
        wait_s: Seconds that the venue asked to wait, or None.
    """

    why: str
    detail: str
    refused: bool = False
    wait_s: float | None = None


def down_text(url: str, ended: Ended) -> str:
    """Message for people while there is no connection. Pure."""
    if ended.why == "unreachable" or ended.refused:
        return ended.detail
    return f"the feed of {host_of(url)} ended: {ended.detail}; reconnecting automatically"


class Stream:
    """Keeps one connection to the venue.

    Args:
        venue: The venue.
        url: URL such as "wss://ws-feed.exchange.coinbase.com"; certificates are verified.
        products: Returns the ids to subscribe to; they may change between connections.
        feed: Folds every event.
        sink: Gets frames, tickers and refusals.
        clock: Wall and monotonic time.
        rng: Random source of the jitter.
        counters: Gets a count per kind of event.
        ban: Knows until when the venue asked for no connections.

    Attributes:
        epoch: Number of the current connection, from 1.
        settled: Set while every subscription is acknowledged.
        down: Why the feed is down and what to do; "" while it is up.
    """

    def __init__(
        self,
        venue: Venue,
        url: str,
        products: Callable[[], list[str]],
        feed: Feed,
        sink: Sink,
        *,
        clock: Clock,
        rng: Uniform,
        counters: Counter[str],
        ban: BanTimer,
    ) -> None:
        """Create the stream; call `run` to connect."""
        self.epoch = 0
        self.settled = asyncio.Event()
        self.down = ""
        self._venue = venue
        self._decode = venue.decoder()
        self._url = venue.feed_url(url)
        self._products = products
        self._feed = feed
        self._sink = sink
        self._clock = clock
        self._counters = counters
        self._ban = ban
        self._backoff = Backoff(rng)
        self._limiter = ConnectLimiter()
        self._connection: ClientConnection | None = None
        self._log = logs.get("stream")

    async def run(self) -> None:
        """Stay connected until cancelled; then unsubscribe and close."""
        while True:
            while not self._products():
                await self._clock.sleep(TICK_S)
            self.down = self._ban.text or self.down
            spacing_s = self._limiter.reserve(self._clock.monotonic())
            await self._clock.sleep(max(spacing_s, self._ban.left_s))
            ended = await self._connect_once()
            self.settled.clear()
            self.down = down_text(self._url, ended)
            self._counters[f"reconnects_{ended.why}"] += 1
            delay_s = self._backoff.next_delay()
            if ended.refused:
                delay_s = refused_delay(delay_s, ended.wait_s)
            self._log.warning(
                "connection ended", why=ended.why, detail=ended.detail, retry_in_s=round(delay_s, 2)
            )
            await self._clock.sleep(delay_s)

    def reconnect(self) -> None:
        """Cut the present connection, because the list of products has changed."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def _connect_once(self) -> Ended:
        """Run one connection from handshake to end."""
        try:
            connection = await connect(
                self._url,
                max_size=FRAME_BYTES_MAX,
                max_queue=FRAMES_QUEUED_MAX,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=PING_INTERVAL_S,
                ping_timeout=PING_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                user_agent_header=USER_AGENT,
                proxy=None if is_loopback(self._url) else True,
                ssl=ssl.create_default_context() if self._url.startswith("wss:") else None,
            )
        except InvalidStatus as error:
            return self._handshake_refused(error)
        except (WebSocketException, OSError, TimeoutError) as error:
            return Ended("unreachable", cannot_reach(self._url, error))
        try:
            return await self._run_session(connection)
        finally:
            self._connection = None
            await self._close_connection(connection)

    def _handshake_refused(self, error: InvalidStatus) -> Ended:
        status = error.response.status_code
        asked = error.response.headers.get("Retry-After")
        asked_s = retry_after(asked, self._clock.now(), status)
        self._ban.note(status, asked_s)
        detail = self._ban.text or unexpected_status(self._url, status)
        return Ended(f"http_{status}", detail, refused=status in REFUSED, wait_s=asked_s)

    async def _run_session(self, connection: ClientConnection) -> Ended:
        now_s = self._clock.monotonic()
        self.epoch += 1
        self._counters["connections"] += 1
        self._feed.connected()
        # What a decoder remembers, such as quotes, is valid within one connection only.
        self._decode = self._venue.decoder()
        self._connection = connection
        session = self._venue.session(self._products(), now_s)
        self._log.info("connected", url=self._url, epoch=self.epoch, products=session.products)
        watchdog = asyncio.create_task(self._watch(connection, session))
        try:
            ended = await self._perform(connection, session.open(now_s))
            while ended is None:
                raw = await connection.recv(decode=False)
                ended = await self._on_frame(connection, session, raw)
            return ended
        except asyncio.CancelledError:
            await self._unsubscribe(connection, session)
            raise
        except ConnectionClosed as error:
            if watchdog.done() and not watchdog.cancelled() and watchdog.exception() is None:
                return watchdog.result()
            return self._closed(error)
        finally:
            watchdog.cancel()
            await asyncio.gather(watchdog, return_exceptions=True)

    async def _unsubscribe(self, connection: ClientConnection, session: VenueSession) -> None:
        try:
            async with self._clock.timeout(CLOSE_TIMEOUT_S):
                for text in session.unsubscribe_messages():
                    await connection.send(text)
        except (TimeoutError, ConnectionClosed) as error:
            self._log.info("closed without unsubscribing", reason=repr(error))

    def _closed(self, error: ConnectionClosed) -> Ended:
        close = error.rcvd or error.sent
        code = close.code if close else ABNORMAL
        if code == TOO_BIG:
            self._log.error("frame too large", bound_bytes=FRAME_BYTES_MAX)
        return Ended(f"close_{code}", str(error))

    async def _on_frame(
        self, connection: ClientConnection, session: VenueSession, raw: bytes
    ) -> Ended | None:
        received = Received(self._clock.now(), self._clock.monotonic(), self.epoch)
        self._counters["frames"] += 1
        self._sink.on_frame(raw, received)
        event = self._decode(raw)
        self._note(event, received)
        outcome = self._feed.apply(event, received)
        if isinstance(outcome, Ticker):
            self._sink.on_ticker(outcome)
        elif isinstance(outcome, Dropped):
            self._counters[f"dropped_{outcome.why}"] += 1
            self._log.debug(
                "dropped", product=outcome.product_id, why=outcome.why, detail=outcome.detail
            )
        return await self._perform(connection, session.on_event(event, received.monotonic_s))

    def _note(self, event: Event, received: Received) -> None:
        if isinstance(event, FrameMalformed):
            self._counters["malformed"] += 1
            self._sink.on_malformed(event, received)
        elif isinstance(event, FrameIgnored):
            self._counters["ignored"] += 1
        elif isinstance(event, VenueRefused):
            self._counters["venue_errors"] += 1
            self._log.warning("venue error", message=event.message, reason=event.reason)
        elif isinstance(event, RequestRefused):
            self._counters["venue_errors"] += 1
            self._log.warning("venue error", message=event.message, code=event.code)

    async def _perform(self, connection: ClientConnection, actions: list[Action]) -> Ended | None:
        for action in actions:
            if isinstance(action, Send):
                await connection.send(action.text)
            elif isinstance(action, Drop):
                self._sink.on_refused(action.product_id, action.reason)
            elif isinstance(action, Settled):
                self.settled.set()
                self.down = ""
            elif isinstance(action, Stable):
                self._backoff.reset()
            elif isinstance(action, Close):
                return Ended(action.why, action.detail)
        return None

    async def _watch(self, connection: ClientConnection, session: VenueSession) -> Ended:
        """Check the session's timeouts; abort the connection when it must end."""
        while True:
            await self._clock.sleep(TICK_S)
            try:
                ended = await self._perform(connection, session.on_tick(self._clock.monotonic()))
            except ConnectionClosed as error:
                return self._closed(error)
            if ended is not None:
                connection.transport.abort()
                return ended

    async def _close_connection(self, connection: ClientConnection) -> None:
        """Close with 1000; abort if the peer does not answer within `CLOSE_TIMEOUT_S`."""
        try:
            async with self._clock.timeout(CLOSE_TIMEOUT_S):
                await connection.close(GOODBYE)
        except (TimeoutError, WebSocketException, OSError):
            connection.transport.abort()
