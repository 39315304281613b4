"""The lock under which the brokers of a home are started: one start at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.errors import DependencyMissing
from arena.progress import Progress
from operations.localbroker.cache import exclusive
from operations.processes.stop_signals import terminate_as_interrupt

LOCK_NAME = "start.lock"


@contextmanager
def start_lock(root: Path, started: str, progress: Progress) -> Iterator[None]:
    """Hold the start lock of a folder, which is created if it is missing.

    Within the block SIGTERM and SIGHUP raise an exception, so that a start cleans up.

    Args:
        root: The folder of the home's brokers.
        started: What is started, for errors: "a broker".
        progress: Called while another process holds the lock.

    Raises:
        DependencyMissing: The folder cannot be written, or the lock was not released in time.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with terminate_as_interrupt(), exclusive(root / LOCK_NAME, "broker", progress):
            yield
    except BrokenPipeError:
        raise  # the reader of the progress output has closed the pipe; the disk is fine
    except OSError as error:
        raise DependencyMissing(
            f"cannot start {started} in {root}: {error.strerror or error}",
            remedy="free some space, or point ARENA_HOME at a directory that can be written",
        ) from error
