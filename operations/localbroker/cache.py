"""The cache folder that all projects share: jars, a Java runtime, the fallback broker.

An entry is built in a staging directory beside its final place and moved there by one rename,
under a lock that the kernel releases with the process. So a reader sees a complete entry or none,
also after an interruption, and two starts at the same time fetch once.
"""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from arena.errors import DependencyMissing
from arena.progress import Progress, Step

LOCK_DEADLINE_S = 900.0
LOCK_POLL_S = 0.1
STAGING_PREFIX = ".staging-"


def cache_root(environ: Mapping[str, str] | None = None) -> Path:
    """Return `$ARENA_CACHE`, else `$XDG_CACHE_HOME/arena`, else `~/.cache/arena`."""
    env = os.environ if environ is None else environ
    if own := env.get("ARENA_CACHE"):
        return Path(own).expanduser()
    if shared := env.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "arena"
    return Path.home() / ".cache" / "arena"


def ensure_entry(
    root: Path,
    name: str,
    *,
    is_complete: Callable[[Path], bool],
    build: Callable[[Path], None],
    needed_bytes: int,
    progress: Progress,
) -> Path:
    """Return the entry `root/name`; build it first if it is missing or damaged.

    Args:
        root: The cache directory; created if it is missing.
        name: The entry's directory name; it has the version, so entries never change.
        is_complete: Quick check of an existing entry.
        build: Fills an empty directory; if it raises, nothing is left.
        needed_bytes: Free space that the build needs.
        progress: Called while another process holds the lock.

    Raises:
        DependencyMissing: The disk is full or not writable, or the lock was not released.
    """
    entry = root / name
    if is_complete(entry):
        return entry
    try:
        root.mkdir(parents=True, exist_ok=True)
        with exclusive(root / f"{name}.lock", name, progress):
            if is_complete(entry):
                return entry
            require_space(root, needed_bytes)
            with _staging(root, name) as staging:
                build(staging)
                if entry.exists():
                    shutil.rmtree(entry)
                staging.rename(entry)
    except OSError as error:
        raise DependencyMissing(
            f"cannot write the cache {entry}: {error.strerror or error}",
            remedy="free some space, or point ARENA_CACHE at a directory that can be written",
        ) from error
    return entry


def require_space(directory: Path, needed_bytes: int) -> None:
    """Require free disk space before something is written.

    Raises:
        DependencyMissing: Less than `needed_bytes` are free.
    """
    free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise DependencyMissing(
            f"{directory} has {free / 1e6:.0f} MB free, {needed_bytes / 1e6:.0f} MB are needed",
            remedy="free some space, or point ARENA_CACHE and ARENA_HOME at another disk",
        )


@contextmanager
def exclusive(path: Path, name: str, progress: Progress) -> Iterator[None]:
    """Hold the lock file `path` for `name`; wait up to `LOCK_DEADLINE_S` for another process.

    Raises:
        DependencyMissing: The other process did not release the lock in time.
    """
    deadline = time.monotonic() + LOCK_DEADLINE_S
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not _try_lock(handle):
            if time.monotonic() > deadline:
                raise DependencyMissing(
                    f"another process has been using {name} for {LOCK_DEADLINE_S:.0f} s",
                    remedy=f"end the process that holds {path}, then try again",
                )
            progress(Step(name, "waiting: another process is using it"))
            time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    import fcntl  # missing on Windows, where the rest of the package still imports

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


@contextmanager
def _staging(root: Path, name: str) -> Iterator[Path]:
    """Yield an empty directory, and remove it afterwards unless it was renamed.

    First removes what a killed process left for the same entry. The caller holds the lock.
    """
    for stale in root.glob(f"{STAGING_PREFIX}{name}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f"{STAGING_PREFIX}{name}-", dir=root))
    staging.chmod(0o755)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
