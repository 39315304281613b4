"""The REST client's shell: one connection pool and one token bucket for the venue's host.

Reads Coinbase Exchange's public REST API, needs no key. Every answer is decoded by
`connectors.coinbase.rest_protocol`. A 429 empties the bucket for everybody and is retried, as is a
5xx or a broken connection, at most `ATTEMPTS_MAX` times.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import httpx

from arena import __version__, logs
from arena.clock import Clock
from arena.messages import Candle
from connectors.coinbase.events import TickerSeen, TradeSeen
from connectors.coinbase.pacing import Backoff, TokenBucket, Uniform, refused_delay, retry_after
from connectors.coinbase.protocol_products import Listing, list_products
from connectors.coinbase.rest_protocol import (
    RestMalformed,
    error_text,
    read_candles,
    read_ticker,
    read_time,
)
from connectors.coinbase.snapshot import Origin
from connectors.coinbase.trades import PAGE_ROWS_MAX, read_trades
from connectors.reach import LOOPBACK, cannot_reach

USER_AGENT: Final = f"trading-arena/{__version__}"
TIMEOUT_S: Final = 10.0
ATTEMPTS_MAX: Final = 4
BODY_BYTES_MAX: Final = 16 << 20
MINUTE_S: Final = 60
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
OK: Final = 200
SIMULATED_RATE_PER_S: Final = 60.0
"""The simulated exchange runs faster than the venue; so may requests to it."""
RECORDED: Final = "recorded"
"""How the exchange's word for its prices begins where they were recorded."""
RECORDED_FROM: Final = "recorded candles of "
"""How it begins where it also says of which files."""
SOURCE_CHARS_MAX: Final = 300


class RestFailed(Exception):
    """A request was not answered as documented.

    Attributes:
        path: What was asked for.
        status: HTTP status, or 0 where there was no answer.
        detail: What the body or the network said, in one line.
    """

    def __init__(self, path: str, status: int, detail: str) -> None:
        """Keep what was asked and what came back."""
        super().__init__(f"GET {path}: {status or 'no answer'}: {detail}")
        self.path, self.status, self.detail = path, status, detail


def is_loopback(url: str) -> bool:
    """True for an address of this machine: no proxy is asked on the way there."""
    return urlsplit(url).hostname in LOOPBACK


def origin_of(headers: Mapping[str, str]) -> Origin | None:
    """Who answers, as the simulated exchange says in its headers; None where they are missing."""
    if "x-arena-speed" not in headers:
        return None
    said = headers.get("x-arena-simulated", "")[:SOURCE_CHARS_MAX]
    source = said.removeprefix(RECORDED_FROM) if said.startswith(RECORDED_FROM) else ""
    try:
        speed = max(1e-6, float(headers["x-arena-speed"]))
    except ValueError:
        speed = 1.0
    return Origin(simulated=True, speed=speed, recorded=said.startswith(RECORDED), source=source)


