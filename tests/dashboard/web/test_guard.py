"""Who may read and write: hosts, origins, tokens, sessions, limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from arena import topics
from arena.messages import Halt
from dashboard.web.guard import BODY_BYTES_MAX, SECURITY_HEADERS
from dashboard.web.options import WebOptions
from dashboard.web.rate_limit import FAILURES_BURST
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.serving import HOST, Served, serving

TOKEN = "a-token-that-only-tests-use"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OWN = {"Origin": f"http://{HOST}"}
FOREIGN = {"Origin": "http://evil.example"}
HALT = {"agent": "momentum", "reason": "test"}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A very short season."""
    return Scenario().run(2)


@pytest.fixture
async def served(scenario: Scenario) -> AsyncIterator[Served]:
    """The app as it starts by default: on loopback, with a token."""
    async with serving(scenario, token=TOKEN) as found:
        yield found


@asynccontextmanager
async def beyond_loopback(scenario: Scenario, *, public: bool = False) -> AsyncIterator[Served]:
    """The app on all addresses."""
    options = WebOptions(host="0.0.0.0", public=public, allowed_hosts=("arena.example",))
    async with serving(scenario, options, token=TOKEN) as found:
        yield found


async def post(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    """Halt an agent, with these headers."""
    return await client.post("/api/v1/halt", json=HALT, headers=headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (OWN, 401),
        (FOREIGN, 403),
        ({**FOREIGN, **BEARER}, 403),
        ({"Origin": "null", **BEARER}, 403),
        ({"Sec-Fetch-Site": "cross-site", **BEARER}, 403),
        ({"Sec-Fetch-Site": "same-site", **BEARER}, 403),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer "}, 401),
    ],
)
async def test_write_is_refused(served: Served, headers: dict[str, str], status: int) -> None:
    """Without the token 401, from a foreign origin 403; nothing is written."""
    answer = await post(served.client, **headers)

    assert status == answer.status_code
    assert {"status", "message", "remedy"} == set(answer.json()["error"])
    assert answer.json()["error"]["remedy"]
    assert not served.bus.cluster.logs[topics.CONTROL.name, 0]


@pytest.mark.parametrize("path", ["/api/v1/resume", "/api/v1/unknown", "/", "/health"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_other_method_needs_the_token(served: Served, method: str, path: str) -> None:
    """Also on paths that do not exist."""
    assert 401 == (await served.client.request(method, path)).status_code


async def test_halt_is_written(served: Served) -> None:
    """With who asked; no executor runs here, so it is not confirmed."""
    answer = await post(served.client, **BEARER, **OWN)

    assert 202 == answer.status_code
    assert "no executor runs" in next(iter(answer.json()["unconfirmed"].values()))
    (record,) = served.bus.cluster.logs[topics.CONTROL.name, 0]
    halt = record.message()
    assert isinstance(halt, Halt)
    assert ("momentum", "test", "web/tests") == (halt.agent, halt.reason, halt.by)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example@127.0.0.1", 421),
        ("192.0.2.7:8080", 421),
        ("", 421),
    ],
)
async def test_foreign_host_is_refused(served: Served, host: str, status: int) -> None:
    """A name of another site that resolves to this machine does not share its origin."""
    answer = await served.client.get("/api/v1/leaderboard", headers={"Host": host})

    assert status == answer.status_code


async def test_reading_beyond_loopback_needs_the_token(scenario: Scenario) -> None:
    """But for liveness and the login form; browsers are sent to the form."""
    async with beyond_loopback(scenario) as served:
        client = served.client
        assert 401 == (await client.get("/api/v1/leaderboard")).status_code
        assert 401 == (await client.get("/api/v1/events")).status_code
        assert 401 == (await client.get("/api/openapi.json")).status_code
        assert 200 == (await client.get("/api/v1/leaderboard", headers=BEARER)).status_code
        assert 200 == (await client.get("/health")).status_code
        assert 200 == (await client.get("/login")).status_code
        page = await client.get("/", headers={"Accept": "text/html"})
        assert (303, "/login") == (page.status_code, page.headers["location"])
        named = {"Host": "arena.example", **BEARER}
        assert 200 == (await client.get("/api/v1/leaderboard", headers=named)).status_code


