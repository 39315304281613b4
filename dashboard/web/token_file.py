"""The token of `arena web`: made at the first start, in a file that only this user may read."""

import os
import secrets
import stat
from pathlib import Path

from arena.atomic_files import write_new
from arena.bounded_files import NotReadable, read_regular
from arena.errors import UsageError

TOKEN_BYTES = 32
TOKEN_CHARS_MIN = 16
FILE_BYTES_MAX = 4_096
OWNER_ONLY = 0o600


def read_or_make_token(path: Path) -> tuple[str, bool]:
    """Read the token, or make one.

    Args:
        path: The file.

    Returns:
        The token, and True if it was made.

    Raises:
        UsageError: The file is readable for others, has no token, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return _read(path), False
        token = new_token()
        _write(path, token)
    except FileExistsError:  # another process was faster
        return _read(path), False
    except OSError as error:
        raise UsageError(
            f"the token file {path} cannot be made: {error.strerror}",
            remedy="give another one with --token-file",
        ) from None
    return token, True


def _write(path: Path, token: str) -> None:
    """Create the file with its content at once: another process may read it at any moment."""
    draft = path.with_name(f".{path.name}.{new_nonce()}")
    write_new(draft, f"{token}\n".encode(), OWNER_ONLY)
    try:
        os.link(draft, path)
    finally:
        draft.unlink()


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_nonce() -> str:
    """Random characters that distinguish two sessions."""
    return secrets.token_hex(16)


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = read_regular(path, FILE_BYTES_MAX).decode("ascii").strip()
    except (OSError, NotReadable, UnicodeDecodeError) as error:
        raise UsageError(
            f"the token file {path} cannot be read: {error}",
            remedy="delete it, and a new one is made",
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"other users may read the token file {path}", remedy=f"chmod 600 {path}")
    if len(text) < TOKEN_CHARS_MIN or any(one.isspace() for one in text):
        raise UsageError(
            f"the token file {path} has no token of {TOKEN_CHARS_MIN} or more characters",
            remedy="delete it, and a new one is made",
        )
    return text
