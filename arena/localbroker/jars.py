"""The broker's jars: fetched side by side, each checked against the lock, published at once.

Reads the lock; writes one cache entry `kafka-<version>-<lock digest>` that holds `jars/` and a
stamp with each file's size and modification time. The stamp makes the check of every later
start cheap (47 `stat` calls); `verify_jars` reads every byte again.
"""

import errno
import json
import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from arena.localbroker.cache import cache_root, ensure_entry
from arena.localbroker.errors import FetchFailed, FileRefused
from arena.localbroker.lock import Jar, KafkaLock, sha256_of
from arena.localbroker.progress import Progress, Step, no_progress

PARALLEL_FETCHES = 8
ATTEMPTS_PER_JAR = 3
RETRY_PAUSE_S = 1.0
READ_TIMEOUT_S = 20
STALL_DEADLINE_S = 90.0
POLL_S = 0.1
STAMP_NAME = "stamp.json"
MAVEN_DIR = "maven"
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
REFUSED_FETCH_REMEDY = (
    "it was thrown away; try again, and if it comes back the same, something between here and "
    "the Maven repository alters files: try another network"
)

OnBytes = Callable[[int], None]
Fetcher = Callable[[Jar, Path, OnBytes], Path]
"""Fetches one jar below the given directory and returns where it lies; tells bytes as they come.

Raises OSError or RuntimeError where the jar cannot be had. `on_bytes` raises `FetchCancelled`
once nobody wants the jar any more; the fetcher lets it pass.
"""


class FetchCancelled(Exception):
    """The starter gave up; raised inside a fetching thread to end it."""


def ensure_jars(
    lock: KafkaLock,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
    fetcher: Fetcher | None = None,
) -> Path:
    """The directory with exactly the jars of `lock`, fetched first where it is missing.

    Raises:
        FileRefused: A jar, fetched now or cached, is truncated or altered; it is named.
        FetchFailed: A jar could not be fetched.
        DependencyMissing: The cache cannot be written.
    """
    root = cache or cache_root()
    entry = ensure_entry(
        root,
        entry_name(lock),
        is_whole=lambda path: _is_trusted(lock, path),
        build=lambda staging: _build(lock, staging, fetcher or fetch_with_jgo, progress),
        needed_bytes=3 * lock.size_bytes,
        progress=progress,
    )
    return entry / "jars"


def entry_name(lock: KafkaLock) -> str:
    """The cache entry's name: another lock is another entry."""
    return f"kafka-{lock.kafka_version}-{lock.digest}"


def jars_directory(lock: KafkaLock, cache: Path) -> Path:
    """Where the jars of `lock` lie once they are fetched."""
    return cache / entry_name(lock) / "jars"


def check_jar(jar: Jar, path: Path, *, shown: str, remedy: str) -> None:
    """Compare one file with the lock, byte for byte.

    Args:
        jar: What the lock says.
        path: The file.
        shown: What to call the file in the error.
        remedy: What to do about it.

    Raises:
        FileRefused: With what was expected, what was found, and the remedy.
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


def verify_jars(lock: KafkaLock, directory: Path) -> None:
    """Read every byte of every jar, and refuse files the lock does not know.

    Raises:
        FileRefused: A jar is missing, truncated, altered, or not in the lock.
    """
    if not directory.is_dir():
        raise FileRefused(f"{directory} is missing", remedy="arena broker start fetches it")
    remedy = f"delete {directory.parent}; arena broker start fetches the jars again"
    known = {jar.file_name for jar in lock.jars}
    for path in sorted(directory.iterdir()):
        if path.name not in known:
            raise FileRefused(f"{path} is not in the lock and would be run", remedy=remedy)
    for jar in lock.jars:
        path = directory / jar.file_name
        if not path.is_file():
            raise FileRefused(f"{path} is missing", remedy=remedy)
        check_jar(jar, path, shown=str(path), remedy=remedy)


def fetch_with_jgo(jar: Jar, directory: Path, on_bytes: OnBytes) -> Path:
    """Fetch one jar with jgo's Maven client, below `directory`, not in the user's repository."""
    from contextlib import contextmanager

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


def _build(lock: KafkaLock, staging: Path, fetcher: Fetcher, progress: Progress) -> None:
    (staging / "jars").mkdir()
    _Fetch(lock, staging, fetcher, progress).run()
    shutil.rmtree(staging / MAVEN_DIR)
    (staging / STAMP_NAME).write_text(json.dumps(_stamp(lock, staging / "jars")))


def _stamp(lock: KafkaLock, directory: Path) -> dict[str, list[int]]:
    stats = {jar.file_name: (directory / jar.file_name).stat() for jar in lock.jars}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _is_trusted(lock: KafkaLock, entry: Path) -> bool:
    """True for an entry that holds the lock's files; False where there is none yet.

    A stamp that does not fit asks for every byte to be read: a cache that was copied is stamped
    anew, one that was altered is refused. Nothing that was tampered with is quietly replaced.
    """
    if not entry.exists():
        return False
    if not _stamp_matches(lock, entry):
        verify_jars(lock, entry / "jars")
        (entry / STAMP_NAME).write_text(json.dumps(_stamp(lock, entry / "jars")))
    return True


def _stamp_matches(lock: KafkaLock, entry: Path) -> bool:
    """True when the entry holds exactly the lock's files, untouched since they were checked."""
    try:
        expected = json.loads((entry / STAMP_NAME).read_text())
        names = {path.name for path in (entry / "jars").iterdir()}
        return names == set(expected) and expected == _stamp(lock, entry / "jars")
    except (OSError, ValueError, TypeError):
        return False


class _Fetch:
    """One parallel fetch. Threads fetch and check; the calling thread moves files and reports."""

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
        """Fetch all or raise; in either case no thread goes on working for long.

        The threads are daemons: one that is stuck in a read must not hold up the exit.
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
                    raise FetchFailed(
                        f"{jar.file_name} could not be fetched in {attempt} attempts "
                        f"({type(error).__name__})",
                        remedy="check the network and any proxy; or set KAFKA_BOOTSTRAP_SERVERS",
                    ) from error
                if self._cancelled.wait(RETRY_PAUSE_S * attempt):
                    raise FetchCancelled from error
            else:
                check_jar(jar, path, shown=jar.file_name, remedy=REFUSED_FETCH_REMEDY)
                return path
        raise AssertionError("the last attempt returns or raises")
