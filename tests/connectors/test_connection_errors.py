"""Messages about venues that cannot be reached."""

import errno
import socket
import ssl
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from connectors.market.connection_errors import (
    NO_EXCHANGE,
    NOT_TRUSTED,
    OFFLINE,
    OFFLINE_REST,
    cannot_reach,
    host_of,
    undocumented_answer,
    unexpected_status,
)

VENUE = "wss://ws-feed.exchange.coinbase.com"
HOST = "ws-feed.exchange.coinbase.com"


def wrapped(cause: BaseException) -> BaseException:
    """The error of a library that was raised from another error."""
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = cause
    return error


UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed")
CASES = [
    (UNKNOWN, f"cannot reach {HOST}: its name is not known; {OFFLINE}"),
    (wrapped(UNKNOWN), f"cannot reach {HOST}: its name is not known; {OFFLINE}"),
    (
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        f"cannot reach {HOST}: the connection was refused; {OFFLINE}",
    ),
    (
        OSError(errno.ENETUNREACH, "x"),
        f"cannot reach {HOST}: the network is unreachable; {OFFLINE}",
    ),
    (TimeoutError(), f"cannot reach {HOST}: no answer in time; {OFFLINE}"),
    (httpx.ReadTimeout(""), f"cannot reach {HOST}: no answer in time; {OFFLINE}"),
    (ValueError("odd\nwords"), f"cannot reach {HOST}: odd words; {OFFLINE}"),
    (
        ExceptionGroup("all", [UNKNOWN]),
        f"cannot reach {HOST}: its name is not known; {OFFLINE}",
    ),
]


@pytest.mark.parametrize(("error", "text"), CASES)
def test_message_names_cause_and_remedy(error: BaseException, text: str) -> None:
    """It does so for errors of every library, without names of Python classes."""
    assert text == cannot_reach(VENUE, error)


def test_other_remedies() -> None:
    """Certificates, the simulated exchange and refusals have remedies of their own."""
    assert cannot_reach(VENUE, wrapped(CERTIFICATE)).endswith(f"; {NOT_TRUSTED}")
    assert "its certificate is not trusted" in cannot_reach(VENUE, CERTIFICATE)
    assert cannot_reach("ws://127.0.0.1:8765", UNKNOWN).endswith(f"; {NO_EXCHANGE}")
    assert cannot_reach(VENUE, UNKNOWN, OFFLINE_REST).endswith(f"; {OFFLINE_REST}")
    assert f"{HOST} did not answer as the venue documents: odd words; check --rest-url" in (
        undocumented_answer(VENUE, "odd\nwords")
    )
    assert unexpected_status(VENUE, 403).startswith(f"{HOST} answered 403; the venue refuses")
    until = datetime(2026, 11, 21, 20, 0, tzinfo=timezone(timedelta(hours=1)))
    assert (
        f"{HOST} answered 418: it asks for no requests before 2026-11-21 19:00:00 UTC;"
        " trying again then"
    ) == unexpected_status(VENUE, 418, until)


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://me:secret@h.example:8443/x", "h.example:8443"), ("odd", "odd"), ("ws://h", "h")],
)
def test_host_is_shown_without_secrets(url: str, host: str) -> None:
    """A password in a URL is not shown."""
    assert host == host_of(url)
