"""The digest of the code that computes reports.

A version in development can write other chapters from one day to the next, so a report has this
digest beside its version.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

CHARS: Final = 16
CACHES: Final = "__pycache__"


@cache
def code_digest() -> str:
    """The first hex digits of a SHA-256 over the files of this room."""
    room = Path(__file__).resolve().parents[1]
    found = sha256()
    for path in sorted(room.rglob("*")):
        if path.is_file() and CACHES not in path.parts:
            name = path.relative_to(room).as_posix()
            found.update(f"{name}\0{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:CHARS]
