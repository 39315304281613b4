"""Files that a command is asked to write: refused before the work, or written whole.

A result that took an hour must not be lost to a wrong path, nor replace an older one by half of it.
"""

import contextlib
import os
import stat
from pathlib import Path

from arena.errors import UsageError
from arena.visible import one_line

NAME_CHARS_MAX = 600


def require_writable(path: Path | None, flag: str) -> None:
    """See that a file can be written, before the work that it is for begins; nothing is written.

    Args:
        path: The file; None if none was asked for.
        flag: That names it, such as "--json".

    Raises:
        UsageError: Its folder is not there, it is a folder, or this user may not write it.
    """
    if path is None:
        return
    folder, why = path.parent, ""
    try:
        real = path.resolve()
        if real.is_dir():
            why = "it is a folder"
        elif real.exists():
            why = "" if os.access(real, os.W_OK) else "this user may not write it"
        elif not real.parent.is_dir():
            why = f"there is no folder {one_line(str(folder), NAME_CHARS_MAX)}"
        elif not os.access(real.parent, os.W_OK | os.X_OK):
            why = "this user may not write in that folder"
    except OSError as error:
        why = (error.strerror or "its name cannot be used").lower()
    except (RuntimeError, ValueError):  # links in a circle, a null character
        why = "its name cannot be used"
    if why:
        shown = one_line(str(path), NAME_CHARS_MAX)
        raise UsageError(
            f"{flag} {shown} cannot be written: {why}", remedy=f"give {flag} another file"
        )


def write_whole(path: Path, text: str) -> None:
    """Write a text file: all of it, or the file is as it was before.

    A device or a pipe, such as /dev/stdout, is written to as it is.

    Raises:
        OSError: It cannot be written; the error names the file.
    """
    real = path.resolve()
    draft = real.with_name(f".{real.name[:100]}.{os.getpid()}")
    try:
        if real.exists() and not stat.S_ISREG(real.stat().st_mode):
            with real.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        draft.write_text(text, encoding="utf-8", newline="")
        if real.exists():
            os.chmod(draft, stat.S_IMODE(real.stat().st_mode))
        draft.replace(real)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
