"""Limits how many notes a supervisor shows, whatever is written to its topic. Pure."""

from collections import deque

NOTES_PER_WINDOW = 20
WINDOW_S = 60.0
NOTES_WAITING_MAX = 100


class NoteLimit:
    """Notes that wait to be shown: a limited number per minute; the others are counted."""

    def __init__(self) -> None:
        """Start without notes."""
        self._waiting: deque[str] = deque(maxlen=NOTES_WAITING_MAX)
        self._window_s = 0.0
        self._shown = 0
        self._left_out = 0

    def add(self, text: str, now_s: float) -> None:
        """Add a note at a monotonic time; beyond the limit it is only counted."""
        self._begin_window(now_s)
        if self._shown < NOTES_PER_WINDOW:
            self._shown += 1
            self._waiting.append(text)
        else:
            self._left_out += 1

    def take(self, now_s: float) -> list[str]:
        """The notes to show now, with the number of those that an earlier minute left out."""
        self._begin_window(now_s)
        found = [*self._waiting]
        self._waiting.clear()
        return found

    def _begin_window(self, now_s: float) -> None:
        if self._shown and now_s - self._window_s < WINDOW_S:
            return
        if self._left_out:
            self._waiting.append(f"{self._left_out:,} more notes like these were left out")
        self._window_s, self._shown, self._left_out = now_s, 0, 0
