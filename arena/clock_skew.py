"""Measures the skew of each host's clock against the broker's, from heartbeats. Pure.

The broker stamps every heartbeat with its own time (`message.timestamp.type` of
`arena.heartbeats`), and a heartbeat has the time of its host. The difference is the skew minus the
latency; of a host's newest heartbeats, the fastest one gives the best estimate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from arena.messages import Heartbeat

WINDOW_MS = 60_000
"""Older heartbeats than this, before a host's newest, do not count: the clock may be set."""
NOTICED_S = 1.0
HOSTS_MAX = 10_000
SEEN_MAX = 1_000
"""Number of heartbeats that are kept per host."""


@dataclass(frozen=True, slots=True)
class Skew:
    """The clock skew of one host.

    Attributes:
        host: Name of the host in its heartbeats.
        skew_s: Seconds by which it is ahead of the broker's clock, negative for behind; None if
            the heartbeats do not carry the broker's time.
    """

    host: str
    skew_s: float | None

    @property
    def is_noticed(self) -> bool:
        """True if the skew is large enough to report."""
        return self.skew_s is not None and abs(self.skew_s) > NOTICED_S


@dataclass(slots=True)
class SkewFold:
    """Folds heartbeats, in the order of the log, into the skew of each host."""

    _seen: dict[str, dict[int, float]] = field(default_factory=dict)

    def note(self, host: str, at_ms: float, appended_ms: int) -> None:
        """Add a heartbeat.

        Args:
            host: The host that sent it.
            at_ms: Its time by the host's clock; Unix milliseconds.
            appended_ms: Time of its append by the broker's clock; Unix milliseconds.
        """
        if host not in self._seen and len(self._seen) >= HOSTS_MAX:
            return
        seen = self._seen.setdefault(host, {})
        seen[appended_ms] = max(seen.get(appended_ms, float("-inf")), at_ms - appended_ms)
        if len(seen) > SEEN_MAX:
            self._seen[host] = {at: seen[at] for at in sorted(seen)[len(seen) // 2 :]}

    def skews(self, *, broker_time: bool) -> tuple[Skew, ...]:
        """Skews by host name; unknown if the records do not carry the broker's time."""
        if not broker_time:
            return tuple(Skew(host, None) for host in sorted(self._seen))
        return tuple(Skew(host, _skew_s(seen)) for host, seen in sorted(self._seen.items()))


def _skew_s(seen: Mapping[int, float]) -> float:
    newest = max(seen)
    return max(d for at, d in seen.items() if newest - at <= WINDOW_MS) / 1_000


def by_broker_clock(beat: Heartbeat, appended_ms: int) -> Heartbeat:
    """Convert the times of a heartbeat to the broker's clock.

    Args:
        beat: The heartbeat; returned unchanged if either time is out of range.
        appended_ms: Time of its append; Unix milliseconds.
    """
    try:
        at = datetime.fromtimestamp(appended_ms / 1_000, UTC)
        started_at = beat.started_at + (at - beat.at)
    except (OverflowError, ValueError, OSError):
        return beat
    return beat.model_copy(update={"at": at, "started_at": started_at})


def broker_now(now: datetime, host: str, skews: Iterable[Skew]) -> datetime:
    """Convert a host's time to the broker's clock.

    Args:
        now: Time by the host's clock.
        host: Name of the host.
        skews: Skews of the hosts; a host without heartbeats is assumed to be right.
    """
    own = next((skew.skew_s for skew in skews if skew.host == host), None)
    return now - timedelta(seconds=own or 0.0)


def skew_line(skews: Iterable[Skew]) -> str:
    """All skews on one line, for people; "" if there are none."""
    words = [_words(skew) for skew in skews]
    return f"clocks against the broker's: {', '.join(words)}" if words else ""


def _words(skew: Skew) -> str:
    if skew.skew_s is None:
        return f"{skew.host} unknown"
    if not skew.is_noticed:
        return f"{skew.host} within {NOTICED_S:.0f} s"
    way = "ahead" if skew.skew_s > 0 else "behind"
    return f"{skew.host} {abs(skew.skew_s):.1f} s {way}: set that clock"
