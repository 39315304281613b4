"""The simulated exchange's sockets: WebSocket and REST on one port of the loopback interface.

Reads no topic and writes none. Venue time is the simulated clock: its start plus `speed` times the
wall time since. What the venue sends every second is sent once per venue second and product, at
most `BEATS_PER_S_MAX` times per wall second when time runs fast; everything else is sent with each
step of five venue seconds. `GET /_sim/fault?kind=...` sets a fault (see
`connectors.simulator.faults`). Responses carry `X-Arena-Simulated` and `X-Arena-Speed`, so that
they cannot be mistaken for the real venue's.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from arena import logs
from arena.clock import Clock
from arena.errors import DependencyMissing, UsageError
from connectors.simulator import fault_effects, product_changes
from connectors.simulator.faults import LASTING, ActiveFaults, VenueFault, check_fault, read_fault
from connectors.simulator.price_path import STEP_S
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.venue_protocol import (
    JSON,
    ClientSession,
    ExchangeProtocol,
    Frame,
    RestResponse,
)

HOST: Final = "127.0.0.1"
BEATS_PER_S_MAX: Final = 10.0
WAKES_PER_S_MAX: Final = 50.0
QUEUED_FRAMES_MAX: Final = 2_000
"""Frames a client may leave unread before it is disconnected as a slow consumer."""
CLOSE_TIMEOUT_S: Final = 2.0
GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008
FAULT_PATH: Final = "/_sim/fault"
REFUSALS: Final = (429, 418)


@dataclass(slots=True, eq=False)
class Client:
    """One connected client.

    Attributes:
        connection: Its WebSocket.
        session: Its subscriptions.
        queue: Frames still to be sent to it.
        subscribed: Set after its first request.
        opened_s: Monotonic seconds at which it connected.
        asked_s: Monotonic seconds of its requests in the last second.
    """

    connection: ServerConnection
    session: ClientSession
    queue: asyncio.Queue[str]
    subscribed: asyncio.Event
    opened_s: float
    asked_s: deque[float] = field(default_factory=deque)


class ExchangeServer:
    """Serves a market.

    Args:
        protocol: A venue's protocol over the market, which is played up to `start_s`.
        speed: Venue seconds per wall second.
        clock: Wall and monotonic time.
        faults: Scheduled faults, each with its time.
        label: Value of `X-Arena-Simulated`, such as "seed 7".
        start_s: Venue time at which it begins, Unix seconds; None for the market's present time.
    """

    def __init__(
        self,
        protocol: ExchangeProtocol,
        *,
        speed: float,
        clock: Clock,
        faults: Iterable[VenueFault] = (),
        label: str = "",
        start_s: float | None = None,
    ) -> None:
        """Create the server; venue time starts when `listen` is called.

        Raises:
            UsageError: The market does not have a fault's product, or the venue no such fault.
        """
        self.protocol = protocol
        self.speed = speed
        self.label = label
        self.active_faults = ActiveFaults()
        self.clients: set[Client] = set()
        self.port = 0
        self._clock = clock
        self._scheduled = sorted(faults, key=lambda fault: fault.at)
        for fault in self._scheduled:
            self._product(fault)
        self._start_s = float(self.market.now_s) if start_s is None else start_s
        self._started_s = clock.monotonic()
        self._log = logs.get("exchange")

    def venue_now(self) -> datetime:
        """The simulated clock."""
        elapsed_s = (self._clock.monotonic() - self._started_s) * self.speed
        now_s = self._start_s + elapsed_s
        if self.market.end_s is not None:
            now_s = min(now_s, self.market.end_s)
        return datetime.fromtimestamp(now_s, UTC)

    @property
    def market(self) -> SimulatedMarket:
        """The market."""
        return self.protocol.market

    @property
    def ws_url(self) -> str:
        """URL of the WebSocket feed."""
        return f"ws://{HOST}:{self.port}"

    @property
    def rest_url(self) -> str:
        """URL of the REST API."""
        return f"http://{HOST}:{self.port}"

    async def listen(self, port: int) -> Server:
        """Open the port, 0 for any free one, and start venue time.

        Raises:
            DependencyMissing: The port cannot be opened.
        """
        quiet = logging.getLogger("connectors.simulator.sockets")
        quiet.setLevel(logging.CRITICAL)
        try:
            server = await serve(
                self._serve_client,
                HOST,
                port,
                process_request=self._on_request,
                process_response=self._label_response,
                ping_interval=None,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=1 << 20,
                logger=quiet,
            )
        except OSError as error:
            raise DependencyMissing(
                f"port {port} of {HOST} cannot be opened: {error.strerror}",
                remedy="choose another with --port, or any free one with --port 0",
            ) from None
        self.port = next(iter(server.sockets)).getsockname()[1]
        self._started_s = self._clock.monotonic()
        return server

    def start_time(self, began_s: float) -> None:
        """Let venue time begin at a time in monotonic seconds, the same as another server's."""
        self._started_s = began_s

    async def run(self) -> None:
        """Play the market until its prices end; then close every client's connection."""
        beat_s = max(1.0 / self.speed, 1.0 / BEATS_PER_S_MAX)
        wake_s = max(min(STEP_S / self.speed, beat_s), 1.0 / WAKES_PER_S_MAX)
        next_beat_s = 0.0
        while True:
            now_s = self._clock.monotonic()
            self._play()
            if now_s >= next_beat_s:
                next_beat_s = max(next_beat_s + beat_s, now_s)
                self._send_beats()
            self._send_steps()
            await self._break_on_schedule(now_s)
            await self._close_old(now_s)
            if self.market.ended:
                break
            await self._clock.sleep(wake_s)
        self._log.info("prices ended", venue_time=self.venue_now().isoformat())
        closing = [c.connection.close(GOING_AWAY, "prices ended") for c in self.clients]
        await asyncio.gather(*closing)

    async def set_fault(self, fault: VenueFault) -> None:
        """Set a fault now.

        Raises:
            UsageError: The market does not have its product, or the venue has no such fault.
        """
        product = self._product(fault)
        self._log.info("fault", kind=fault.kind, product=fault.product, seconds=fault.seconds)
        now_s = self._clock.monotonic()
        if fault.kind in LASTING:
            self.active_faults.set(fault, now_s)
        elif fault.kind == "bad_ack":
            self.active_faults.forget = product
        elif fault.kind in product_changes.KINDS:
            self._change(product, fault)
        elif fault.kind == "lifetime":
            self.protocol.lifetime_s = fault.seconds
        elif fault.kind in ("close", "drop"):
            await fault_effects.disconnect([c.connection for c in self.clients], fault)
        else:
            frame = self.protocol.faulty_frame(product, fault.kind)
            for client in self.clients:
                self._put(client, frame)

    def _product(self, fault: VenueFault) -> str:
        """The product of a fault, by default the first one."""
        check_fault(fault, self.market.products, self.protocol.absent_faults)
        return fault.product or next(iter(self.market.products))

    def _change(self, product: str, fault: VenueFault) -> None:
        state = self.market.products[product]
        product_changes.change(state, fault)
        if state.live:
            return
        for client in self.clients:
            client.session.pairs = {pair for pair in client.session.pairs if pair[1] != product}

    async def _break_on_schedule(self, now_s: float) -> None:
        while self._scheduled and self._scheduled[0].at <= now_s - self._started_s:
            await self.set_fault(self._scheduled.pop(0))

    async def _close_old(self, now_s: float) -> None:
        """Close the connections that have lasted as long as the venue allows."""
        lifetime_s = self.protocol.lifetime_s
        if lifetime_s is None:
            return
        for client in [c for c in self.clients if now_s - c.opened_s >= lifetime_s]:
            await client.connection.close(GOING_AWAY, "the connection's time is over")

    def _play(self) -> None:
        self.market.advance(int(self.venue_now().timestamp()))

    def _put(self, client: Client, frame: str) -> None:
        try:
            client.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self._log.warning("slow consumer", unread=QUEUED_FRAMES_MAX)
            client.connection.transport.abort()

    def _send_beats(self) -> None:
        if self._quiet(self._clock.monotonic()):
            return
        at = self.venue_now()
        for product in self.market.products:
            self._send(product, self.protocol.beat_frames(product, at))

    def _send_steps(self) -> None:
        now_s, at = self._clock.monotonic(), self.venue_now()
        gap = self.active_faults.current("gap", now_s)
        for product in self.market.products:
            hidden = self._quiet(now_s) or (gap is not None and gap.product in ("", product))
            self._send(product, self.protocol.step_frames(product, at, hidden=hidden))

    def _send(self, product: str, frames: list[Frame]) -> None:
        for client in self.clients:
            for frame in frames:
                if client.session.wants(frame.channels, product):
                    self._put(client, frame.text)

    def _quiet(self, now_s: float) -> bool:
        """True while a fault keeps all market data back."""
        return any(self.active_faults.current(kind, now_s) for kind in ("stall", "silent"))

    async def _serve_client(self, connection: ServerConnection) -> None:
        client = Client(
            connection,
            self.protocol.session(),
            asyncio.Queue(QUEUED_FRAMES_MAX),
            asyncio.Event(),
            self._clock.monotonic(),
        )
        self.clients.add(client)
        helpers = [
            asyncio.create_task(self._send_forever(client)),
            asyncio.create_task(self._close_if_mute(client)),
        ]
        try:
            async for text in connection:
                if self._is_flooding(client):
                    await connection.close(POLICY_VIOLATION, "Too many requests")
                    break
                self._on_message(client, text)
        except ConnectionClosed:
            pass
        finally:
            self.clients.discard(client)
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    def _is_flooding(self, client: Client) -> bool:
        """True if the client sends more requests in a second than the venue allows."""
        bound = self.protocol.messages_per_s_max
        now_s = self._clock.monotonic()
        client.asked_s.append(now_s)
        while client.asked_s[0] < now_s - 1.0:
            client.asked_s.popleft()
        return bound is not None and len(client.asked_s) > bound

    def _on_message(self, client: Client, text: str | bytes) -> None:
        self._play()
        frames = client.session.on_message(text, forget=self.active_faults.forget)
        self.active_faults.forget = None
        client.subscribed.set()
        if not self.active_faults.current("stall", self._clock.monotonic()):
            for frame in frames:
                self._put(client, frame)

    async def _send_forever(self, client: Client) -> None:
        try:
            while True:
                await client.connection.send(await client.queue.get())
        except ConnectionClosed:
            return

    async def _close_if_mute(self, client: Client) -> None:
        try:
            async with self._clock.timeout(self.protocol.subscribe_within_s):
                await client.subscribed.wait()
        except TimeoutError:
            await client.connection.close(1000, "no subscription within 5 seconds")

    async def _on_request(self, connection: ServerConnection, request: Request) -> Response | None:
        now_s = self._clock.monotonic()
        path = urlsplit(request.path)
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return self._refusal("ws", now_s)
        if path.path == FAULT_PATH:
            return self._labelled(await self._on_control(dict(parse_qsl(path.query))))
        if (refusal := self._refusal("rest", now_s)) is not None:
            return refusal
        if self.active_faults.current("html", now_s):
            return self._labelled(RestResponse(502, fault_effects.HTML, "text/html; charset=utf-8"))
        self._play()
        return self._labelled(self.protocol.respond(request.path, self.venue_now()))

    def _refusal(self, asked: Literal["ws", "rest"], now_s: float) -> Response | None:
        """The answer to a handshake or a request while a fault refuses them."""
        for status in REFUSALS:
            fault = self.active_faults.current(f"{asked}_{status}", now_s)
            if fault is not None:
                headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                handshake = asked == "ws"
                reply = self.protocol.refuse(status, headers, handshake=handshake)
                return _response(reply) if handshake else self._labelled(reply)
        return None

    async def _on_control(self, parameters: dict[str, str]) -> RestResponse:
        try:
            fault = read_fault(parameters)
            await self.set_fault(fault)
        except UsageError as error:
            text = f"{error}; {error.remedy}" if error.remedy else str(error)
            return self.protocol.error(400, text)
        return RestResponse(200, orjson.dumps({"set": fault.kind}), JSON)

    def _labelled(self, reply: RestResponse) -> Response:
        response = _response(reply)
        self._label(response)
        return response

    def _label(self, response: Response) -> None:
        response.headers["X-Arena-Simulated"] = self.label
        response.headers["X-Arena-Speed"] = f"{self.speed:g}"

    def _label_response(
        self, connection: ServerConnection, request: Request, response: Response
    ) -> None:
        if "X-Arena-Speed" not in response.headers:
            self._label(response)


def _response(reply: RestResponse) -> Response:
    headers = Headers(
        {
            "Content-Type": reply.content_type,
            "Content-Length": str(len(reply.body)),
            "Connection": "close",
            **reply.headers,
        }
    )
    return Response(reply.status, "", headers, reply.body)
