"""The REST client against the simulated exchange and a mock transport."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from connectors.market import http_client
from connectors.market.http_client import ATTEMPTS_MAX, HttpClient, RestFailed, origin_of
from connectors.simulator.faults import VenueFault
from connectors.simulator.run import ExchangeOptions
from connectors.venues.coinbase.rest import CoinbaseRest
from connectors.venues.coinbase.venue import REST_RATE_PER_S
from connectors.venues.coinbase.venue import VENUE as COINBASE
from tests.connectors.builders import FastClock
from tests.connectors.venue import running_exchange

Responder = Callable[[httpx.Request], httpx.Response]


def client_of(url: str, *, factor: float = 1.0) -> CoinbaseRest:
    """A client of a URL, whose clock runs `factor` times as fast."""
    counters: Counter[str] = Counter()
    http = HttpClient(
        url,
        COINBASE.rate_limit(),
        clock=FastClock(factor),
        rng=random.Random(1),
        counters=counters,
    )
    return COINBASE.rest(http, counters)


@pytest.fixture
async def client() -> AsyncIterator[CoinbaseRest]:
    """A client of a closed port, whose waits are a hundred times shorter."""
    rest = client_of("http://127.0.0.1:9", factor=100.0)
    yield rest
    await rest.close()


def answer_with(rest: CoinbaseRest, responder: Responder) -> Counter[str]:
    """Let a function answer the client's requests; return the client's counters."""
    rest._http._client._transport = httpx.MockTransport(responder)
    return rest._counters


async def test_reads_the_simulated_exchange() -> None:
    """It reads time, products, candles and tickers, and the origin from the headers."""
    async with running_exchange(speed=60.0) as server:
        rest = client_of(server.rest_url)
        now = await rest.time()
        listing = await rest.products(["BTC-USD", "LUNA-USD"])
        end_s = int(now.timestamp()) // 60 * 60
        candles = await rest.candles("BTC-USD", end_s - 3600, end_s)
        seen = await rest.ticker("BTC-USD")
        origin = rest.origin
        await rest.close()

    assert ["BTC-USD"] == [product.product_id for product in listing.online]
    assert 60 <= len(candles) <= 61
    assert seen.best_bid < seen.best_ask
    assert (True, 60.0) == (origin.simulated, origin.speed)
    assert rest._http.bucket.rate_per_s > REST_RATE_PER_S


async def test_429_is_retried_after_its_retry_after(client: CoinbaseRest) -> None:
    """Until then the bucket gives no tokens to any caller."""
    answers = iter([429, 429, 200])
    times: list[float] = []

    def responder(request: httpx.Request) -> httpx.Response:
        times.append(client._http._clock.monotonic())
        status = next(answers)
        if status == 200:
            return httpx.Response(200, json=[])
        return httpx.Response(
            429, json={"message": "Public rate limit exceeded"}, headers={"Retry-After": "7"}
        )

    counters = answer_with(client, responder)

    with capture_logs() as entries:
        assert [] == await client.candles("BTC-USD", 0, 60)
    assert 2 == counters["rest_429"]
    assert [True, True] == [b - a >= 7 for a, b in pairwise(times)]
    assert [7.0, 7.0] == [one["retry_in_s"] for one in entries]


@pytest.mark.parametrize(
    ("response", "attempts", "words"),
    [
        (httpx.Response(404, json={"message": "NotFound"}), 1, "404: NotFound"),
        (httpx.Response(400, text="bad"), 1, "400: bad"),
        (httpx.Response(502, html="<title>502 Bad Gateway</title>"), ATTEMPTS_MAX, "502: HTML"),
        (httpx.Response(200, html="<title>hi</title>"), 1, "200: not JSON"),
        (httpx.Response(200, json={"candles": []}), 1, "expected a list"),
        (httpx.Response(403, text="blocked"), 1, "403: blocked"),
    ],
)
async def test_failure_is_one_line(
    client: CoinbaseRest, response: httpx.Response, attempts: int, words: str
) -> None:
    """Temporary failures are retried a few times; every failure ends in `RestFailed`."""
    counters = answer_with(client, lambda request: response)

    with pytest.raises(RestFailed, match=words):
        await client.candles("BTC-USD", 0, 60)
    assert attempts == counters["rest_requests"]


async def test_unreachable_host_is_an_error_without_a_status(client: CoinbaseRest) -> None:
    """The request is retried first."""
    with pytest.raises(RestFailed, match="no answer") as caught:
        await client.time()
    assert 0 == caught.value.status


async def test_every_request_is_unique_and_uncached(client: CoinbaseRest) -> None:
    """It has both ends, and forbids cached responses."""
    seen: list[httpx.Request] = []

    def responder(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    answer_with(client, responder)
    await client.candles("BTC-USD", 120, 180)

    assert "granularity=60&start=120&end=180" == seen[0].url.query.decode()
    assert "no-cache" == seen[0].headers["cache-control"]
    assert seen[0].headers["user-agent"].startswith("trading-arena/")


async def test_requests_are_spread_over_time(client: CoinbaseRest) -> None:
    """Twenty at once take as long as the bucket requires."""
    answer_with(client, lambda request: httpx.Response(200, json=[]))
    client._http.bucket = COINBASE.rate_limit()
    started_s = client._http._clock.monotonic()
    for n in range(20):
        await client.candles("BTC-USD", n, n)

    assert client._http._clock.monotonic() - started_s >= (20 - 8) / REST_RATE_PER_S - 0.01


def test_origin_is_read_from_headers() -> None:
    """The real venue sends none."""
    assert origin_of({}) is None
    for speed in (0.01, 1.0, 60.0, 3600.0):
        found = origin_of({"x-arena-speed": f"{speed:g}"})
        assert (True, speed) == (found and found.simulated, found and found.speed)


@pytest.mark.parametrize(
    "speed", ["x", "", "nan", "-nan", "inf", "-inf", "-60", "0", "-0", "1e-9", "3601", "1e308"]
)
def test_impossible_speed_is_not_believed(speed: str) -> None:
    """It still means a simulation, at the speed of real time."""
    origin = origin_of({"x-arena-speed": speed})

    assert origin is not None
    assert (True, 1.0) == (origin.simulated, origin.speed)


@pytest.mark.parametrize("prices", [(), (Path("BTC-USD.csv"),)])
@pytest.mark.parametrize("speed", ["60", "x"])
def test_recorded_prices_are_recognized_by_the_exchanges_label(
    prices: tuple[Path, ...], speed: str
) -> None:
    """A model may have read about real prices of the past, but not about simulated ones."""
    label = ExchangeOptions(("BTC-USD",), prices=prices).label
    origin = origin_of({"x-arena-speed": speed, "x-arena-simulated": label})

    assert origin is not None
    assert (True, bool(prices)) == (origin.simulated, origin.recorded)


def test_names_of_price_files_are_read_from_the_label() -> None:
    """They are in every snapshot, so that a report names the files instead of the venue."""
    source = "BTC-USD.csv (Kraken); rows 44f052d5f13192e7"
    headers = {"x-arena-speed": "1", "x-arena-simulated": f"recorded candles of {source}"}
    plain = origin_of({"x-arena-speed": "1", "x-arena-simulated": "recorded candles"})

    assert (found := origin_of(headers)) is not None
    assert (found.recorded, found.source) == (True, source)
    assert plain is not None
    assert (plain.recorded, plain.source) == (True, "")


class EndlessBody(httpx.AsyncByteStream):
    """A body that arrives a byte at a time and does not end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield bytes in time for the time-out of each part."""
        while True:
            yield b" "
            await asyncio.sleep(0.01)


async def test_endless_body_is_a_failed_request(
    client: CoinbaseRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed's checks would otherwise wait for it, and its state would not be reported."""
    monkeypatch.setattr(http_client, "ATTEMPT_S", 0.2)
    counters = answer_with(client, lambda _: httpx.Response(200, stream=EndlessBody()))

    async with asyncio.timeout(20):
        with pytest.raises(RestFailed, match="no answer in time"):
            await client.time()
    assert ATTEMPTS_MAX == counters["rest_errors"]


async def test_damaged_compression_is_a_failed_request(client: CoinbaseRest) -> None:
    """The venue was reached, so the message does not ask whether it runs."""
    headers = {"content-encoding": "gzip"}
    answer_with(
        client, lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"{}"))
    )

    with pytest.raises(RestFailed, match="did not answer as the venue documents") as failed:
        await client.time()
    assert "is the simulated exchange running" not in str(failed.value)


async def test_simulated_429_has_the_venues_message_and_header() -> None:
    """The response has the `Retry-After` that the fault names."""
    async with running_exchange() as server:
        await server.set_fault(VenueFault("rest_429", seconds=30, retry_after="3"))
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.get(f"{server.rest_url}/time")

    assert (429, "3") == (reply.status_code, reply.headers["retry-after"])
    assert {"message": "Public rate limit exceeded"} == reply.json()
