"""Who may do what: hosts, origins, tokens. Pure.

Reads are open on a loopback address and with `--public`, else they need the token. Writes always
need it, and never come from another site. The Host header must name this server, because a foreign
name that resolves to it would share its origin with the page (DNS rebinding).
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from arena.addresses import is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECRET_PARAMETERS = frozenset({"token", "access_token", "api_key", "apikey", "auth", "password"})
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = ("/health", "/login", "/static/")
"""Paths that need no token: liveness, the form that takes it, and what that form loads."""
SAME_SITE = frozenset({"same-origin", "none"})


def is_open_path(path: str) -> bool:
    """True for a path that needs no token to be read."""
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN_PATHS)


def host_name(authority: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; "" if it has none."""
    if "@" in authority or "/" in authority:
        return ""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def is_own_host(authority: str, bound: str, allowed: Collection[str]) -> bool:
    """True if a Host header names this server.

    A literal address cannot be a foreign name that resolves to this server, so beyond loopback each
    one is accepted.

    Args:
        authority: The Host header.
        bound: The address that the server listens on.
        allowed: Further names, in lower case.
    """
    name = host_name(authority)
    if name in LOOPBACK_NAMES or name == bound.lower() or name in allowed:
        return True
    if is_loopback(bound):
        return False
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def foreign_origin(headers: Mapping[str, str]) -> str:
    """The foreign site that a request comes from, by the browser's headers; "" if from none.

    Args:
        headers: The headers, with names in lower case.
    """
    origin = headers.get("origin")
    if origin is not None:
        return "" if _authority(origin) == headers.get("host", "").lower() else origin or "null"
    site = headers.get("sec-fetch-site")
    return "" if site is None or site in SAME_SITE else site


def names_origin(headers: Mapping[str, str]) -> bool:
    """True if the browser says where a request comes from; every current one does on a POST."""
    return "origin" in headers or "sec-fetch-site" in headers


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token of an Authorization header; None without one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def names_secret(query: str) -> bool:
    """True if a query string has a parameter for a secret, which would end up in logs."""
    names = (pair.partition("=")[0].lower() for pair in query.split("&"))
    return any(name in SECRET_PARAMETERS for name in names)
