"""Receivers of alerts on this machine: a web hook, and a mail server."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEADLINE_S = 60.0


class WebHook:
    """A web hook that records what it receives.

    Attributes:
        bodies: The JSON bodies of confirmed messages, in order.
        requests: Paths of all requests.
        status: Status of the answers, as a function of path and number of the request from 1.
        hang: Requests to a path that contains "hang" are answered when this is set.
    """

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.bodies: list[dict[str, Any]] = []  # Any: JSON
        self.requests: list[str] = []
        self.status: Callable[[str, int], int] = lambda path, number: 200
        self.hang = threading.Event()
        self.changed = threading.Condition()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with hook.changed:
                    hook.requests.append(self.path)
                    status = hook.status(self.path, len(hook.requests))
                    hook.changed.notify_all()
                if "hang" in self.path:
                    hook.hang.wait(DEADLINE_S)
                if status < 300:
                    with hook.changed:
                        hook.bodies.append(body)
                        hook.changed.notify_all()
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port

    def url(self, path: str = "hook") -> str:
        """The address of the hook in Apprise's form."""
        return f"json://127.0.0.1:{self.port}/{path}"

    @property
    def texts(self) -> list[str]:
        """The texts of confirmed messages."""
        return [body["message"] for body in self.bodies]

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until a condition on the requests holds."""
        with self.changed:
            assert self.changed.wait_for(ready, DEADLINE_S), (self.requests, self.texts)


@contextmanager
def web_hook() -> Iterator[WebHook]:
    """A running web hook."""
    hook = WebHook()
    thread = threading.Thread(target=hook.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.hang.set()
        hook.server.shutdown()
        hook.server.server_close()
        thread.join()


class _MailHandler(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to deliver a message."""

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self._say("354 go")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part)
                self.server.mails.append(b"".join(lines))  # type: ignore[attr-defined]  # ours
            self._say("221 bye" if line.upper() == "QUIT" else "250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server that keeps mails as bytes."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.mails: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _MailHandler)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A running mail server."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
