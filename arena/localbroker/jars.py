"""The broker's jars: fetched side by side, each checked against the lock, published at once.

Reads the lock; writes one cache entry `kafka-<version>-<lock digest>` that holds `jars/` and a
stamp with each file's size and modification time. The stamp makes the check of every later
start cheap (47 `stat` calls); `verify_jars` reads every byte again.
"""

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
        FileRefused: A fetched jar is truncated or altered; it is named.
        FetchFailed: A jar could not be fetched.
        DependencyMissing: The cache cannot be written.
    """
    root = cache or cache_root()
    entry = ensure_entry(
        root,
        entry_name(lock),
        is_whole=lambda path: _stamp_matches(lock, path),
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


def check_jar(jar: Jar, path: Path) -> None:
    """Compare one file with the lock, byte for byte.

    Raises:
        FileRefused: With the jar's name, what was expected, what was found, and the remedy.
    """
    remedy = (
        "it was not used; delete the file and try again, and if it comes back the same, "
        "something between here and the Maven repository alters files"
    )
    size = path.stat().st_size
    if size < jar.size_bytes:
        raise FileRefused(
            f"{path} is truncated: {size} bytes, the lock says {jar.size_bytes} "
            f"(SHA-256 {jar.sha256}, found {sha256_of(path)})",
            remedy=remedy,
        )
    found = sha256_of(path)
    if found != jar.sha256:
        raise FileRefused(
            f"{path} is not the file in the lock: expected SHA-256 {jar.sha256} "
            f"({jar.size_bytes} bytes), found {found} ({size} bytes)",
            remedy=remedy,
        )


def verify_jars(lock: KafkaLock, directory: Path) -> None:
    """Read every byte of every jar, and refuse files the lock does not know.

    Raises:
        FileRefused: A jar is missing, truncated, altered, or not in the lock.
    """
    if not directory.is_dir():
        raise FileRefused(f"{directory} is missing", remedy="arena broker start fetches it")
    known = {jar.file_name for jar in lock.jars}
    for path in sorted(directory.iterdir()):
        if path.name not in known:
            raise FileRefused(
                f"{path} is not in the lock", remedy="delete it: everything there would be run"
            )
    for jar in lock.jars:
        path = directory / jar.file_name
        if not path.is_file():
            raise FileRefused(f"{path} is missing", remedy="arena broker start fetches it")
        check_jar(jar, path)


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


def _stamp_matches(lock: KafkaLock, entry: Path) -> bool:
    """True when the entry holds exactly the lock's files, untouched since they were checked."""
    try:
        expected = json.loads((entry / STAMP_NAME).read_text())
        names = {path.name for path in (entry / "jars").iterdir()}
        sizes_fit = all(expected[jar.file_name][0] == jar.size_bytes for jar in lock.jars)
        return sizes_fit and names == set(expected) and expected == _stamp(lock, entry / "jars")
    except (OSError, ValueError, KeyError, TypeError, IndexError):
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
        self._fetched_bytes = 0
        self._count = threading.Lock()

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
            if self._fetched_bytes != seen_bytes:
                seen_bytes, moved_at = self._fetched_bytes, time.monotonic()
            elif time.monotonic() - moved_at > STALL_DEADLINE_S:
                raise FetchFailed(
                    f"no byte of the broker's jars arrived for {STALL_DEADLINE_S:.0f} s",
                    remedy="check the network and any proxy, then try again",
                )
            self._report(arrived)

    def _report(self, arrived: int) -> None:
        count, total = len(self._lock.jars), self._lock.size_bytes
        done = min(self._fetched_bytes, total)
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
            except (FetchFailed, FileRefused) as error:
                self._results.put((jar, error))
                return

    def _fetch_checked(self, jar: Jar) -> Path:
        for attempt in range(1, ATTEMPTS_PER_JAR + 1):
            before = self._fetched_bytes
            try:
                path = self._fetcher(jar, self._staging / MAVEN_DIR, self._on_bytes)
            except (OSError, RuntimeError) as error:
                if attempt == ATTEMPTS_PER_JAR:
                    raise FetchFailed(
                        f"{jar.file_name} could not be fetched in {attempt} attempts "
                        f"({type(error).__name__})",
                        remedy="check the network and any proxy; or set KAFKA_BOOTSTRAP_SERVERS",
                    ) from error
                self._uncount(before)
                if self._cancelled.wait(RETRY_PAUSE_S * attempt):
                    raise FetchCancelled from error
            else:
                check_jar(jar, path)
                return path
        raise AssertionError("the last attempt returns or raises")

    def _on_bytes(self, count: int) -> None:
        if self._cancelled.is_set():
            raise FetchCancelled
        with self._count:
            self._fetched_bytes += count

    def _uncount(self, before: int) -> None:
        with self._count:
            self._fetched_bytes = min(self._fetched_bytes, before)