class CoinbaseRest:
    """Asks the venue, never faster than allowed.

    Args:
        base_url: Such as "https://api.exchange.coinbase.com".
        venue: Name put into products.
        clock: Wall and monotonic time.
        rng: For the jitter of retries.
        counters: Gets `rest_requests`, `rest_429`, `rest_errors`, `rest_rows_refused`.
    """

    def __init__(
        self, base_url: str, *, venue: str, clock: Clock, rng: Uniform, counters: Counter[str]
    ) -> None:
        """Nothing is asked yet."""
        self.origin = Origin()
        self.bucket = TokenBucket()
        self._venue = venue
        self._clock = clock
        self._rng = rng
        self._counters = counters
        self._log = logs.get("rest")
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=TIMEOUT_S,
            headers={"User-Agent": USER_AGENT, "Cache-Control": "no-cache"},
            trust_env=not is_loopback(base_url),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def time(self) -> datetime:
        """The venue's clock.

        Raises:
            RestFailed: No usable answer.
        """
        body = await self._get("/time")
        try:
            return read_time(body)
        except RestMalformed as error:
            raise RestFailed("/time", OK, str(error)) from None

    async def products(self, wanted: Iterable[str]) -> Listing:
        """The wanted products as the venue lists them now.

        Raises:
            RestFailed: No usable answer.
        """
        body = await self._get("/products")
        try:
            return list_products(body, wanted, venue=self._venue)
        except RestMalformed as error:
            raise RestFailed("/products", OK, str(error)) from None

    async def ticker(self, product_id: str) -> TickerSeen:
        """The current quotes of a product.

        Raises:
            RestFailed: No usable answer.
        """
        path = f"/products/{product_id}/ticker"
        body = await self._get(path)
        try:
            return read_ticker(body, product_id)
        except RestMalformed as error:
            raise RestFailed(path, OK, str(error)) from None

    async def candles(self, product_id: str, start_s: int, end_s: int) -> list[Candle]:
        """One-minute candles from bucket `start_s` to bucket `end_s`, oldest first.

        Both ends are always given and move with time, so that no cached answer is served.

        Raises:
            RestFailed: No usable answer.
        """
        path = f"/products/{product_id}/candles"
        query = {"granularity": str(MINUTE_S), "start": str(start_s), "end": str(end_s)}
        body = await self._get(path, query)
        try:
            candles, refused = read_candles(body)
        except RestMalformed as error:
            raise RestFailed(path, OK, str(error)) from None
        self._counters["rest_rows_refused"] += refused
        return candles

    async def trades(self, product_id: str, after: int | None = None) -> list[TradeSeen]:
        """The newest `PAGE_ROWS_MAX` trades with an id below `after`, newest first.

        Raises:
            RestFailed: No usable answer.
        """
        path = f"/products/{product_id}/trades"
        query = {"limit": str(PAGE_ROWS_MAX)} | ({} if after is None else {"after": str(after)})
        body = await self._get(path, query)
        try:
            trades, refused = read_trades(body, product_id)
        except RestMalformed as error:
            raise RestFailed(path, OK, str(error)) from None
        self._counters["rest_rows_refused"] += refused
        return trades

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The body of a 200; retries what may pass."""
        backoff = Backoff(self._rng)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            await self._wait_for_token()
            failed, delay_s = await self._attempt(path, query, backoff)
            if isinstance(failed, bytes):
                return failed
            passing = failed.status in (0, TOO_MANY_REQUESTS) or failed.status >= SERVER_ERROR
            self._log.warning(
                "request failed", path=path, status=failed.status, detail=failed.detail
            )
            if not passing or attempt == ATTEMPTS_MAX:
                raise failed
            await self._clock.sleep(delay_s)
        raise AssertionError("the last attempt returns or raises")

    async def _wait_for_token(self) -> None:
        wait_s = self.bucket.reserve(self._clock.monotonic())
        if wait_s > 0:
            await self._clock.sleep(wait_s)

    async def _attempt(
        self, path: str, query: Mapping[str, str] | None, backoff: Backoff
    ) -> tuple[bytes | RestFailed, float]:
        """One request: the body or what went wrong, and how long to wait before the next."""
        self._counters["rest_requests"] += 1
        try:
            async with self._client.stream("GET", path, params=query) as response:
                body = await _read_bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._counters["rest_errors"] += 1
            words = cannot_reach(str(self._client.base_url), error)
            return RestFailed(path, 0, words), backoff.next_delay()
        self._note_origin(response.headers)
        if response.status_code == OK and body is not None:
            return body, 0.0
        self._counters["rest_errors"] += 1
        if body is None:
            return RestFailed(path, 1, f"more than {BODY_BYTES_MAX:,} bytes"), 0.0
        detail = error_text(response.headers.get("content-type", ""), body)
        failed = RestFailed(path, response.status_code, detail)
        delay_s = backoff.next_delay()
        if response.status_code == TOO_MANY_REQUESTS:
            self._counters["rest_429"] += 1
            asked_s = retry_after(response.headers.get("retry-after"), self._clock.now())
            delay_s = refused_delay(delay_s, asked_s)
            self.bucket.freeze(self._clock.monotonic(), delay_s)
        return failed, delay_s

    def _note_origin(self, headers: httpx.Headers) -> None:
        origin = origin_of(headers)
        if origin is not None and origin != self.origin:
            self.origin = origin
            rate = min(SIMULATED_RATE_PER_S, self.bucket.rate_per_s * max(1.0, origin.speed))
            self.bucket = TokenBucket(rate_per_s=rate, burst=self.bucket.burst)


async def _read_bounded(response: httpx.Response) -> bytes | None:
    """The body, or None where it is larger than any answer of the venue."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)
