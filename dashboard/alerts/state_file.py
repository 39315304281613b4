"""The file with the state of alerts, and the lock that one process holds on it.

Reads and writes `<home>/alerts/<prefix>/<name>.json`; the lock is a file beside it, and ends with
its process. The file is replaced as a whole.
"""

import fcntl
import os
from pathlib import Path

from pydantic import ValidationError

from arena.atomic_files import write_atomic
from arena.bounded_files import read_regular
from arena.errors import UsageError
from arena.prefix import MARK
from arena.settings import Settings
from dashboard.alerts.state import FORMAT, AlertState

BYTES_MAX = 8 << 20


class StateFile:
    """The state of one named process of alerts.

    Attributes:
        path: The file.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        """Take the home and the prefix of the arena, and the name of the process."""
        folder = settings.home.resolve() / "alerts" / (settings.prefix or MARK)
        self.path: Path = folder / f"{name}.json"
        self._lock: int | None = None

    def try_lock(self) -> bool:
        """Take the lock; False if another process has it."""
        if self._lock is not None:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_suffix(".lock")
        file = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._lock = file
        return True

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self) -> tuple[AlertState, str]:
        """The saved state, or a new one; and why a saved one cannot be used, or ""."""
        if not self.path.exists():
            return AlertState(), ""
        try:
            state = AlertState.model_validate_json(read_regular(self.path, BYTES_MAX))
        except (OSError, ValidationError, UsageError) as error:
            return AlertState(), f"{self.path} cannot be used ({type(error).__name__})"
        if state.format != FORMAT:
            return AlertState(), f"{self.path} has format {state.format}, not {FORMAT}"
        return state, ""

    def save(self, text: str) -> None:
        """Replace the file by a state as JSON.

        Raises:
            OSError: It cannot be written.
        """
        write_atomic(self.path, text)
