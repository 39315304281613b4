"""The guard in front of the app: every request passes it, whatever its path.

In this order: the host, the rate, secrets in the query, foreign origins of writes, the token, the
size of the body. Every answer gets the security headers.
"""

from collections.abc import Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from math import ceil
from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.addresses import is_loopback
from arena.clock import Clock
from dashboard.web import access
from dashboard.web.errors import error_answer
from dashboard.web.options import WebOptions
from dashboard.web.rate_limit import Failures, RateLimit, client_name
from dashboard.web.sessions import Sessions

BODY_BYTES_MAX = 64 * 1024
REQUESTS_PER_S, REQUESTS_BURST = 400.0, 800.0
"""Requests of one client."""
SESSION = "arena.session"
"""The part of a scope with the cookie of a session; "" for a program with the token."""
LOGIN, LOGOUT = "/login", "/logout"
EVENTS = "/api/v1/events"
"""The one answer without an end, and so without an answer to HEAD."""

CONTENT_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Lets requests pass, or answers them itself.

    Args:
        app: The app.
        options: The options of the process.
        sessions: The token and the sessions.
        failures: The wrong tokens of clients.
        clock: Wall and monotonic time.
    """

    def __init__(
        self,
        app: ASGIApp,
        options: WebOptions,
        sessions: Sessions,
        failures: Failures,
        clock: Clock,
    ) -> None:
        """Start with no clients."""
        self._app = app
        self._options = options
        self._sessions = sessions
        self._clock = clock
        self._allowed = frozenset(one.lower() for one in options.allowed_hosts)
        self._requests = RateLimit(REQUESTS_PER_S, REQUESTS_BURST)
        self._failures = failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        sender = _with_security_headers(send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, sender)
            return
        if scope["method"] == "HEAD" and scope["path"] != EVENTS:
            scope, sender = {**scope, "method": "GET"}, _without_body(sender)
        await self._app(scope, receive, sender)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        client = client_name(scope["client"][0] if scope.get("client") else "")
        if not access.is_own_host(headers.get("host", ""), self._options.host, self._allowed):
            return error_answer(
                421,
                "the Host header names another server",
                "use the address that arena web printed, or start it with --allow-host NAME",
            )
        if wait_s := self._requests.take(client, self._clock.monotonic()):
            return _too_many("too many requests", wait_s)
        if access.names_secret(scope["query_string"].decode("latin-1")):
            return error_answer(
                400,
                "a token in the address would end up in logs",
                "send it as `Authorization: Bearer ...`; treat this one as known to others",
            )
        if "transfer-encoding" in headers:
            return error_answer(
                411, "a body needs a Content-Length", "send it whole, not in chunks"
            )
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            return error_answer(
                413, f"the body is larger than {BODY_BYTES_MAX:,} bytes", "send less"
            )
        if scope["method"] in access.SAFE_METHODS:
            return self._read_refusal(scope, headers, client)
        return self._write_refusal(scope, headers, client)

    def _read_refusal(self, scope: Scope, headers: Headers, client: str) -> Response | None:
        known, refusal = self._identify(scope, headers, client)
        if refusal is not None:
            return refusal
        needs_token = not (self._options.public or is_loopback(self._options.host))
        if known or not needs_token or access.is_open_path(scope["path"]):
            return None
        if "text/html" in headers.get("accept", ""):
            return RedirectResponse(LOGIN, 303)
        return _unauthorized("reading needs the token")

    def _write_refusal(self, scope: Scope, headers: Headers, client: str) -> Response | None:
        if foreign := access.foreign_origin(headers):
            return error_answer(
                403,
                f"writes from another site are refused: {foreign[:100]}",
                "use this server's own page; programs send no Origin",
            )
        if self._options.public:
            return error_answer(
                403,
                "this page is public, and read-only",
                "send commands to an arena web without --public, or use `arena halt`",
            )
        if scope["path"] == LOGIN:
            return self._failed_wait(client)
        known, refusal = self._identify(scope, headers, client)
        if refusal is not None:
            return refusal
        if not known and scope["path"] != LOGOUT:
            return _unauthorized("writing needs the token")
        by_cookie = access.bearer_token(headers) is None
        if by_cookie and not access.names_origin(headers):
            return error_answer(
                403,
                "a write by cookie needs an Origin header",
                "programs send `Authorization: Bearer ...` instead of the cookie",
            )
        return None

    def _identify(
        self, scope: Scope, headers: Headers, client: str
    ) -> tuple[bool, Response | None]:
        """Whether the client has the token or a session; a refusal if its token is wrong."""
        token = access.bearer_token(headers)
        if token is not None:
            if (refusal := self._failed_wait(client)) is not None:
                return False, refusal
            if not self._sessions.is_token(token):
                self._failures.count(client, self._clock.monotonic())
                return False, _unauthorized("the token is wrong")
            scope[SESSION] = ""
            return True, None
        cookie = cookie_of(headers, cookie_name(scope))
        valid = self._sessions.is_valid(cookie, self._clock.now().timestamp())
        if valid:
            scope[SESSION] = cookie
        return valid, None

    def _failed_wait(self, client: str) -> Response | None:
        wait_s = self._failures.wait_s(client, self._clock.monotonic())
        return _too_many("too many wrong tokens", wait_s) if wait_s else None


def cookie_name(scope: Scope) -> str:
    """Name of the session cookie: browsers share cookies between the ports of a host."""
    server = scope.get("server") or ("", 0)
    return f"arena_session_{server[1]}"


def cookie_of(headers: Mapping[str, str], name: str) -> str:
    """The value of a cookie; "" without it."""
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return found[name].value if name in found else ""


def _unauthorized(message: str) -> Response:
    return error_answer(
        401,
        message,
        "send `Authorization: Bearer TOKEN`, or log in; arena web prints the token's file",
        {"WWW-Authenticate": "Bearer"},
    )


def _too_many(message: str, wait_s: float) -> Response:
    seconds = max(1, ceil(wait_s))
    return error_answer(429, message, f"try again in {seconds} s", {"Retry-After": str(seconds)})


def _without_body(send: Send) -> Send:
    """Sends the head of an answer to GET, which is the answer to HEAD."""

    async def sender(message: MutableMapping[str, Any]) -> None:  # Any: an ASGI message
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sender


def _with_security_headers(send: Send) -> Send:
    async def sender(message: MutableMapping[str, Any]) -> None:  # Any: an ASGI message
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sender
