"""How far the clocks of the hosts are from the broker's, out of heartbeats. Pure.

The broker writes its own time on every heartbeat that it appends (`message.timestamp.type` of
`arena.heartbeats`). A heartbeat says when it was made by its host's clock. The difference is the
skew less the time on the way; of a host's newest heartbeats the one that was fastest tells most.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from arena.messages import Heartbeat

WINDOW_MS = 60_000
"""Heartbeats that came this long before a host's newest count: a clock may be put right."""
NOTICED_S = 1.0
HOSTS_MAX = 10_000
SEEN_MAX = 1_000
"""Heartbeats of a host that are kept."""


@dataclass(frozen=True, slots=True)
class Skew:
    """The clock of one host.

    Attributes:
        host: As its heartbeats name it.
        skew_s: Seconds by which it is ahead of the broker's clock, negative for behind; None
            where the broker's own time is not on the heartbeats.
    """

    host: str
    skew_s: float | None

    @property
    def is_noticed(self) -> bool:
        """True where it is far enough off to be told."""
        return self.skew_s is not None and abs(self.skew_s) > NOTICED_S


@dataclass(slots=True)
class SkewFold:
    """Takes heartbeats in the order of the log."""

    _seen: dict[str, dict[int, float]] = field(default_factory=dict)

    def note(self, host: str, at_ms: float, appended_ms: int) -> None:
        """Add one.

        Args:
            host: That made it.
            at_ms: When, by the host's clock; Unix milliseconds.
            appended_ms: When it was appended, by the broker's clock.
        """
        if host not in self._seen and len(self._seen) >= HOSTS_MAX:
            return
        seen = self._seen.setdefault(host, {})
        seen[appended_ms] = max(seen.get(appended_ms, float("-inf")), at_ms - appended_ms)
        if len(seen) > SEEN_MAX:
            self._seen[host] = {at: seen[at] for at in sorted(seen)[len(seen) // 2 :]}

    def skews(self, *, broker_time: bool) -> tuple[Skew, ...]:
        """Every host's skew, by name; unknown where the records do not carry the broker's time."""
        if not broker_time:
            return tuple(Skew(host, None) for host in sorted(self._seen))
        return tuple(Skew(host, _skew_s(seen)) for host, seen in sorted(self._seen.items()))


def _skew_s(seen: Mapping[int, float]) -> float:
    newest = max(seen)
    return max(d for at, d in seen.items() if newest - at <= WINDOW_MS) / 1_000


def by_broker_clock(beat: Heartbeat, appended_ms: int) -> Heartbeat:
    """A heartbeat with its times as the broker's clock has them.

    Args:
        beat: As its host made it; it is left so if either time is not that of a clock.
        appended_ms: When the broker appended it.
    """
    try:
        at = datetime.fromtimestamp(appended_ms / 1_000, UTC)
        started_at = beat.started_at + (at - beat.at)
    except (OverflowError, ValueError, OSError):
        return beat
    return beat.model_copy(update={"at": at, "started_at": started_at})


def broker_now(now: datetime, host: str, skews: Iterable[Skew]) -> datetime:
    """The time by the broker's clock, as well as a host knows it.

    Args:
        now: By the clock of the host.
        host: Its name.
        skews: Of the hosts that send heartbeats; one that sends none is taken to be right.
    """
    own = next((skew.skew_s for skew in skews if skew.host == host), None)
    return now - timedelta(seconds=own or 0.0)


def skew_line(skews: Iterable[Skew]) -> str:
    """All of them on one line for people; "" where there are none."""
    words = [_words(skew) for skew in skews]
    return f"clocks against the broker's: {', '.join(words)}" if words else ""


def _words(skew: Skew) -> str:
    if skew.skew_s is None:
        return f"{skew.host} unknown"
    if not skew.is_noticed:
        return f"{skew.host} within {NOTICED_S:.0f} s"
    way = "ahead" if skew.skew_s > 0 else "behind"
    return f"{skew.host} {abs(skew.skew_s):.1f} s {way}: set that clock"
