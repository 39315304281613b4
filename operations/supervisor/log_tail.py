"""The last lines of a process's log file."""

from pathlib import Path

LOG_TAIL_LINES = 5
LOG_TAIL_BYTES = 4_000
LAST_LINE_CHARS_MAX = 300
LAST_LINE_LEAD = "; its last line: "


def last_line_clause(path: Path) -> str:
    """The line by which a process says why it ended; a JSON log line is left out."""
    line = log_tail(path).rpartition("\n")[2]
    return (
        "" if not line or line.startswith("{") else f"{LAST_LINE_LEAD}{line[:LAST_LINE_CHARS_MAX]}"
    )


def log_tail(path: Path) -> str:
    """Return the last lines of a log file; "" if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(lines[-LOG_TAIL_LINES:])
