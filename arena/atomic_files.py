"""Writes files atomically, and checks before a long command that its output file can be written.

A result that took an hour must not be lost to a wrong path, and a failed write must not leave half
a file in place of an older one.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from arena.errors import UsageError
from arena.visible_text import one_line

NAME_CHARS_MAX = 600
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DRAFT_CHARS_MAX = 40
"""Characters of a file's name that are part of its draft's name: at most 160 bytes."""
_NO_DRAFT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV}
"""Errors if the folder takes no new file, or the file is itself a mount point."""


def require_writable(path: Path | None, flag: str) -> None:
    """Check that a file can be written before the work starts; nothing is written.

    Args:
        path: The file; None if the flag was not given.
        flag: The flag that names it, such as "--json".

    Raises:
        UsageError: Its folder does not exist, it is a folder, or this user may not write it.
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
            why = f"folder {one_line(str(folder), NAME_CHARS_MAX)} does not exist"
        elif not os.access(real.parent, os.W_OK | os.X_OK):
            why = "this user may not write in that folder"
    except OSError as error:
        why = (error.strerror or "its name cannot be used").lower()
    except (RuntimeError, ValueError):  # a loop of links, a null character
        why = "its name cannot be used"
    if why:
        shown = one_line(str(path), NAME_CHARS_MAX)
        raise UsageError(
            f"{flag} {shown} cannot be written: {why}", remedy=f"give {flag} another file"
        )


@contextlib.contextmanager
def atomic_draft(path: Path) -> Iterator[Path]:
    """Yield the path of a draft that replaces the file at the end; on an error the file stays.

    A device or a pipe, such as /dev/stdout, is written directly. A file that cannot be replaced
    (its folder takes no new file, or it is itself a mount point) is overwritten at the end; a full
    disk can then truncate it.

    Raises:
        OSError: The file cannot be written; the error names it.
    """
    draft: Path | None = None
    try:
        if path.exists() and not path.is_file():
            yield path
            return
        real = path.resolve()
        draft = _make_draft(real)
        yield draft
        _replace(draft, real)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def write_atomic(path: Path, text: str) -> None:
    """Write a text file completely, or leave it unchanged; see `atomic_draft`.

    Raises:
        OSError: The file cannot be written; the error names it.
    """
    with atomic_draft(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="")


def write_new(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Create a file with all of its content; after an error it does not exist.

    Args:
        path: The file.
        content: The bytes to write.
        mode: Permissions of the file, before the umask.

    Raises:
        FileExistsError: The file exists.
        OSError: The file cannot be written; the error names it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except BaseException as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextlib.contextmanager
def disk_full_named(path: Path) -> Iterator[None]:
    """Add a path to the error of a full disk in the block; other errors are unchanged.

    Raises:
        OSError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.errno not in _FULL or error.filename:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def _make_draft(real: Path) -> Path:
    """Create an empty file beside another one, or a temporary one if the folder takes none."""
    draft = real.with_name(f".{real.name[:DRAFT_CHARS_MAX]}.{os.getpid()}")
    try:
        draft.touch()
    except OSError as error:
        if error.errno not in _NO_DRAFT or not real.exists():
            raise
        descriptor, name = tempfile.mkstemp(prefix="arena-")
        os.close(descriptor)
        return Path(name)
    return draft


def _replace(draft: Path, real: Path) -> None:
    """Replace a file by its draft, or overwrite it if it cannot be replaced."""
    is_there = real.exists()
    try:
        if is_there:
            os.chmod(draft, stat.S_IMODE(real.stat().st_mode))
        draft.replace(real)
    except OSError as error:
        if error.errno not in _NO_DRAFT or not is_there:
            raise
        with draft.open("rb") as source, real.open("wb") as target:
            shutil.copyfileobj(source, target)
