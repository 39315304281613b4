"""Fetches jars in parallel and checks each against the lock before it is used.

Threads fetch and check; the calling thread moves files, reports progress, and decides when to give
up. The fetcher is an argument, so tests need no network; by default it is jgo's Maven client.
"""

import errno
import queue
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from arena.progress import Progress, Step
from operations.localbroker.errors import FetchFailed, FileRefused
from operations.localbroker.jar_lock import Jar, KafkaLock, sha256_of

PARALLEL_FETCHES = 8
ATTEMPTS_PER_JAR = 3
RETRY_PAUSE_S = 1.0
READ_TIMEOUT_S = 20
STALL_DEADLINE_S = 90.0
POLL_S = 0.1
MAVEN_DIR = "maven"
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
REFUSED_REMEDY = (
    "it was deleted; try again, and if the next one is the same, something between here and "
    "the Maven repository alters files: try another network"
)

OnBytes = Callable[[int], None]
Fetcher = Callable[[Jar, Path, OnBytes], Path]
"""Fetches one jar below the given directory and returns its path; reports bytes as they arrive.

Raises OSError or RuntimeError if the jar cannot be fetched. `on_bytes` raises `FetchCancelled` if
the jar is not needed any more; the fetcher must not catch it.
"""


class FetchCancelled(Exception):
    """The start was given up; raised in a fetching thread to end it."""


def fetch_jars(lock: KafkaLock, staging: Path, fetcher: Fetcher, progress: Progress) -> None:
    """Fetch every jar of `lock` into `staging/jars`, and check each.

    Raises:
        FileRefused: A jar is truncated or altered.
        FetchFailed: A jar could not be fetched, or nothing arrived for `STALL_DEADLINE_S`.
        OSError: The disk is full or cannot be written.
    """
    (staging / "jars").mkdir()
    _Fetch(lock, staging, fetcher, progress).run()
    shutil.rmtree(staging / MAVEN_DIR)


def check_jar(jar: Jar, path: Path, *, shown: str, remedy: str) -> None:
    """Compare one file with the lock, byte for byte.

    Args:
        jar: The entry in the lock.
        path: The file.
        shown: The name of the file in the error.
        remedy: The remedy in the error.

    Raises:
        FileRefused: The file is another one; the error has both digests.
    """
    found = sha256_of(path)
    if found == jar.sha256:
        return
    size_bytes = path.stat().st_size
    what = "is truncated" if size_bytes < jar.size_bytes else "is not the file in the lock"
    raise FileRefused(
        f"{shown} {what}: expected {jar.size_bytes} bytes with SHA-256 {jar.sha256}, "
        f"found {size_bytes} bytes with SHA-256 {found}",
        remedy=remedy,
    )


def fetch_with_jgo(jar: Jar, directory: Path, on_bytes: OnBytes) -> Path:
    """Fetch one jar with jgo's Maven client, below `directory`, not in the user's repository."""
    from jgo.maven import MavenContext, PythonResolver  # 0.2 s, only when needed

    @contextmanager
    def report(_name: str, _size: int):  # type: ignore[no-untyped-def]  # jgo's callback protocol
        yield on_bytes

    context = MavenContext(
        resolver=PythonResolver(progress_callback=report),
        repo_cache=directory,
        local_repos=[],
        timeout=READ_TIMEOUT_S,
    )
    artifact = context.create_dependency(jar.coordinate).artifact
    cached = artifact.cached_path
    if cached is not None:
        cached.unlink(missing_ok=True)
    path: Path = artifact.resolve()
    return path


