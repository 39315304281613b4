"""Why a venue cannot be reached, for people: the host, the cause, and what to do. Pure.

`cannot reach api.exchange.coinbase.com: its name is not known; are you offline? ...`
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from arena.visible import one_line

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
CAUSES_MAX: Final = 8
"""How many errors inside others are looked at."""
WORDS_CHARS_MAX: Final = 200
OFFLINE: Final = "are you offline? `arena up examples/demo.toml` needs no network"
NO_EXCHANGE: Final = "does the simulated exchange run there? `arena exchange` starts one"
NOT_TRUSTED: Final = (
    "a proxy between has its own certificates? name them: SSL_CERT_FILE=/path/to/ca.pem"
)
REFUSED: Final = "the venue refuses this address or asks for fewer requests; the next try waits"
TIMED_OUT: Final = "nothing answered in time"

_SYSTEM: Final = {
    errno.ECONNREFUSED: "nothing listens there",
    errno.ENETUNREACH: "no network leads there",
    errno.EHOSTUNREACH: "no network leads there",
    errno.ENETDOWN: "the network is down",
    errno.ETIMEDOUT: TIMED_OUT,
    errno.ECONNRESET: "the connection was cut",
    errno.EPIPE: "the connection was cut",
}


def host_of(url: str) -> str:
    """The host of a URL, with its port if it names one."""
    return one_line(urlsplit(url).netloc.rpartition("@")[2] or url, WORDS_CHARS_MAX)


def cannot_reach(url: str, error: BaseException) -> str:
    """One sentence on a connection that was not made.

    Args:
        url: Where to.
        error: What the system or a library raised; errors inside it are looked at, too.
    """
    return f"cannot reach {host_of(url)}: {_cause(error)}; {_remedy(url, error)}"


def answered(url: str, status: int) -> str:
    """One sentence on a venue that answers, and not as it should.

    Args:
        url: Where to.
        status: Of HTTP.
    """
    return f"{host_of(url)} answered {status}; {REFUSED}"


def _cause(error: BaseException) -> str:
    for one in _inside(error):
        if isinstance(one, socket.gaierror):
            return "its name is not known"
        if isinstance(one, ssl.SSLError):
            said = getattr(one, "verify_message", "") or getattr(one, "reason", "") or str(one)
            return f"its certificate is not trusted: {one_line(said, WORDS_CHARS_MAX)}"
        if isinstance(one, TimeoutError) or "Timeout" in type(one).__name__:
            return TIMED_OUT
        if isinstance(one, OSError) and one.errno in _SYSTEM:
            return _SYSTEM[one.errno]
    return one_line(str(error), WORDS_CHARS_MAX) or type(error).__name__


def _remedy(url: str, error: BaseException) -> str:
    if urlsplit(url).hostname in LOOPBACK:
        return NO_EXCHANGE
    if any(isinstance(one, ssl.SSLError) for one in _inside(error)):
        return NOT_TRUSTED
    return OFFLINE


def _inside(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, the innermost first."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left and len(found) < CAUSES_MAX:
        one = left.pop()
        if one is None or one in found:
            continue
        found.append(one)
        left += [one.__context__, one.__cause__]
        if isinstance(one, BaseExceptionGroup):
            left += one.exceptions
    yield from reversed(found)
