"""HTTP requests to one venue: one connection pool and one token bucket for its host.

A 429 or 418 empties the bucket for all callers and is retried, like a 5xx or a broken connection;
a request is made at most `ATTEMPTS_MAX` times. During a ban of more than a minute requests fail
without being made. The packages of `connectors.venues` know the paths and decode the bodies.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import urlsplit

from arena import __version__, logs
from arena.clock import Clock
from arena.optional_imports import import_without
from connectors.market.bans import BanTimer
from connectors.market.connection_errors import LOOPBACK, OFFLINE, cannot_reach, undocumented_answer
from connectors.market.json_bodies import RestMalformed, error_text
from connectors.market.rate_limits import (
    Backoff,
    TokenBucket,
    Uniform,
    refused_delay,
    retry_after,
)
from connectors.market.snapshot import Origin

# httpx imports click, pygments and rich if they are installed, for a command line.
with import_without("click"):
    import httpx

USER_AGENT: Final = f"trading-arena/{__version__}"
TIMEOUT_S: Final = 10.0
"""Longest wait for a connection, and for each part of a response."""
ATTEMPT_S: Final = 30.0
"""Longest time for a whole response, which may arrive a few bytes at a time."""
ATTEMPTS_MAX: Final = 4
BODY_BYTES_MAX: Final = 16 << 20
TOO_LARGE: Final = f"more than {BODY_BYTES_MAX:,} bytes"
TOO_MANY_REQUESTS: Final = (418, 429)
"""429, and 418 for a client that ignored it: Binance blocks its address for a while."""
SERVER_ERROR: Final = 500
OK: Final = 200
SIMULATED_RATE_PER_S: Final = 60.0
"""Most requests per second to a simulated exchange that runs faster than real time."""
RECORDED: Final = "recorded"
"""Prefix of the simulated exchange's label if its prices are recorded."""
RECORDED_FROM: Final = "recorded candles of "
"""Prefix of that label if it also names the files."""
SOURCE_CHARS_MAX: Final = 300
SPEED_MIN: Final = 0.01
SPEED_MAX: Final = 3_600.0
"""The speeds that `arena exchange` can have; another one is not believed."""

Content = TypeVar("Content")


class RestFailed(Exception):
    """A request without a usable response.

    Attributes:
        path: Path of the request.
        status: HTTP status, or 0 if there was no response.
        detail: The error of the body or the network, in one line.
        made: False if the request was not made, because the venue asked for none.
    """

    def __init__(self, path: str, status: int, detail: str, *, made: bool = True) -> None:
        """Create the error of a path, a status and a detail."""
        super().__init__(f"GET {path}: {status or 'no answer'}: {detail}")
        self.path, self.status, self.detail, self.made = path, status, detail, made

    def log(self, log: logs.Log, event: str, **fields: object) -> None:
        """Log this failure: a warning, or at DEBUG if the request was not made."""
        write = log.warning if self.made else log.debug
        write(event, **fields, error=str(self))


def is_loopback(url: str) -> bool:
    """True for an address of this machine, which is reached without a proxy."""
    return urlsplit(url).hostname in LOOPBACK


def origin_of(headers: Mapping[str, str]) -> Origin | None:
    """The origin in the headers of the simulated exchange; None for a real venue.

    A speed that is not a number or that no exchange can have counts as 1.
    """
    if "x-arena-speed" not in headers:
        return None
    label = headers.get("x-arena-simulated", "")[:SOURCE_CHARS_MAX]
    source = label.removeprefix(RECORDED_FROM) if label.startswith(RECORDED_FROM) else ""
    try:
        speed = float(headers["x-arena-speed"])
    except ValueError:
        speed = 1.0
    if not SPEED_MIN <= speed <= SPEED_MAX:  # true of NaN, too
        speed = 1.0
    return Origin(simulated=True, speed=speed, recorded=label.startswith(RECORDED), source=source)


