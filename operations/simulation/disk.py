"""The disk of a simulated host: it can fill up, rot, and lose what was renamed last."""

import errno
import os
from pathlib import Path
from random import Random

KEPT_MAX = 8
"""Newest writes that a power loss may undo."""


class SimulatedDisk:
    """Files by path; each write replaces a file as by one rename.

    The content is on disk before the rename, so a file is never half written. The rename itself may
    be lost with the power.

    Attributes:
        full: Every write fails.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.full = False
        self._files: dict[Path, bytes] = {}
        self._before: list[tuple[Path, bytes | None]] = []

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file.

        Raises:
            OSError: The disk is full.
        """
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        self._before.append((path, self._files.get(path)))
        del self._before[:-KEPT_MAX]
        self._files[path] = content

    def read(self, path: Path) -> bytes | None:
        """The content of a file; None if it does not exist."""
        return self._files.get(path)

    def remove(self, path: Path) -> None:
        """Remove a file if it exists."""
        self._files.pop(path, None)

    def paths(self) -> list[Path]:
        """The files, sorted."""
        return sorted(self._files)

    def lose_power(self, random: Random) -> None:
        """Undo some of the newest writes, newest first."""
        while self._before and random.random() < 0.5:
            path, content = self._before.pop()
            if content is None:
                self._files.pop(path, None)
            else:
                self._files[path] = content
        self._before.clear()

    def rot(self, random: Random) -> None:
        """Change one byte of one file."""
        if not self._files:
            return
        path = random.choice(sorted(self._files))
        content = bytearray(self._files[path])
        if content:
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            self._files[path] = bytes(content)

    def heal(self) -> None:
        """There is space again."""
        self.full = False
