"""The calls that wait for their next attempt, for the heartbeats of the chat node. Pure."""

from collections import Counter
from datetime import datetime

from arena.heartbeat_details import RETRIES_MAX, RetryWait
from arena.messages import Cause


class RetryWaits:
    """Which calls wait, why and until when."""

    def __init__(self) -> None:
        """Start with none."""
        self._calls: dict[str, tuple[str, datetime]] = {}

    def begin(self, call_id: str, cause: Cause | None, until: datetime) -> None:
        """Note that a call waits."""
        self._calls[call_id] = (str(cause or ""), until)

    def end(self, call_id: str) -> None:
        """Note that a call does not wait any more."""
        self._calls.pop(call_id, None)

    def report(self) -> tuple[RetryWait, ...]:
        """The waits by cause, the most frequent first."""
        counts = Counter(cause for cause, _ in self._calls.values())
        return tuple(
            RetryWait(
                cause=cause,
                calls=calls,
                until=max(until for of, until in self._calls.values() if of == cause),
            )
            for cause, calls in counts.most_common(RETRIES_MAX)
        )
