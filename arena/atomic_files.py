"""Files that a command is asked to write: refused before the work, or written whole.

A result that took an hour must not be lost to a wrong path, nor replace an older one by half of it.
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
"""Of a file's name in the name of its draft: 160 bytes at most."""
_NO_DRAFT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV}
"""The folder takes no other file, or the file is a mount of its own."""


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
            why = f"folder {one_line(str(folder), NAME_CHARS_MAX)} does not exist"
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


@contextlib.contextmanager
def atomic_draft(path: Path) -> Iterator[Path]:
    """A path to write to in place of a file's own: at the end the file is that, or as it was.

    A device or a pipe, such as /dev/stdout, is written to as it is. A file that cannot be replaced
    (its folder takes no other file, or it is a mount of its own) is written over at the end; a disk
    that is full then cuts it short.

    Raises:
        OSError: It cannot be written; the error names the file.
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
    """Write a text file: all of it, or the file is as it was before; see `atomic_draft`.

    Raises:
        OSError: It cannot be written; the error names the file.
    """
    with atomic_draft(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="")


def write_new(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file that is not there yet; if it cannot be written whole, it is not there after.

    Args:
        path: The file.
        content: All of it.
        mode: Of the file, less what the umask takes.

    Raises:
        FileExistsError: It is there.
        OSError: It cannot be written; the error names the file.
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
    """Within the block, the error of a full disk names a file or folder; others pass as they are.

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
    """An empty file beside another one, or, if its folder takes none, a temporary one."""
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
    """Replace a file by its draft, or write over it if it cannot be replaced."""
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