class _Fetch:
    """One parallel fetch."""

    def __init__(
        self, lock: KafkaLock, staging: Path, fetcher: Fetcher, progress: Progress
    ) -> None:
        self._lock = lock
        self._staging = staging
        self._fetcher = fetcher
        self._progress = progress
        self._waiting: queue.SimpleQueue[Jar] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Jar, Path | Exception]] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        # Each thread writes only the entry of the jar it is fetching.
        self._arrived_bytes = {jar.coordinate: 0 for jar in lock.jars}

    def run(self) -> None:
        """Fetch all or raise; in either case the threads end soon.

        They are daemon threads: one that waits in a read must not delay the exit.
        """
        for jar in sorted(self._lock.jars, key=lambda jar: -jar.size_bytes):
            self._waiting.put(jar)
        threads = [
            threading.Thread(target=self._work, name=f"fetch-{n}", daemon=True)
            for n in range(PARALLEL_FETCHES)
        ]
        for thread in threads:
            thread.start()
        try:
            self._collect()
        finally:
            self._cancelled.set()
            for thread in threads:
                thread.join(timeout=2 * POLL_S)

    def _collect(self) -> None:
        arrived, seen_bytes, moved_at = 0, -1, time.monotonic()
        while arrived < len(self._lock.jars):
            try:
                jar, outcome = self._results.get(timeout=POLL_S)
            except queue.Empty:
                pass
            else:
                if isinstance(outcome, Exception):
                    raise outcome
                outcome.rename(self._staging / "jars" / jar.file_name)
                arrived += 1
            now_bytes = sum(self._arrived_bytes.values())
            if now_bytes != seen_bytes:
                seen_bytes, moved_at = now_bytes, time.monotonic()
            elif time.monotonic() - moved_at > STALL_DEADLINE_S:
                raise FetchFailed(
                    f"no byte of the broker's jars arrived for {STALL_DEADLINE_S:.0f} s",
                    remedy="check the network and any proxy, then try again",
                )
            self._report(arrived)

    def _report(self, arrived: int) -> None:
        count, total = len(self._lock.jars), self._lock.size_bytes
        done = min(sum(self._arrived_bytes.values()), total)
        finished = arrived == count
        detail = f"{arrived} of {count} files, {done / 1e6:.0f} of {total / 1e6:.0f} MB"
        if finished:
            detail = f"{count} files, {total / 1e6:.0f} MB, each checked against the lock"
        name = f"Apache Kafka {self._lock.kafka_version}"
        self._progress(Step(name, detail, done=done, total=total, finished=finished))

    def _work(self) -> None:
        while not self._cancelled.is_set():
            try:
                jar = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._results.put((jar, self._fetch_checked(jar)))
            except FetchCancelled:
                return
            except Exception as error:  # the boundary of a thread: `_collect` raises it again
                self._results.put((jar, error))
                return

    def _fetch_checked(self, jar: Jar) -> Path:
        def on_bytes(count: int) -> None:
            if self._cancelled.is_set():
                raise FetchCancelled
            self._arrived_bytes[jar.coordinate] += count

        for attempt in range(1, ATTEMPTS_PER_JAR + 1):
            self._arrived_bytes[jar.coordinate] = 0
            try:
                path = self._fetcher(jar, self._staging / MAVEN_DIR, on_bytes)
            except (OSError, RuntimeError) as error:
                if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                    raise
                if attempt == ATTEMPTS_PER_JAR:
                    raise _fetch_failed(jar, error) from error
                if self._cancelled.wait(RETRY_PAUSE_S * attempt):
                    raise FetchCancelled from error
            else:
                check_jar(jar, path, shown=jar.file_name, remedy=REFUSED_REMEDY)
                return path
        raise AssertionError("the last attempt returns or raises")


def _fetch_failed(jar: Jar, error: Exception) -> FetchFailed:
    kind = type(error).__name__
    remedy = "check the network and any proxy; or set KAFKA_BOOTSTRAP_SERVERS"
    if kind == "SSLError":
        remedy = "set REQUESTS_CA_BUNDLE to the certificates that your network uses"
    return FetchFailed(
        f"{jar.file_name} could not be fetched in {ATTEMPTS_PER_JAR} attempts ({kind})",
        remedy=remedy,
    )
