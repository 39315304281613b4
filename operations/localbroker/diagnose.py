"""Finds in a broker's log why it ended, and the remedy.

Pure, except `read_tail`, which reads the end of a log file.
"""

from dataclasses import dataclass
from pathlib import Path

from arena.errors import DependencyMissing

TAIL_LINES = 8
TAIL_BYTES = 64_000
LINE_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class _Cause:
    sign: str
    message: str
    remedy: str


CAUSES = (
    _Cause(
        "No space left on device",
        "the disk that holds {data_dir} is full",
        "free some space, or point ARENA_HOME at another disk; nothing acknowledged was lost",
    ),
    _Cause(
        "Address already in use",
        "another process took {bootstrap} while the broker was starting",
        "try again, with --port 0 for any free port",
    ),
    _Cause(
        "Failed to acquire lock",
        "another broker is using {data_dir}",
        "stop it with: arena broker stop; or point ARENA_HOME at another directory",
    ),
    _Cause(
        "Invalid cluster.id",
        "{data_dir} belongs to another cluster",
        "move that directory away; the next start makes a new one",
    ),
    _Cause(
        "OutOfMemoryError",
        "the broker ran out of its 256 MB of heap, or the machine out of memory",
        "end other processes on this machine, then try again",
    ),
    _Cause(
        "UnsupportedClassVersionError",
        "the Java that was found is too old for this Kafka",
        "install Java 17 or newer, or unset JAVA_HOME",
    ),
)


def find_cause(log_text: str) -> tuple[str, str] | None:
    """Return the cause in a log and its remedy; None if the log has no known sign.

    Both texts may hold the fields `{data_dir}` and `{bootstrap}`.
    """
    for cause in CAUSES:
        if cause.sign in log_text:
            return cause.message, cause.remedy
    return None


def explain_exit(
    log_text: str, *, exit_code: int | None, bootstrap: str, data_dir: str, log_file: str
) -> DependencyMissing:
    """Return the error for a broker that ended before it was ready.

    Args:
        log_text: What it wrote to its log since its start.
        exit_code: Its exit code; negative for a signal.
        bootstrap: The address it should have served.
        data_dir: The folder of its topics.
        log_file: The file with the whole log.
    """
    if (cause := find_cause(log_text)) is not None:
        message, remedy = (text.format(bootstrap=bootstrap, data_dir=data_dir) for text in cause)
        return DependencyMissing(
            f"the local broker did not start: {message}", remedy=f"{remedy} (log: {log_file})"
        )
    tail = [line[:LINE_CHARACTERS_MAX] for line in log_text.splitlines() if line.strip()]
    shown = "\n  ".join(tail[-TAIL_LINES:]) or "nothing"
    return DependencyMissing(
        f"the local broker ended with code {exit_code} before it was ready; it wrote:\n  {shown}\n",
        remedy=f"read {log_file}",
    )


def read_tail(path: Path, start: int = 0) -> str:
    """Return what was added to a file after its first `start` bytes, at most `TAIL_BYTES`."""
    if not path.exists():
        return ""
    size = path.stat().st_size
    # A file that is shorter than before was rotated: all of it is new.
    begin = max(start if start <= size else 0, size - TAIL_BYTES)
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(TAIL_BYTES).decode(errors="replace")
