"""Sentences about venues that cannot be reached: the host, the cause, and the remedy. Pure.

`cannot reach api.exchange.coinbase.com: its name is not known; are you offline? ...`
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from arena.visible_text import one_line

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
CAUSES_MAX: Final = 8
"""Most nested errors that are examined."""
TEXT_CHARS_MAX: Final = 200
OFFLINE: Final = "are you offline? `arena up examples/demo.toml` needs no network"
OFFLINE_REST: Final = (
    "are you offline? `arena exchange` needs no network: give its address with --rest-url"
)
NO_EXCHANGE: Final = "is the simulated exchange running? start it with `arena exchange`"
NOT_TRUSTED: Final = "if a proxy uses its own certificates, set SSL_CERT_FILE=/path/to/ca.pem"
REFUSED: Final = "the venue refuses this address or asks for fewer requests"
RETRYING: Final = "retrying within a minute"
CHECK_URL: Final = "check --rest-url; retrying within a minute"
AGAIN_THEN: Final = "trying again then"
TIMED_OUT: Final = "no answer in time"

_SYSTEM: Final = {
    errno.ECONNREFUSED: "the connection was refused",
    errno.ENETUNREACH: "the network is unreachable",
    errno.EHOSTUNREACH: "the host is unreachable",
    errno.ENETDOWN: "the network is down",
    errno.ETIMEDOUT: TIMED_OUT,
    errno.ECONNRESET: "the connection was cut",
    errno.EPIPE: "the connection was cut",
}


def host_of(url: str) -> str:
    """The host of a URL, with its port if it names one."""
    return one_line(urlsplit(url).netloc.rpartition("@")[2] or url, TEXT_CHARS_MAX)


def cannot_reach(url: str, error: BaseException, offline: str = OFFLINE) -> str:
    """One sentence about a failed connection.

    Args:
        url: URL of the connection.
        error: Error of the system or a library; its causes are examined, too.
        offline: The remedy without a network.
    """
    return f"cannot reach {host_of(url)}: {_cause(error)}; {_remedy(url, error, offline)}"


def unexpected_status(url: str, status: int, until: datetime | None = None) -> str:
    """One sentence about a venue that answers with an error status.

    Args:
        url: URL of the connection.
        status: HTTP status.
        until: Wall time before which the venue must not be asked; None if that is soon.
    """
    if until is None:
        return f"{host_of(url)} answered {status}; {REFUSED}; {RETRYING}"
    at = f"{until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{host_of(url)} answered {status}: it asks for no requests before {at}; {AGAIN_THEN}"


def undocumented_answer(url: str, detail: str) -> str:
    """One sentence about a venue whose answer cannot be used.

    Args:
        url: URL of the connection.
        detail: What is wrong with the answer.
    """
    words = one_line(detail, TEXT_CHARS_MAX)
    return f"{host_of(url)} did not answer as the venue documents: {words}; {CHECK_URL}"


def _cause(error: BaseException) -> str:
    for one in _nested(error):
        if isinstance(one, socket.gaierror):
            return "its name is not known"
        if isinstance(one, ssl.SSLError):
            reason = getattr(one, "verify_message", "") or getattr(one, "reason", "") or str(one)
            return f"its certificate is not trusted: {one_line(reason, TEXT_CHARS_MAX)}"
        if isinstance(one, TimeoutError) or "Timeout" in type(one).__name__:
            return TIMED_OUT
        if isinstance(one, OSError) and one.errno in _SYSTEM:
            return _SYSTEM[one.errno]
    return one_line(str(error), TEXT_CHARS_MAX) or type(error).__name__


def _remedy(url: str, error: BaseException, offline: str) -> str:
    if urlsplit(url).hostname in LOOPBACK:
        return NO_EXCHANGE
    if any(isinstance(one, ssl.SSLError) for one in _nested(error)):
        return NOT_TRUSTED
    return offline


def _nested(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, innermost first."""
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