class HttpClient:
    """Client of a venue's REST API, within its rate limit.

    Args:
        base_url: URL such as "https://api.exchange.coinbase.com".
        bucket: Limits the requests.
        clock: Wall and monotonic time.
        rng: Random source of the jitter of retries.
        counters: Gets `rest_requests`, `rest_429`, `rest_errors`.
        ban: Knows until when the venue asked for no requests; None for a new one.
        offline: The remedy without a network.

    Attributes:
        origin: Whether the venue is simulated; from the headers of the last response.
        bucket: Limits the requests.
    """

    def __init__(
        self,
        base_url: str,
        bucket: TokenBucket,
        *,
        clock: Clock,
        rng: Uniform,
        counters: Counter[str],
        ban: BanTimer | None = None,
        offline: str = OFFLINE,
    ) -> None:
        """Create the client; the first request opens a connection."""
        self.origin = Origin()
        self._ban = ban or BanTimer(base_url, clock)
        self.bucket = bucket
        self._clock = clock
        self._rng = rng
        self._counters = counters
        self._offline = offline
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

    async def read(
        self,
        path: str,
        decode: Callable[[bytes], Content],
        query: Mapping[str, str] | None = None,
        *,
        weight: int = 1,
    ) -> Content:
        """The decoded body of a 200; temporary failures are retried.

        Args:
            path: Path of the request.
            decode: Reads the body, or raises `RestMalformed`.
            query: Its parameters.
            weight: Tokens of the bucket that it costs.

        Raises:
            RestFailed: There was no usable response.
        """
        body = await self.get(path, query, weight=weight)
        try:
            return decode(body)
        except RestMalformed as error:
            raise RestFailed(path, OK, str(error)) from None

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, weight: int = 1
    ) -> bytes:
        """The body of a 200; temporary failures are retried.

        Args:
            path: Path of the request.
            query: Its parameters.
            weight: Tokens of the bucket that it costs.

        Raises:
            RestFailed: There was no usable response.
        """
        backoff = Backoff(self._rng)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            await self._wait_until_allowed(path, weight)
            result, delay_s = await self._attempt(path, query, backoff)
            if isinstance(result, bytes):
                return result
            temporary = result.status in (0, *TOO_MANY_REQUESTS) or result.status >= SERVER_ERROR
            again = temporary and attempt < ATTEMPTS_MAX and not self._ban.is_long
            self._log.warning(
                "request failed",
                path=path,
                status=result.status,
                detail=result.detail,
                **({"retry_in_s": round(delay_s, 2)} if again else {}),
            )
            if not again:
                raise result
            await self._clock.sleep(delay_s)
        raise AssertionError("the last attempt returns or raises")

    async def _wait_until_allowed(self, path: str, weight: int) -> None:
        """Wait for tokens and for the end of a short ban; raise `RestFailed` in a long one."""
        self._require_no_ban(path)
        wait_s = max(self.bucket.reserve(self._clock.monotonic(), weight), self._ban.left_s)
        while wait_s > 0:
            await self._clock.sleep(wait_s)
            self._require_no_ban(path)  # Another request may have been refused meanwhile.
            wait_s = self._ban.left_s

    def _require_no_ban(self, path: str) -> None:
        if self._ban.is_long:
            raise RestFailed(path, self._ban.status, "not asked during a ban", made=False)

    async def _attempt(
        self, path: str, query: Mapping[str, str] | None, backoff: Backoff
    ) -> tuple[bytes | RestFailed, float]:
        """Make one request; return the body or the failure, and the delay before the next one."""
        self._counters["rest_requests"] += 1
        try:
            async with (
                self._clock.timeout(ATTEMPT_S),
                self._client.stream("GET", path, params=query) as response,
            ):
                body = await _read_bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            self._counters["rest_errors"] += 1
            url = str(self._client.base_url)
            damaged = isinstance(error, httpx.DecodingError)
            words = (
                undocumented_answer(url, str(error))
                if damaged
                else cannot_reach(url, error, self._offline)
            )
            return RestFailed(path, 0, words), backoff.next_delay()
        self._note_origin(response.headers)
        if response.status_code == OK and body is not None:
            return body, 0.0
        self._counters["rest_errors"] += 1
        kind = response.headers.get("content-type", "")
        detail = TOO_LARGE if body is None else error_text(kind, body)
        failed = RestFailed(path, response.status_code, detail)
        delay_s = backoff.next_delay()
        if response.status_code in TOO_MANY_REQUESTS:
            self._counters["rest_429"] += 1
            asked = response.headers.get("retry-after")
            asked_s = retry_after(asked, self._clock.now(), response.status_code)
            delay_s = refused_delay(delay_s, asked_s)
            self._ban.note(response.status_code, asked_s)
            if not self._ban.is_long:
                self.bucket.freeze(self._clock.monotonic(), delay_s)
        return failed, delay_s

    def _note_origin(self, headers: httpx.Headers) -> None:
        origin = origin_of(headers)
        if origin is not None and origin != self.origin:
            self.origin = origin
            rate = min(SIMULATED_RATE_PER_S, self.bucket.rate_per_s * max(1.0, origin.speed))
            self.bucket = TokenBucket(rate_per_s=rate, burst=self.bucket.burst)


async def _read_bounded(response: httpx.Response) -> bytes | None:
    """The body, or None if it is larger than any response of the venue."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)
