"""The progress line of the commands that ask a chat node: answers so far."""

import sys


def show_progress(done: int, total: int) -> None:
    """One line that is written over, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total} answers")
        sys.stderr.flush()


def end_progress() -> None:
    """Remove the line of `show_progress`."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