async def test_public_page_is_read_only(scenario: Scenario) -> None:
    """Reads need no token, and writes are refused even with it."""
    async with beyond_loopback(scenario, public=True) as served:
        assert 200 == (await served.client.get("/api/v1/leaderboard")).status_code
        assert 403 == (await post(served.client, **BEARER)).status_code
        login = await served.client.post("/login", data={"token": TOKEN})
        assert 403 == login.status_code


async def test_session_of_the_form_writes(served: Served) -> None:
    """The cookie is hidden from scripts, and counts only with an own origin."""
    login = await served.client.post("/login", data={"token": TOKEN, "next": "/nodes"})
    cookie = login.headers["set-cookie"]

    assert (303, "/nodes") == (login.status_code, login.headers["location"])
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert 202 == (await post(served.client, **OWN)).status_code
    assert 403 == (await post(served.client)).status_code
    assert 403 == (await post(served.client, **FOREIGN)).status_code

    old = httpx.Cookies(served.client.cookies)
    assert 303 == (await served.client.post("/logout", headers=OWN)).status_code
    served.client.cookies = old
    assert 401 == (await post(served.client, **OWN)).status_code


async def test_wrong_tokens_are_limited(served: Served) -> None:
    """Then even the right one has to wait."""
    for _ in range(int(FAILURES_BURST)):
        answer = await served.client.post("/login", data={"token": "wrong"})
        assert 401 == answer.status_code
    answer = await served.client.post("/login", data={"token": TOKEN})

    assert 429 == answer.status_code
    assert int(answer.headers["retry-after"]) > 0
    assert 429 == (await post(served.client, **BEARER)).status_code
    assert 200 == (await served.client.get("/api/v1/leaderboard")).status_code


@pytest.mark.parametrize("query", ["token=x", "a=1&ACCESS_TOKEN=x", "api_key=x"])
async def test_token_in_an_address_is_refused(served: Served, query: str) -> None:
    """Addresses end up in logs and histories."""
    assert 400 == (await served.client.get(f"/api/v1/leaderboard?{query}")).status_code


async def test_large_body_is_refused(served: Served) -> None:
    """Before it is read; one without a length too."""
    large = b"x" * (BODY_BYTES_MAX + 1)
    answer = await served.client.post("/api/v1/halt", content=large, headers=BEARER)
    assert 413 == answer.status_code
    assert "send less" == answer.json()["error"]["remedy"]

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    answer = await served.client.post("/api/v1/halt", content=chunks(), headers=BEARER)
    assert 411 == answer.status_code


@pytest.mark.parametrize("path", ["/", "/api/v1/leaderboard", "/nothing", "/api/docs", "/login"])
async def test_every_answer_has_the_security_headers(served: Served, path: str) -> None:
    """Pages, answers, and errors."""
    answer = await served.client.get(path)

    assert (
        SECURITY_HEADERS.items()
        <= {name: answer.headers.get(name) for name in SECURITY_HEADERS}.items()
    )
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "http://evil.example", "x", "/\n/", ""]
)
async def test_login_leads_to_no_other_site(served: Served, target: str) -> None:
    """A foreign target becomes the first page."""
    login = await served.client.post("/login", data={"token": TOKEN, "next": target})

    assert "/" == login.headers["location"]


@pytest.mark.parametrize("path", ["/", "/health", "/api/v1/leaderboard"])
async def test_head_has_the_headers_of_get(served: Served, path: str) -> None:
    """Without its body; `curl -I` and monitors ask so."""
    whole = await served.client.get(path)
    head = await served.client.head(path)

    assert 200 == head.status_code
    assert b"" == head.content
    assert whole.headers["content-type"] == head.headers["content-type"]


async def test_events_have_no_head(served: Served) -> None:
    """A stream never ends."""
    assert 405 == (await served.client.head("/api/v1/events")).status_code
