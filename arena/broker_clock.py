"""What time the broker has, known from records that it has just appended.

Hosts may have wrong clocks; ages of heartbeats are told by the broker's clock alone.
"""

from datetime import UTC, datetime, timedelta
from statistics import median_low

from arena.clock import Clock

WINDOW_S = 60.0
"""A time that was told longer ago counts only until a new one is told."""
SOURCES_MAX = 64
TIME_MS_MAX = 1e14
"""Times beyond it, or negative ones, are not those of a clock."""


class BrokerClock:
    """The time by the broker's clock, as well as this process knows it.

    Until it is told a time, this host's clock is taken to be right. From then on it runs with the
    monotonic clock, so setting the host's clock changes nothing.
    """

    def __init__(self, clock: Clock) -> None:
        """Take the clock of this host."""
        self._clock = clock
        self._ahead: dict[str, tuple[float, float]] = {}

    def note_append(self, appended_ms: float, source: str = "") -> None:
        """Take the time of a record that was appended just now.

        Args:
            appended_ms: Its time; Unix milliseconds.
            source: The host that sent it. If a topic was created without the broker's own time,
                records carry the clocks of the hosts: then the one in the middle counts.
        """
        if not 0 <= appended_ms <= TIME_MS_MAX:
            return
        now_s = self._clock.monotonic()
        ahead_s = appended_ms / 1_000 - now_s
        known = self._ahead.pop(source, None)
        # A record comes late, never early: the fastest of a minute tells most.
        if known is not None and now_s - known[1] <= WINDOW_S and known[0] > ahead_s:
            ahead_s, now_s = known
        self._ahead[source] = (ahead_s, now_s)
        if len(self._ahead) > SOURCES_MAX:
            del self._ahead[min(self._ahead, key=lambda name: self._ahead[name][1])]

    @property
    def is_known(self) -> bool:
        """True if this is the broker's time, not this host's."""
        return bool(self._ahead)

    def now(self) -> datetime:
        """The wall time, aware, UTC."""
        if not self._ahead:
            return self._clock.now()
        ahead_s = median_low(ahead_s for ahead_s, _ in self._ahead.values())
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=ahead_s + self._clock.monotonic())
