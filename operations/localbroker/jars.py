"""The broker's jars in the cache: published by one rename, checked at every start.

Reads the lock; writes one cache entry `kafka-<version>-<lock digest>` with `jars/` and a stamp:
each file's size and modification time. With the stamp, the check of every later start is quick (47
`stat` calls); `verify_jars` reads every byte again.
"""

import json
from pathlib import Path

from arena.progress import Progress, no_progress
from operations.localbroker.cache import cache_root, ensure_entry
from operations.localbroker.errors import FileRefused
from operations.localbroker.fetch import Fetcher, check_jar, fetch_jars, fetch_with_jgo
from operations.localbroker.jar_lock import KafkaLock

STAMP_NAME = "stamp.json"


def ensure_jars(
    lock: KafkaLock,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
    fetcher: Fetcher | None = None,
) -> Path:
    """Return the directory with exactly the jars of `lock`; fetch them first if they are missing.

    Raises:
        FileRefused: A jar, fetched or cached, is truncated or altered; the error names it.
        FetchFailed: A jar could not be fetched.
        DependencyMissing: The cache cannot be written.
    """
    root = cache or cache_root()
    entry = ensure_entry(
        root,
        entry_name(lock),
        is_complete=lambda path: _is_trusted(lock, path),
        build=lambda staging: _build(lock, staging, fetcher or fetch_with_jgo, progress),
        needed_bytes=3 * lock.size_bytes,
        progress=progress,
    )
    return entry / "jars"


def entry_name(lock: KafkaLock) -> str:
    """Return the name of the cache entry: another lock has another entry."""
    return f"kafka-{lock.kafka_version}-{lock.digest}"


def jars_directory(lock: KafkaLock, cache: Path) -> Path:
    """Return the folder of the jars of `lock`, fetched or not."""
    return cache / entry_name(lock) / "jars"


def verify_jars(lock: KafkaLock, directory: Path) -> None:
    """Read every byte of every jar, and refuse files that are not in the lock.

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


def _build(lock: KafkaLock, staging: Path, fetcher: Fetcher, progress: Progress) -> None:
    fetch_jars(lock, staging, fetcher, progress)
    (staging / STAMP_NAME).write_text(json.dumps(_stamp(lock, staging / "jars")))


def _stamp(lock: KafkaLock, directory: Path) -> dict[str, list[int]]:
    stats = {jar.file_name: (directory / jar.file_name).stat() for jar in lock.jars}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _is_trusted(lock: KafkaLock, entry: Path) -> bool:
    """True for an entry with the lock's files; False if there is no entry yet.

    If the stamp does not match, every byte is read: a cache that was copied gets a new stamp, one
    that was altered is refused. Altered files are never replaced silently.
    """
    if not entry.exists():
        return False
    if not _stamp_matches(lock, entry):
        verify_jars(lock, entry / "jars")
        (entry / STAMP_NAME).write_text(json.dumps(_stamp(lock, entry / "jars")))
    return True


def _stamp_matches(lock: KafkaLock, entry: Path) -> bool:
    """True if the entry has exactly the lock's files, unchanged since they were checked."""
    try:
        expected = json.loads((entry / STAMP_NAME).read_text())
        names = {path.name for path in (entry / "jars").iterdir()}
        return names == set(expected) and expected == _stamp(lock, entry / "jars")
    except (OSError, ValueError, TypeError):
        return False
