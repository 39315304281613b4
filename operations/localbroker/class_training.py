"""Creates the class archive of the broker: starts one broker for it and stops it again."""

import shutil
from pathlib import Path

from arena.progress import Progress, Step, no_progress
from operations.localbroker.broker import LocalBroker
from operations.localbroker.cache import cache_root, ensure_entry
from operations.localbroker.class_archive import ARCHIVE_NAME, archive_entry
from operations.localbroker.jar_lock import load_lock
from operations.localbroker.jars import ensure_jars
from operations.localbroker.java import ensure_java

ARCHIVE_BYTES = 100_000_000
ATTEMPTS = 2
"""A broker that is killed because it takes too long to stop leaves no archive."""
STEP = "Kafka's class archive"


def ensure_class_archive(*, cache: Path | None = None, progress: Progress = no_progress) -> Path:
    """Return the cache entry with the archive; create it first if it is missing (5 s).

    Some Java runtimes cannot write an archive; their entry is empty, and brokers start without it.

    Raises:
        DependencyMissing: The cache cannot be written, or the broker does not start.
    """
    lock = load_lock()
    ensure_jars(lock, cache=cache, progress=progress)
    java = ensure_java(cache=cache, progress=progress)

    def build(staging: Path) -> None:
        progress(Step(STEP, "starting a broker to see which classes it loads"))
        archive = staging / ARCHIVE_NAME
        for _ in range(ATTEMPTS):
            home = staging / "home"
            with LocalBroker(
                home, port=0, cache=cache, allow_fallback=False, dump_classes=archive
            ) as broker:
                broker.start()
            shutil.rmtree(home)
            if archive.exists():
                break
        size = f"{archive.stat().st_size / 1e6:.0f} MB" if archive.exists() else "not supported"
        progress(Step(STEP, size, finished=True))

    return ensure_entry(
        cache or cache_root(),
        archive_entry(java, lock, cache),
        is_complete=Path.is_dir,
        build=build,
        needed_bytes=ARCHIVE_BYTES,
        progress=progress,
    )
