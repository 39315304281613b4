"""Open connections are bounded in number, and may not wait forever."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from dashboard.web import connections
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.live_server import live_arena

DEADLINE_S = 20.0
CHECK_S = 0.2
WHOLE = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
HALVES = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\ntoken=",
)
EVENTS = b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@contextlib.contextmanager
def connected(port: int, sent: bytes = b"") -> Iterator[socket.socket]:
    """A connection on which something was sent."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as found:
        found.sendall(sent)
        yield found


def is_open(one: socket.socket) -> bool:
    """Whether the server has not closed a connection."""
    one.setblocking(False)
    try:
        return one.recv(1 << 20) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_half_requests_are_cut_and_streams_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a few clients would use up all file descriptors."""
    monkeypatch.setattr(connections, "CHECK_S", CHECK_S)
    with live_arena(Scenario().run(1)) as served, contextlib.ExitStack() as stack:
        port = int(served.url.rpartition(":")[2])
        stream = stack.enter_context(connected(port, EVENTS))
        halves = [stack.enter_context(connected(port, sent)) for sent in HALVES]
        deadline = time.monotonic() + DEADLINE_S
        while any(is_open(one) for one in halves):
            assert time.monotonic() < deadline
            time.sleep(CHECK_S / 4)

        assert is_open(stream)
        whole = stack.enter_context(connected(port, WHOLE))
        assert b"200 OK" in whole.recv(1 << 16)


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is closed at once; when one has ended, the next is served."""
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)
    with live_arena(Scenario().run(1)) as served:
        port = int(served.url.rpartition(":")[2])
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(connected(port, EVENTS)).recv(64)
            with connected(port) as more, contextlib.suppress(ConnectionError):
                assert b"" == more.recv(64)
        deadline = time.monotonic() + DEADLINE_S
        answer = b""
        while not answer:
            assert time.monotonic() < deadline
            with connected(port) as next_one, contextlib.suppress(ConnectionError):
                next_one.sendall(WHOLE)
                answer = next_one.recv(64)

    assert b"200 OK" in answer


def test_client_that_leaves_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Or anyone could fill the log."""
    with live_arena(Scenario().run(1)) as served:
        port = int(served.url.rpartition(":")[2])
        for _ in range(3):
            with connected(port, HALVES[-1]) as half:
                time.sleep(CHECK_S)
                half.shutdown(socket.SHUT_RDWR)
        with connected(port, WHOLE) as whole:
            assert b"200 OK" in whole.recv(1 << 16)

    assert "Exception in ASGI application" not in caplog.text
