"""One broker for all workers of a test session; the process that controls them starts it.

Workers of pytest-xdist ask for it over a socket on loopback. It is started for the first worker
that asks, and stopped when the session ends, whatever happens to the workers.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from threading import Thread

LOOPBACK = "127.0.0.1"
KEY_BYTES = 32
WAITING_MAX = 16
"""Workers that may wait for an answer at the same time."""
ASK, CLOSE = "ask", "close"

Location = tuple[str, int, bytes]
"""Host, port and key: what a worker needs to ask."""


class BrokerNotStarted(Exception):
    """The session's broker was not started; the text is that of the error."""


@dataclass(frozen=True)
class Answer:
    """The bootstrap servers of the session's broker, or the error of its start."""

    bootstrap: str = ""
    error: str = ""


class SharedBroker:
    """Starts a broker when it is first asked for, and gives its address to all who ask."""

    def __init__(self, start: Callable[[], AbstractContextManager[str]]) -> None:
        """Listen for requests.

        Args:
            start: Returns a context manager that starts a broker, yields its bootstrap servers,
                and stops it. It is entered at most once, in another thread.
        """
        self._start = start
        self._key = os.urandom(KEY_BYTES)
        self._listener = Listener((LOOPBACK, 0), backlog=WAITING_MAX, authkey=self._key)
        self._thread = Thread(target=self._serve, name="shared-broker", daemon=True)
        self._thread.start()

    @property
    def location(self) -> Location:
        """What `ask_for_broker` needs."""
        _, port = self._listener.address
        return LOOPBACK, port, self._key

    def close(self) -> None:
        """Stop the broker if it was started, and listen no longer."""
        _request(self.location, CLOSE)
        self._thread.join()

    def _serve(self) -> None:
        answer: Answer | None = None
        with self._listener, ExitStack() as running:
            while True:
                try:
                    with self._listener.accept() as worker:
                        if worker.recv() == CLOSE:
                            break
                        answer = answer or self._start_in(running)
                        worker.send((answer.bootstrap, answer.error))
                except (AuthenticationError, EOFError, OSError):
                    continue  # the worker was killed while it asked

    def _start_in(self, running: ExitStack) -> Answer:
        try:
            return Answer(bootstrap=running.enter_context(self._start()))
        except Exception as error:  # every worker reports it
            return Answer(error=f"{type(error).__name__}: {error}")


def ask_for_broker(location: Location) -> str:
    """Return the bootstrap servers of the session's broker, after its start.

    Raises:
        BrokerNotStarted: It could not be started.
    """
    with _request(location, ASK) as controller:
        bootstrap, error = controller.recv()
    if error:
        raise BrokerNotStarted(error)
    return str(bootstrap)


def _request(location: Location, request: str) -> Connection:
    host, port, key = location
    connection = Client((host, port), authkey=key)
    connection.send(request)
    return connection
