"""The real Maven client and a loopback repository: complete, short, slow and interrupted."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from operations.localbroker import fetch as fetch_module
from operations.localbroker.errors import FetchFailed, FileRefused
from operations.localbroker.jar_lock import Jar, KafkaLock
from operations.localbroker.jars import ensure_jars
from tests.operations.localbroker.processes import enable_ctrl_c

CONTENT = bytes(range(256)) * 400
JAR = Jar("org.example:thing:1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
LOCK = KafkaLock("9.9.9", (JAR,))
DEADLINE_S = 20.0

INTERRUPTED_SCRIPT = """
import sys
from pathlib import Path
import jgo.maven._core as core
from operations.processes.stop_signals import terminate_as_interrupt
from operations.localbroker.jars import ensure_jars
from operations.localbroker.jar_lock import Jar, KafkaLock
core.DEFAULT_REMOTE_REPOS["central"] = sys.argv[1]
lock = KafkaLock("9.9.9", (Jar("org.example:thing:1.0", "0" * 64, 102400),))
with terminate_as_interrupt():
    ensure_jars(lock, cache=Path(sys.argv[2]))
"""


class Handler(BaseHTTPRequestHandler):
    """Serves `CONTENT` in the way that the server's `manner` selects."""

    server: "Repository"

    def do_GET(self) -> None:
        """Answer requests for every path that ends with .jar."""
        manner = self.server.manner
        if not self.path.endswith(".jar") or manner == "missing":
            self.send_error(404)
            return
        body = CONTENT[:1000] if manner == "short" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT if manner == "cut" else body)))
        self.end_headers()
        if manner == "cut":
            self.wfile.write(body[:1000])
        elif manner == "slow":
            self.wfile.write(body[:20_000])
            self.server.release.wait(DEADLINE_S)
        else:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Repository(ThreadingHTTPServer):
    """A Maven repository with one jar."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.manner = "whole"
        self.release = threading.Event()

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A repository that jgo uses as its default."""
    import jgo.maven._core as core

    server = Repository()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setitem(core.DEFAULT_REMOTE_REPOS, "central", server.address)
    monkeypatch.setattr(fetch_module, "RETRY_PAUSE_S", 0.0)
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def left_in(cache: Path) -> list[str]:
    """Return the entries of the cache, without lock files."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_complete_jar_is_published(tmp_path: Path, repository: Repository) -> None:
    """A jar fetched over HTTP is in the cache with its bytes."""
    directory = ensure_jars(LOCK, cache=tmp_path)

    assert CONTENT == (directory / "thing-1.0.jar").read_bytes()


def test_short_response_is_refused_by_name(tmp_path: Path, repository: Repository) -> None:
    """A file with fewer bytes than in the lock is refused with both sizes."""
    repository.manner = "short"

    with pytest.raises(FileRefused, match=r"thing-1\.0\.jar is truncated: .*102400.* 1000 bytes"):
        ensure_jars(LOCK, cache=tmp_path)

    assert [] == left_in(tmp_path)


@pytest.mark.parametrize("manner", ["cut", "missing"])
def test_broken_transfer_is_a_failed_fetch(
    tmp_path: Path, repository: Repository, manner: str
) -> None:
    """The error for a closed connection or a missing jar has the jar's name."""
    repository.manner = manner

    with pytest.raises(FetchFailed, match=r"thing-1\.0\.jar could not be fetched in 3 attempts"):
        ensure_jars(LOCK, cache=tmp_path)

    assert [] == left_in(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_during_a_download_leaves_nothing(
    tmp_path: Path, repository: Repository, number: signal.Signals
) -> None:
    """SIGTERM or Ctrl-C during a download ends the process soon and empties the cache."""
    repository.manner = "slow"
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_SCRIPT, repository.address, str(tmp_path)],
        stderr=subprocess.DEVNULL,
        preexec_fn=enable_ctrl_c,
    )
    deadline = time.monotonic() + DEADLINE_S
    while not any(path.stat().st_size for path in tmp_path.rglob("*.jar")):
        assert time.monotonic() < deadline, "the download did not begin"
        time.sleep(0.02)

    process.send_signal(number)
    process.wait(5)

    assert process.returncode != 0
    assert [] == left_in(tmp_path)
