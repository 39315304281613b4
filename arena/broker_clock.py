"""Estimates the broker's time from the timestamps of records that it just appended. Reads no topic.

Hosts may have wrong clocks, so ages of heartbeats are measured by the broker's clock alone.
"""

from datetime import UTC, datetime, timedelta
from statistics import median_low

from arena.clock import Clock

WINDOW_S = 60.0
"""Age after which a newer time always replaces an older one."""
SOURCES_MAX = 64
TIME_MS_MAX = 1e14
"""Later times, and negative ones, are not valid."""


class BrokerClock:
    """The broker's time, as far as this process knows it.

    Before the first append, this host's wall clock is used. After that the time advances with the
    monotonic clock, so a change of the host's clock has no effect.
    """

    def __init__(self, clock: Clock) -> None:
        """Take this host's clock."""
        self._clock = clock
        self._ahead: dict[str, tuple[float, float]] = {}

    def note_append(self, appended_ms: float, source: str = "") -> None:
        """Note the timestamp of a record that was appended just now.

        Args:
            appended_ms: The timestamp; Unix milliseconds.
            source: The host that sent it. If the topic has no broker timestamps, records carry
                the hosts' times, and the median counts.
        """
        if not 0 <= appended_ms <= TIME_MS_MAX:
            return
        now_s = self._clock.monotonic()
        ahead_s = appended_ms / 1_000 - now_s
        known = self._ahead.pop(source, None)
        # A record arrives late, never early: the fastest one of a minute is the best estimate.
        if known is not None and now_s - known[1] <= WINDOW_S and known[0] > ahead_s:
            ahead_s, now_s = known
        self._ahead[source] = (ahead_s, now_s)
        if len(self._ahead) > SOURCES_MAX:
            del self._ahead[min(self._ahead, key=lambda name: self._ahead[name][1])]

    @property
    def is_known(self) -> bool:
        """True if the broker's time is known; False while this host's clock is used."""
        return bool(self._ahead)

    def now(self) -> datetime:
        """The wall time, aware, UTC."""
        if not self._ahead:
            return self._clock.now()
        ahead_s = median_low(ahead_s for ahead_s, _ in self._ahead.values())
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=ahead_s + self._clock.monotonic())
